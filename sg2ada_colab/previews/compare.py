"""Pictures side by side under titles, of one height."""

from typing import Optional, Sequence, Tuple

from PIL import Image

from ..images.sheet import BLACK, WHITE, Sheet, SheetStyle
from ..images.transparency import shown_opaque
from .timeline import shrunk

STYLE = SheetStyle(gap_px=12, head_px=24, paper=WHITE, ink=BLACK)


def side_by_side(pictures: Sequence[Tuple[str, Image.Image]], height_px: Optional[int] = None) -> Image.Image:
    """Return RGB pictures next to each other on white, each in the middle of a cell as wide as the widest.

    Args:
        pictures: [(title, Pillow image), ...].
        height_px: Height of each; None is that of the lowest.
    """
    assert pictures, "nothing to compare"
    height = height_px or min(image.height for _, image in pictures)
    images = [_of_height(shown_opaque(image), height) for _, image in pictures]
    sheet = Sheet(len(images), 1, (max(image.width for image in images), height), STYLE)
    for column, ((title, _), image) in enumerate(zip(pictures, images)):
        sheet.head(column, title)
        sheet.put(column, image)
    return sheet.image


def _of_height(image: Image.Image, height: int) -> Image.Image:
    if image.height == height:
        return image
    size = (max(1, round(image.width * height / image.height)), height)
    return shrunk(image, max(size)) if image.height > height else image.resize(size, Image.Resampling.NEAREST)
