"""What a notebook shows of a grid: its first images, each large enough to be seen, and on request the whole of it."""

from typing import Tuple

from PIL import Image

from ..files import FilePath
from ..previews.timeline import as_jpeg, corner
from ..shape import Size, sides_of

EXCERPT_COLUMNS, EXCERPT_COLUMNS_SMALL, SMALL_PX = 6, 12, 64  # images of up to SMALL_PX are shown twelve in a row
LEAST_PX = 640  # narrower pictures are enlarged


def excerpt_size(size: Size) -> Tuple[int, int]:
    """Return (columns, rows) of the images that are shown of a grid: 12x8 up to 64², 6x4 above."""
    columns = EXCERPT_COLUMNS_SMALL if sides_of(size)[1] <= SMALL_PX else EXCERPT_COLUMNS
    return columns, columns * 2 // 3


def excerpt_jpeg(path: FilePath, size: Size, max_px: int, max_bytes: int) -> bytes:
    """Return the first images of a grid's file as JPEG; always the same ones, so that one can be watched over time.

    Args:
        path: PNG without gaps, as `save_grid` writes it.
        size: Of one image: the side of a square, or (height, width), px.
        max_px, max_bytes: As for `as_jpeg`.

    Raises:
        OSError: The file cannot be read, or is still being written.
    """
    return as_jpeg(enlarged(corner(path, *excerpt_size(size), size)), max_px, max_bytes)


def enlarged(image: Image.Image, least_px: int = LEAST_PX) -> Image.Image:
    """Return a Pillow image at least `least_px` wide: by a whole factor, so that the pixels of small ones stay crisp."""
    factor = -(-least_px // max(1, image.width))
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
