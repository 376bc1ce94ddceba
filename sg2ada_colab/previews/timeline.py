"""The pictures of a run as small JPEGs, and how much they differ."""

import io
from typing import Any, List, Sequence, Union

import numpy as np
from PIL import Image

from ..files import FilePath
from ..images.transparency import shown_opaque
from ..shape import Size, sides_of
from .grid import grid_size

MAX_BYTES = 200000
QUALITIES = (88, 80, 70, 60, 45)
SMALLEST_PX = 64


def as_jpeg(image: Union[FilePath, Image.Image], max_px: int = 1280, max_bytes: int = MAX_BYTES) -> bytes:
    """Return a picture as JPEG of at most `max_bytes`: lower quality first, then fewer pixels; RGBA over a checkerboard.

    Args:
        image: Path, or Pillow image.
        max_px: Longest side.

    Raises:
        OSError: The file cannot be read, or is still being written.
    """
    if not isinstance(image, Image.Image):
        with Image.open(str(image)) as opened:
            image = shown_opaque(opened)
    image = shown_opaque(image)
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


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return the image with its longer side at most `side` px."""
    ratio = side / max(image.size)
    if ratio >= 1:
        return image
    return image.resize(
        [max(1, round(length * ratio)) for length in image.size],
        Image.Resampling.BOX if ratio < 0.5 else Image.Resampling.LANCZOS,
    )


def corner(path: FilePath, columns: int, rows: int, size: Size) -> Image.Image:
    """Return the top left `columns` x `rows` images of a grid at full size, as a Pillow image."""
    height, width = sides_of(size)
    with Image.open(str(path)) as grid:
        return grid.crop((0, 0, min(grid.width, columns * width), min(grid.height, rows * height))).convert("RGB")


def grid_diversity(path: FilePath, size: Size, cell_px: int = 8) -> float:
    """Return how much the images of a grid differ from each other: the standard deviation over images, 0 for all alike.

    A rough measure on reduced images, which shows that a generator has collapsed.

    Args:
        path: PNG without gaps, as `save_grid` writes it.
        size: Of one image: the side of a square, or (height, width), px.
    """
    cells = _small_cells(path, size, cell_px)
    return float(cells.reshape(len(cells), -1).std(axis=0).mean())


def grid_likeness(path: FilePath, size: Size, cell_px: int = 8) -> float:
    """Return how much the outlines of a grid's images lie in the same places: 0 at random, 1 for one outline, in any colours.

    It is the mean correlation, over all pairs of images, of where on reduced images neighbouring pixels differ. Fakes of a
    generator that has collapsed often differ in their colours alone, which `grid_diversity` takes for variety.

    Args:
        path, size, cell_px: As for `grid_diversity`; a grid of two images at least.
    """
    cells = _small_cells(path, size, cell_px)
    across = np.abs(np.diff(cells, axis=2)).sum(-1)[:, :-1]
    down = np.abs(np.diff(cells, axis=1)).sum(-1)[:, :, :-1]
    edges = np.sqrt(across**2 + down**2).reshape(len(cells), -1)
    edges = edges - edges.mean(axis=1, keepdims=True)
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    count, total = len(edges), edges.sum(axis=0)
    return float((total @ total - (edges**2).sum()) / (count * (count - 1)))


def _small_cells(path, size, cell_px):
    """Return the images of a grid, reduced: float32 [images, cell_px, cell_px, 3], 0 to 255."""
    height, width = sides_of(size)
    columns, rows = grid_size(size)
    with Image.open(str(path)) as grid:
        columns, rows = min(columns, grid.width // width), min(rows, grid.height // height)
        whole = grid.convert("RGB").crop((0, 0, columns * width, rows * height))
        small = whole.resize((columns * cell_px, rows * cell_px), Image.Resampling.BOX)
    cells = np.asarray(small, np.float32).reshape(rows, cell_px, columns, cell_px, 3).transpose(0, 2, 1, 3, 4)
    return cells.reshape(rows * columns, cell_px, cell_px, 3)


def thinned(items: Sequence[Any], most: int) -> List[Any]:
    """Return at most `most` items, spread evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    picks = np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))
    return [items[int(i)] for i in picks]
