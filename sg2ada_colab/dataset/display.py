"""Show a dataset: its images on one sheet, with their numbers, as a PNG file, because a notebook has no window."""

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, atomic_path
from ..images.sheet import Sheet, SheetStyle, tile
from .disk import reporting
from .reading import open_dataset

_CELL_PX, _GAP_PX, _CAPTION_PX = 128, 4, 14


def sheet(path: FilePath, first: int = 0, count: int = 60, columns: int = 10) -> Image.Image:
    """Return an RGB Pillow image with `count` images of a dataset from number `first` on, as many as there are.

    Each has its number below it, and its class where the labels are one-hot. Small images are enlarged without smoothing.

    Raises:
        UserError: No dataset, or `first` beyond its end.
    """
    data = open_dataset(path)
    if not 0 <= first < len(data) or count < 1:
        raise UserError(
            f"{count} images from number {first} on cannot be shown: the dataset has {len(data)}",
            f"a number from 0 to {len(data) - 1}, and at least one image",
            "change --first or --count",
        )
    rows = np.arange(first, min(first + count, len(data)))
    columns = min(columns, len(rows))
    page = Sheet(columns, -(-len(rows) // columns), (_CELL_PX, _CELL_PX), SheetStyle(_GAP_PX, _CAPTION_PX))
    for place, index in enumerate(rows):
        page.put(place, tile(data.read([int(index)])[0], _CELL_PX), _caption(data, index))
    return page.image


def _caption(data, index):
    row = data.labels[index]
    one_hot = len(row) and ((row == 0) | (row == 1)).all() and row.sum() == 1
    return "{}{}".format(index, f" class {int(row.argmax())}" if one_hot else "")


def display(path: FilePath, file: FilePath, first: int = 0, count: int = 60, columns: int = 10) -> None:
    """Write the sheet of a dataset's images as a PNG file; arguments as for `sheet`."""
    page = sheet(path, first, count, columns)
    with reporting(file), atomic_path(file) as temporary:
        page.save(temporary, "PNG")
