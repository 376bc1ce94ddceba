"""The choices of a conversion, as plain data."""

from dataclasses import dataclass
from typing import Optional, Tuple, Union

from ..errors import UserError
from ..images.fit import FitOptions
from ..images.frames import FRAMES
from ..images.grey_range import FULL, parse_grey_range
from ..images.read import ReadOptions
from ..images.transparency import ALPHA_MODES
from ..shape import Size

COLORS = ("auto", "rgb", "grey")
DUPLICATES = ("none", "exact", "near")


@dataclass(frozen=True)
class PrepareOptions:
    """How images become a dataset."""

    resolution: Union[Size, str, None] = None  # side of a square in px, a power of two, or (height, width); None = the largest
    # square, up to 1024, that 90 % of the images reach; "auto" = the rectangle that keeps most of their pixels
    color: str = "auto"  # auto: grey if every image is; rgb; grey
    fit: FitOptions = FitOptions()
    alpha: str = "flatten"  # flatten: transparent images over the background; keep: RGBA images
    background: tuple = (255, 255, 255)  # under transparency that is not kept, and around padded images
    use_icc: bool = True  # convert embedded colour profiles to sRGB
    max_megapixels: float = ReadOptions.max_pixels / 1e6  # larger images are refused
    grey_range: Union[str, Tuple[float, float]] = FULL  # of greys of over 8 bits: full; used: what the images use; or (low, high)
    frames: str = "first"  # of animations and files of several pages; all: each frame is an image
    labels: str = "auto"  # auto: from a dataset.json; folders: a class per sub-folder; none; or a CSV / JSON file
    shuffle: bool = True  # in the original's fixed order (RandomState 123)
    full_only: bool = False  # leave out the smaller levels: a quarter less disk, but the original cannot read it
    max_images: Optional[int] = None  # convert at most this many source images
    drop_duplicates: str = "none"  # exact: leave out repeated files; near: also the same picture saved again
    strict: bool = False  # stop before converting if any file cannot be used, instead of leaving it out
    workers: Optional[int] = None  # processes; None = one per core

    def check(self) -> None:
        """Raise UserError for values that cannot be."""
        for value, known, flag in (
            (self.color, COLORS, "--color"),
            (self.drop_duplicates, DUPLICATES, "--drop-duplicates"),
            (self.frames, FRAMES, "--frames"),
            (self.alpha, ALPHA_MODES, "--alpha"),
        ):
            if value not in known:
                raise UserError(f"{flag} {value!r} does not exist", "one of " + ", ".join(known), "choose one of these")
        if self.alpha == "keep" and self.color == "grey":
            raise UserError("--color grey and --alpha keep: there are no networks for grey images with transparency",
                            "RGBA or grey", "leave --color out: grey images become RGBA; or leave --alpha keep out")  # fmt: skip
        for name in ("max_images", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}", "1 or more", "leave it out for the default")
        if isinstance(self.grey_range, str):
            parse_grey_range(self.grey_range)
        self.fit.check()

    def read_options(self, channels: Optional[int] = None) -> ReadOptions:
        """Return the ReadOptions for images with this many channels; None: in colour."""
        channels = channels or (4 if self.alpha == "keep" else 3)
        grey_range = None if isinstance(self.grey_range, str) else (self.grey_range[0], self.grey_range[1])
        return ReadOptions(channels, self.background, self.use_icc, grey_range, int(self.max_megapixels * 1e6))
