"""The choices of a conversion, as plain data."""

from dataclasses import dataclass
from typing import Optional

from ..errors import UserError
from ..images.fit import FitOptions
from ..images.read import ReadOptions

COLORS = ("auto", "rgb", "grey")
DUPLICATES = ("none", "exact", "near")


@dataclass(frozen=True)
class PrepareOptions:
    """How images become a data set."""

    resolution: Optional[int] = None  # pixels, a power of two; None = the largest, up to 1024, that 90 % of the images reach
    color: str = "auto"  # auto: grey if every image is; rgb; grey
    fit: FitOptions = FitOptions()
    background: tuple = (255, 255, 255)  # under transparency and around padded images
    use_icc: bool = True  # convert embedded colour profiles to sRGB
    max_megapixels: float = ReadOptions.max_pixels / 1e6  # larger images are refused
    labels: str = "auto"  # auto: from a dataset.json; folders: a class per sub-folder; none; or a CSV / JSON file
    shuffle: bool = True  # in the original's fixed order (RandomState 123)
    full_only: bool = False  # leave out the smaller levels: a quarter less disk, but the original cannot read it
    max_images: Optional[int] = None  # convert only so many source images
    drop_duplicates: str = "none"  # exact: leave out repeated files; near: also the same picture saved again
    strict: bool = False  # stop at the first look if any file cannot be used, instead of leaving it out
    workers: Optional[int] = None  # processes; None = one per core

    def check(self):
        """Raise UserError for values that cannot be."""
        for value, known, flag in ((self.color, COLORS, "--color"), (self.drop_duplicates, DUPLICATES, "--drop-duplicates")):
            if value not in known:
                raise UserError("{} {!r} does not exist".format(flag, value), "one of " + ", ".join(known), "choose one of these")
        for name in ("max_images", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError("{} is {}".format(name, value), "1 or more", "leave it out for the default")
        self.fit.check()

    def read_options(self, channels=3):
        """Return the ReadOptions for images with this many channels."""
        return ReadOptions(channels, self.background, self.use_icc, int(self.max_megapixels * 1e6))
