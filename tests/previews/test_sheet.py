"""Grids and sheets of classes."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.previews.sheet import class_sheet, grid_of, parse_grid


def test_the_size_of_a_grid():
    assert parse_grid("4x2", 8) == (4, 2) and parse_grid(" 3 X 3 ", 7) == (3, 3)
    assert parse_grid("", 5) == (3, 2) and parse_grid(None, 16) == (4, 4) and parse_grid("", 1) == (1, 1)
    for text in ("4x1", "4", "x", "-1x-8", "4x2x2"):
        with pytest.raises(UserError, match="does not hold 8 pictures"):
            parse_grid(text, 8)


@pytest.mark.parametrize("mode, white", [("L", 255), ("RGB", (255, 255, 255)), ("RGBA", (255, 255, 255, 0))])
def test_a_grid_row_by_row(mode, white):
    black = 0 if mode == "L" else (0, 0, 0) if mode == "RGB" else (0, 0, 0, 255)
    sheet = grid_of((Image.new(mode, (5, 4), black) for _ in range(3)), 2, 2)
    assert sheet.size == (10, 8) and sheet.mode == mode
    assert [sheet.getpixel(at) for at in ((0, 0), (9, 0), (0, 7), (9, 7))] == [black, black, black, white]


def test_a_grid_that_nothing_opens_is_refused():
    with pytest.raises(UserError, match="would be 40000 x 40 px"):
        grid_of([Image.new("L", (40, 40))], 1000, 1)


def test_a_sheet_has_a_row_for_each_class():
    rows = [np.full([2, 20, 10, 1], value, np.uint8) for value in (50, 100, 150)]
    sheet = class_sheet(iter(rows), [0, 1, 2])
    assert sheet.size == (36 + 20, 60)
    assert [sheet.getpixel((40, y)) for y in (5, 25, 45)] == [(value,) * 3 for value in (50, 100, 150)]
    assert np.asarray(sheet.convert("L"))[20:40, :36].min() < 128, "its number stands beside it"


def test_a_large_sheet_is_shrunk():
    sheet = class_sheet((np.zeros([1, 100, 100, 3], np.uint8) for _ in range(400)), range(400))
    assert sheet.size == (36 + 80, 400 * 80)
