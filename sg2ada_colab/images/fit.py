"""From an image of any shape to one or more squares: which region, and how it is scaled."""

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from PIL import Image

from ..errors import UserError
from ..seeds import random_state

MODES = ("crop", "pad", "stretch", "tiles", "random", "boxes", "wide")
EVERY_IMAGE = "*"  # the name under which a crop box is saved for all images that have none of their own
FILTERS = {"lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class FitOptions:
    """How an image becomes squares."""

    mode: str = "crop"  # crop: largest centred square; pad: whole image on the background; stretch: ignore the aspect ratio;
    # tiles: grid of squares; random: squares at random places; boxes: saved crop boxes; wide: the original's create_lsun_wide
    filter: str = "lanczos"  # antialiased in all cases
    upscale: bool = False  # enlarge images smaller than the resolution, instead of leaving them out
    tile_px: int = 0  # side of the square cut for tiles and random, in the image's own pixels; 0 = the resolution
    crops_per_image: int = 8  # for random
    seed: int = 0  # for random
    boxes: Dict[str, Tuple[int, int, int, int]] = field(default_factory=dict)  # name, or "*" -> (left, top, right, bottom)
    of_px: Optional[Tuple[int, int]] = None  # for boxes: (width, height) of the images they are for; others are left out
    height_px: int = 384  # for wide: of the picture in the middle of its black square

    def check(self):
        """Raise UserError for a mode or filter that does not exist."""
        for value, known, flag in ((self.mode, MODES, "--fit"), (self.filter, FILTERS, "--filter")):
            if value not in known:
                raise UserError("{} {!r} does not exist".format(flag, value), "one of " + ", ".join(known), "choose one of these")


def _centre_square(width, height):
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def regions(name, width, height, resolution, options):
    """Return the boxes (left, top, right, bottom) that one image is cut into, and the reason where there are none.

    Returns:
        (boxes, reason): `reason` is None unless `boxes` is empty.
    """
    if options.mode in ("crop", "pad", "stretch"):
        boxes = [_centre_square(width, height) if options.mode == "crop" else (0, 0, width, height)]
    elif options.mode == "boxes":
        box = options.boxes.get(name) or options.boxes.get(EVERY_IMAGE)
        if box is None:
            return [], "no crop box is saved for it"
        if options.of_px and tuple(options.of_px) != (width, height):
            return [], "{} x {}, not {} x {}".format(width, height, *options.of_px)
        if not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
            return [], "its crop box {} is not inside {} x {}".format(list(box), width, height)
        boxes = [tuple(box)]
    elif options.mode == "wide":
        return _wide_region(width, height, resolution, options.height_px)
    else:
        boxes = _squares(name, width, height, options.tile_px or resolution, options)
        if not boxes:
            return [], "{} x {} is smaller than one tile".format(width, height)
    if not options.upscale:
        shrinkable = [b for b in boxes if _is_large_enough(b, resolution, options.mode)]
        if not shrinkable:
            return [], "{} x {} is too small for {} pixels".format(width, height, resolution)
        boxes = shrinkable
    return boxes, None


def _wide_region(width, height, resolution, height_px):
    """Return ([box], None), or ([], reason): as many rows from the middle as the image has when it is `resolution` wide."""
    rows = round(resolution * height / width)
    if width < resolution or rows < height_px:
        return [], "{} x {} is too small for {} x {}".format(width, height, resolution, height_px)
    return [(0, (height - rows) // 2, width, (height + rows) // 2)], None


def _is_large_enough(box, resolution, mode):
    sides = box[2] - box[0], box[3] - box[1]
    return (max(sides) if mode == "pad" else min(sides)) >= resolution


def _squares(name, width, height, side, options):
    """Return the grid of squares, centred, or `crops_per_image` squares at random places fixed by (seed, name)."""
    if side > width or side > height:
        return []
    if options.mode == "random":
        draws = random_state(options.seed, "crops " + name, 0)
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


def scale(image, resolution, options, background):
    """Return the "RGB" or "L" Pillow image `image`, already cut to its region, as a square of `resolution` pixels."""
    size = (resolution, resolution)
    if options.mode == "pad":
        ratio = resolution / max(image.size)
        inner = tuple(max(1, round(side * ratio)) for side in image.size)
        if inner != image.size:
            image = image.resize(inner, FILTERS[options.filter])
        square = Image.new("RGB", size, background).convert(image.mode)
        square.paste(image, ((resolution - inner[0]) // 2, (resolution - inner[1]) // 2))
        return square
    if options.mode == "wide":
        square = Image.new(image.mode, size)  # black, whatever the background
        picture = image.resize((resolution, options.height_px), FILTERS[options.filter])
        square.paste(picture, (0, (resolution - options.height_px) // 2))
        return square
    return image if image.size == size else image.resize(size, FILTERS[options.filter])
