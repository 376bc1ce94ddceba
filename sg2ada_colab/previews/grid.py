"""Image grids: their size by resolution, which reals fill them, and how pixels become a picture."""

import numpy as np
from PIL import Image

MAX_DRAWS = 1000000  # how many reals are looked at to fill one row a class


def grid_size(resolution):
    """Return (columns, rows) for images of `resolution` px: 32x32 up to 128², 30x16 at 256², 15x8 at 512², 7x4 at 1024²."""
    return int(np.clip(7680 // resolution, 7, 32)), int(np.clip(4320 // resolution, 4, 32))


def make_grid(images, low, high, columns):
    """Tile images row by row without gaps.

    Args:
        images: [N,H,W,C] of any number type; N a multiple of `columns`.
        low, high: The values that become 0 and 255; what lies outside is clipped.

    Returns:
        uint8 [rows·H, columns·W, C], or without the last axis for C = 1.
    """
    n, h, w, c = images.shape
    x = np.asarray(images, np.float32)
    x = np.clip(np.rint((x - np.float32(low)) * np.float32(255.0 / (high - low))), 0, 255).astype(np.uint8)
    x = x.reshape(n // columns, columns, h, w, c).transpose(0, 2, 1, 3, 4).reshape(n // columns * h, columns * w, c)
    return x[:, :, 0] if c == 1 else x


def save_grid(file, images, low, high, columns):
    """Write a grid as PNG, grey or RGB, to a path or a stream; see `make_grid`.

    Packing it harder takes up to four times as long for a seventh less.
    """
    Image.fromarray(make_grid(images, low, high, columns)).save(file, format="PNG", compress_level=1)


def choose_cells(labels, columns, rows):
    """Return for each cell the number of the stream image that fills it, or -1 for a cell that stays empty.

    Without labels these are the first images; with labels each row shows one class, class k in rows k, k + label_size, ….

    Args:
        labels: Iterable of label vectors in the order of the stream, at most MAX_DRAWS of which are looked at.
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
