"""From an image of any shape to one or more of one shape: which region, and how it is scaled."""

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

import numpy as np
from PIL import Image

from ..errors import UserError
from ..seeds import random_state
from ..shape import Size, sides_of, size_text, size_words
from .transparency import filled, resized

MODES = ("crop", "pad", "stretch", "tiles", "random", "boxes", "wide")
SQUARES_ONLY = ("tiles", "random", "wide")
CUT_ONCE = ("crop", "pad", "stretch")  # one region of each image, which its own crop box may replace
EVERY_IMAGE = "*"  # the name under which a crop box is saved for all images without one of their own
FILTERS = {"lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC}


Box = Tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class FitOptions:
    """How an image becomes squares, or rectangles of one shape."""

    mode: str = "crop"  # crop: largest centred region of the shape; pad: complete image on the background; stretch: any ratio;
    # tiles: grid of squares; random: squares at random places; boxes: saved crop boxes; wide: the original's create_lsun_wide
    filter: str = "lanczos"  # antialiased in all cases
    upscale: bool = False  # enlarge images smaller than the resolution, instead of leaving them out
    tile_px: int = 0  # side of the square cut for tiles and random, in the image's own pixels; 0 = the resolution
    crops_per_image: int = 8  # for random
    seed: int = 0  # for random
    boxes: Dict[str, Tuple[int, int, int, int]] = field(default_factory=dict)  # name, or "*" -> (left, top, right, bottom);
    # of single images with crop, pad and stretch, too
    of_px: Optional[Tuple[int, int]] = None  # for boxes: (width, height) of the images they are for; others are left out
    height_px: int = 384  # for wide: of the picture in the middle of its black square

    def check(self) -> None:
        """Raise UserError for a mode or filter that does not exist."""
        for value, known, flag in ((self.mode, MODES, "--fit"), (self.filter, FILTERS, "--filter")):
            if value not in known:
                raise UserError(f"{flag} {value!r} does not exist", "one of " + ", ".join(known), "choose one of these")


def _centre(width, height, wanted):
    """Return the largest centred box of the shape `wanted`, (height, width)."""
    ratio = min(width / wanted[1], height / wanted[0])
    if wanted[0] == wanted[1]:
        inner = min(width, height), min(width, height)
    else:
        inner = min(width, max(1, round(wanted[1] * ratio))), min(height, max(1, round(wanted[0] * ratio)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return left, top, left + inner[0], top + inner[1]


def check_fit(size: Size, options: FitOptions) -> None:
    """Raise UserError where a way to fit images gives squares only and `size` is not a square."""
    height, width = sides_of(size)
    if height != width and options.mode in SQUARES_ONLY:
        raise UserError(
            f"--fit {options.mode} cuts squares, and --resolution {size_text(height, width)} is a rectangle",
            "crop, pad, stretch or boxes for rectangles",
            "choose one of these with --fit",
        )


def regions(name: str, width: int, height: int, size: Size, options: FitOptions) -> Tuple[List[Box], Optional[str]]:
    """Return the boxes (left, top, right, bottom) that one image is cut into, and the reason where there are none.

    Args:
        size: Of the result: the side of a square, or (height, width).

    Returns:
        (boxes, reason): `reason` is None unless `boxes` is empty.
    """
    check_fit(size, options)
    wanted = sides_of(size)
    if options.mode == "wide":
        return _wide_region(width, height, wanted[1], options.height_px)
    boxes, reason = _boxes(name, width, height, wanted, options)
    if reason or options.upscale:
        return boxes, reason
    boxes = [box for box in boxes if _is_large_enough(box, wanted, options.mode)]
    return boxes, None if boxes else f"{width} x {height} is too small for {size_words(size)} pixels"


def _boxes(name, width, height, wanted, options):
    """Return (boxes, reason) as `regions`, whether or not they are large enough."""
    if options.mode in CUT_ONCE and options.boxes.get(name):
        return _own_region(options.boxes[name], width, height, wanted, options.mode)
    if options.mode in CUT_ONCE:
        return [_centre(width, height, wanted) if options.mode == "crop" else (0, 0, width, height)], None
    if options.mode == "boxes":
        return _saved_region(options.boxes.get(name) or options.boxes.get(EVERY_IMAGE), width, height, options.of_px)
    boxes = _squares(name, width, height, options.tile_px or wanted[1], options)
    return boxes, None if boxes else f"{width} x {height} is smaller than one tile"


def _own_region(box, width, height, wanted, mode):
    """Return ([box], None), or ([], reason): an image's own crop box in the place of the usual region."""
    if not _is_inside(box, width, height):
        return [], _not_inside(box, width, height)
    if mode != "crop" or wanted[0] == wanted[1]:
        return [tuple(box)], None
    left, top, right, bottom = _centre(box[2] - box[0], box[3] - box[1], wanted)  # those cut by hand are squares
    return [(box[0] + left, box[1] + top, box[0] + right, box[1] + bottom)], None


def _saved_region(box, width, height, of_px):
    """Return ([box], None), or ([], reason): the crop box that is saved for an image, or for all of one size."""
    if box is None:
        return [], "no crop box is saved for it"
    if of_px and tuple(of_px) != (width, height):
        return [], "{} x {}, not {} x {}".format(width, height, *of_px)
    if not _is_inside(box, width, height):
        return [], _not_inside(box, width, height)
    return [tuple(box)], None


def _not_inside(box, width, height):
    return f"its crop box {list(box)} is not inside {width} x {height}"


def _is_inside(box, width, height):
    return 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height


def _wide_region(width, height, resolution, height_px):
    """Return ([box], None), or ([], reason): as many rows from the middle as the image has when it is `resolution` wide."""
    rows = round(resolution * height / width)
    if width < resolution or rows < height_px:
        return [], f"{width} x {height} is too small for {resolution} x {height_px}"
    return [(0, (height - rows) // 2, width, (height + rows) // 2)], None


def _is_large_enough(box, wanted, mode):
    return (any if mode == "pad" else all)((box[2] - box[0] >= wanted[1], box[3] - box[1] >= wanted[0]))


def _squares(name, width, height, side, options):
    """Return the grid of squares, centred, or `crops_per_image` squares at random places fixed by (seed, name)."""
    if side > width or side > height:
        return []
    if options.mode == "random":
        draws = random_state(options.seed, "crops " + name.encode("utf-8", "backslashreplace").decode(), 0)
        lefts = draws.randint(0, width - side + 1, options.crops_per_image)
        tops = draws.randint(0, height - side + 1, options.crops_per_image)
        return [(int(x), int(y), int(x) + side, int(y) + side) for x, y in zip(lefts, tops)]
    columns, rows = width // side, height // side
    left, top = (width - columns * side) // 2, (height - rows * side) // 2
    return [
        (left + side * x, top + side * y, left + side * (x + 1), top + side * (y + 1))
        for y in range(rows)
        for x in range(columns)
    ]


def scale(image: Image.Image, size: Size, options: FitOptions, background: Tuple[int, int, int]) -> Image.Image:
    """Return a Pillow image, already cut to its region, in a size: a square's side, or (height, width).

    Args:
        image: Of mode "RGB", "L" or "RGBA"; of the last, invisible pixels take the colours around them, see `filled`.
        background: Around an image that is padded; around "RGBA" it is transparent.
    """
    if image.mode != "RGBA":
        return _scaled(image, size, options, background)
    return Image.fromarray(filled(np.asarray(_scaled(image, size, options, background))))


def _scaled(image, size, options, background):
    height, width = sides_of(size)
    if options.mode == "pad":
        ratio = min(width / image.width, height / image.height)
        inner = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
        if inner != image.size:
            image = _resized(image, inner, options)
        clear = image.mode == "RGBA"
        padded = Image.new("RGBA" if clear else "RGB", (width, height), (0,) * 4 if clear else background).convert(image.mode)
        padded.paste(image, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return padded
    if options.mode == "wide":
        square = Image.new(image.mode, (width, height))  # black, whatever the background
        picture = _resized(image, (width, options.height_px), options)
        square.paste(picture, (0, (height - options.height_px) // 2))
        return square
    return image if image.size == (width, height) else _resized(image, (width, height), options)


def _resized(image, size, options):
    return (resized if image.mode == "RGBA" else Image.Image.resize)(image, size, FILTERS[options.filter])
