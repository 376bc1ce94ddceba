"""Look at a data set: its images on one sheet, with their numbers, as a PNG file, because a notebook has no window."""

import os

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UserError
from .disk import reporting
from .reading import open_dataset
from .tools import to_image

_CELL_PX, _GAP_PX, _CAPTION_PX = 128, 4, 14


def sheet(path, first=0, count=60, columns=10):
    """Return an RGB Pillow image with `count` images of a data set from number `first` on, as many as there are.

    Each has its number below it, and its class where the labels are one-hot. Small images are enlarged without smoothing.

    Raises:
        UserError: No data set, or `first` beyond its end.
    """
    data = open_dataset(path)
    if not 0 <= first < len(data) or count < 1:
        raise UserError(
            "{} images from number {} on, of {}".format(count, first, len(data)),
            "a number from 0 to {}, and at least one image".format(len(data) - 1),
            "change --first or --count",
        )
    rows = np.arange(first, min(first + count, len(data)))
    columns = min(columns, len(rows))
    across, down = _CELL_PX + _GAP_PX, _CELL_PX + _CAPTION_PX + _GAP_PX
    page = Image.new("RGB", (columns * across + _GAP_PX, -(-len(rows) // columns) * down + _GAP_PX), (40, 40, 40))
    draw = ImageDraw.Draw(page)
    resample = Image.Resampling.NEAREST if data.resolution <= _CELL_PX else Image.Resampling.LANCZOS
    for place, index in enumerate(rows):
        left, top = _GAP_PX + place % columns * across, _GAP_PX + place // columns * down
        page.paste(to_image(data.read([index])[0]).convert("RGB").resize((_CELL_PX, _CELL_PX), resample), (left, top))
        draw.text((left, top + _CELL_PX + 1), _caption(data, index), fill=(230, 230, 230))
    return page


def _caption(data, index):
    row = data.labels[index]
    one_hot = len(row) and ((row == 0) | (row == 1)).all() and row.sum() == 1
    return "{}{}".format(index, " class {}".format(int(row.argmax())) if one_hot else "")


def display(path, file, first=0, count=60, columns=10):
    """Write the sheet of a data set's images as a PNG file; arguments as for `sheet`."""
    page = sheet(path, first, count, columns)
    with reporting(file):
        page.save(str(file) + ".tmp", "PNG")
        os.replace(str(file) + ".tmp", str(file))
