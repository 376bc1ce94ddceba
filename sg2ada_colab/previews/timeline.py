"""The pictures of a run as small JPEGs, and how varied they are."""

import io

import numpy as np
from PIL import Image

from .grid import grid_size

MAX_BYTES = 200000
QUALITIES = (88, 80, 70, 60, 45)
SMALLEST_PX = 64


def as_jpeg(image, max_px=1280, max_bytes=MAX_BYTES):
    """Return a picture as JPEG of at most `max_bytes`: lower quality first, then fewer pixels.

    Args:
        image: Path, or Pillow image.
        max_px: Longest side.

    Raises:
        OSError: The file cannot be read, or is still being written.
    """
    if not isinstance(image, Image.Image):
        with Image.open(str(image)) as opened:
            image = opened.convert("RGB")
    image = image.convert("RGB")
    side = min(max_px, max(image.size))
    while True:
        small = shrunk(image, side)
        for quality in QUALITIES:
            stream = io.BytesIO()
            small.save(stream, "JPEG", quality=quality)
            if stream.tell() <= max_bytes:
                return stream.getvalue()
        if side <= SMALLEST_PX:
            return stream.getvalue()
        side = max(SMALLEST_PX, side * 3 // 4)


def shrunk(image, side):
    """Return the image with its longer side at most `side` px."""
    ratio = side / max(image.size)
    if ratio >= 1:
        return image
    return image.resize([max(1, round(length * ratio)) for length in image.size], Image.BOX if ratio < 0.5 else Image.LANCZOS)


def corner(path, columns, rows, resolution):
    """Return the top left `columns` x `rows` images of a grid at full size, as a Pillow image."""
    with Image.open(str(path)) as grid:
        return grid.crop((0, 0, min(grid.width, columns * resolution), min(grid.height, rows * resolution))).convert("RGB")


def spread_of_grid(path, resolution, cell_px=8):
    """Return how much the images of a grid differ from each other: the standard deviation over images, 0 for all alike.

    A rough measure on shrunken images, to notice that all fakes have become one picture.

    Args:
        path: PNG without gaps, as `save_grid` writes it.
        resolution: Width of one image, px.
    """
    columns, rows = grid_size(resolution)
    with Image.open(str(path)) as grid:
        columns, rows = min(columns, grid.width // resolution), min(rows, grid.height // resolution)
        small = grid.convert("RGB").resize((columns * cell_px, rows * cell_px), Image.BOX)
    cells = np.asarray(small, np.float32).reshape(rows, cell_px, columns, cell_px, 3).transpose(0, 2, 1, 3, 4)
    return float(cells.reshape(rows * columns, -1).std(axis=0).mean())


def thinned(items, most):
    """Return at most `most` items, spread evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    picks = np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))
    return [items[int(i)] for i in picks]
