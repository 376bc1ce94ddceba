"""Image grids: their size by resolution, which reals fill them, and how they are drawn."""

from typing import BinaryIO, Iterable, Tuple, Union

import numpy as np
from PIL import Image

from ..files import FilePath
from ..images.transparency import over_checkerboard
from ..shape import Size, sides_of

MAX_DRAWS = 1000000  # at most this many reals are searched to fill one row per class


def grid_size(size: Size) -> Tuple[int, int]:
    """Return (columns, rows) for images of a size, px: the side of a square, or (height, width).

    32x32 up to 128², 30x16 at 256², 15x8 at 512², 7x4 at 1024².
    """
    height, width = sides_of(size)
    return int(np.clip(7680 // width, 7, 32)), int(np.clip(4320 // height, 4, 32))


def make_grid(images: np.ndarray, low: float, high: float, columns: int) -> np.ndarray:
    """Tile images row by row without gaps; RGBA is shown over a checkerboard.

    Args:
        images: [N,H,W,C] of any number type, C = 1, 3 or 4; N a multiple of `columns`.
        low, high: The values that become 0 and 255; what lies outside is clipped.

    Returns:
        uint8 [rows·H, columns·W, 3], or [rows·H, columns·W] for C = 1.
    """
    x = np.asarray(images, np.float32)
    x = np.clip(np.rint((x - np.float32(low)) * np.float32(255.0 / (high - low))), 0, 255).astype(np.uint8)
    x = over_checkerboard(x)
    n, h, w, c = x.shape
    x = x.reshape(n // columns, columns, h, w, c).transpose(0, 2, 1, 3, 4).reshape(n // columns * h, columns * w, c)
    return x[:, :, 0] if c == 1 else x


def save_grid(file: Union[FilePath, BinaryIO], images: np.ndarray, low: float, high: float, columns: int) -> None:
    """Write a grid as PNG, grey or RGB, to a path or a stream; see `make_grid`.

    Higher compression takes up to four times as long for a file a seventh smaller.
    """
    Image.fromarray(make_grid(images, low, high, columns)).save(file, format="PNG", compress_level=1)


def choose_cells(labels: Iterable[np.ndarray], columns: int, rows: int) -> np.ndarray:
    """Return for each cell the number of the stream image that fills it, or -1 for a cell that stays empty.

    Without labels these are the first images; with labels each row shows one class, class k in rows k, k + label_size, ….

    Args:
        labels: Iterable of label vectors in the order of the stream, of which at most MAX_DRAWS are searched.
    """
    cells = np.full(columns * rows, -1, np.int64)
    labels = iter(labels)
    filled = np.zeros(rows, np.int64)
    for number in range(MAX_DRAWS):
        label = next(labels, None)
        if label is None or filled.sum() == columns * rows:
            break
        classes = len(label)
        row = int(np.argmax(label)) if classes else number // columns
        while classes and row < rows and filled[row] == columns:
            row += classes
        if row < rows:
            cells[row * columns + filled[row]] = number
            filled[row] += 1
    return cells
