"""Sheets of many pictures: a grid of files without gaps, and a row for each class; `images.sheet` has the cells with captions."""

import math
import re
from typing import Iterable, Optional, Tuple

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UserError
from ..images.sheet import load_font
from ..images.transparency import over_checkerboard

MOST_SIDE_PX = 32000
MARGIN_PX = 36  # for the numbers of classes


def parse_grid(text: Optional[str], count: int) -> Tuple[int, int]:
    """Return (columns, rows) of a grid for `count` pictures: of "4x2", or nearly square for "" or None.

    Raises:
        UserError: It is something else, or too small.
    """
    if not text:
        columns = math.ceil(math.sqrt(count))
        return columns, -(-count // columns)
    match = re.match(r"(\d{1,5})x(\d{1,5})$", str(text).replace(" ", "").lower())
    columns, rows = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if columns * rows < count:
        raise UserError(f"The grid {text!r} does not hold {count} pictures.", "columns x rows, such as 4x2, for all of them",
                        "write a larger one, or --grid alone")  # fmt: skip
    return columns, rows


def check_side(columns: int, rows: int, width: int, height: int) -> None:
    """Raise a UserError for a sheet that no program would open."""
    if max(columns * width, rows * height) > MOST_SIDE_PX:
        raise UserError(f"A grid of {columns} x {rows} pictures would be {columns * width} x {rows * height} px.",
                        f"at most {MOST_SIDE_PX} px a side", "make a grid of fewer pictures")  # fmt: skip


def grid_of(pictures: Iterable[Image.Image], columns: int, rows: int) -> Image.Image:
    """Return Pillow images of one size as one, row by row without gaps; cells that are left stay white, of RGBA transparent.

    Args:
        pictures: Iterable of Pillow images; one is held at a time.
    """
    sheet = None
    for number, picture in enumerate(pictures):
        if sheet is None:
            width, height = picture.size
            check_side(columns, rows, width, height)
            white = 255 if picture.mode == "L" else (255, 255, 255, 0)[: len(picture.getbands())]
            sheet = Image.new(picture.mode, (columns * width, rows * height), white)
        with picture:  # a file is closed again
            sheet.paste(picture, (number % columns * width, number // columns * height))
    assert sheet is not None, "no pictures"
    return sheet


def class_sheet(rows_of_images: Iterable[np.ndarray], numbers: Iterable[int]) -> Image.Image:
    """Return a sheet with a row of images for each class, its number on the left; large ones are shrunk to what a file holds.

    RGBA is shown over a checkerboard.

    Args:
        rows_of_images: Iterable of uint8 [columns, H, W, C].
        numbers: Of the classes.
    """
    numbers, sheet = list(numbers), None
    for row, images in enumerate(rows_of_images):
        if sheet is None:
            side = min(
                1.0, MOST_SIDE_PX / (len(numbers) * images.shape[1]), (MOST_SIDE_PX - MARGIN_PX) / (len(images) * images.shape[2])
            )
            width, height = max(1, int(images.shape[2] * side)), max(1, int(images.shape[1] * side))
            sheet = Image.new("RGB", (MARGIN_PX + len(images) * width, len(numbers) * height), "white")
            draw, font = ImageDraw.Draw(sheet), load_font(max(8, min(16, height)))
        line = np.concatenate(list(over_checkerboard(images)), axis=1)
        strip = Image.fromarray(line[:, :, 0] if line.shape[2] == 1 else line).convert("RGB")
        sheet.paste(strip.resize((len(images) * width, height), Image.Resampling.BOX), (MARGIN_PX, row * height))
        draw.text((4, row * height + max(0, height // 2 - 8)), str(numbers[row]), fill="black", font=font)
    assert sheet is not None, "no classes"
    return sheet
