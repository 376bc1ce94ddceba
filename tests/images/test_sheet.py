"""Sheets and tiles: where a cell lies, what is enlarged without smoothing."""

import numpy as np
from PIL import Image

from sg2ada_colab.images.sheet import PAPER, Sheet, SheetStyle, load_font, tile


def test_a_cell_lies_in_its_row_and_column_with_the_picture_in_its_middle():
    sheet = Sheet(3, 2, (20, 10), SheetStyle(gap_px=4, caption_px=12))
    assert sheet.image.size == (3 * 24 + 4, 2 * 26 + 4)
    sheet.put(4, Image.new("RGB", (10, 10), "red"), "12")
    pixels = np.asarray(sheet.image)
    red = np.argwhere((pixels == (255, 0, 0)).all(-1))
    assert red.min(0).tolist() == [4 + 26, 4 + 24 + 5] and len(red) == 100
    assert (pixels[:26] == PAPER).all(), "the first row is empty"
    band = pixels[30 + 10 : 30 + 10 + 12]
    assert (band[:, 28:48] != PAPER).any() and (band[:, :24] == PAPER).all(), "its caption, below it alone"


def test_tiles_are_square_rgb_and_small_ones_keep_their_pixels():
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4, 1) * 10
    large = np.asarray(tile(pixels, 8))
    assert (
        large.shape == (8, 8, 3)
        and (large[::2, ::2, 0] == pixels[:, :, 0]).all()
        and (large[1::2, 1::2, 2] == pixels[:, :, 0]).all()
    )
    assert tile(np.full((64, 64, 4), 9, np.uint8), 16).size == (16, 16)
    assert load_font(12) is not None


def test_a_head_stands_above_its_column_and_moves_the_cells_down():
    sheet = Sheet(2, 1, (40, 10), SheetStyle(gap_px=4, head_px=20))
    assert sheet.image.size == (2 * 44 + 4, 20 + 14 + 4)
    sheet.head(1, "ab")
    sheet.put(0, Image.new("RGB", (40, 10), "red"))
    pixels = np.asarray(sheet.image)
    written = np.argwhere((pixels[:24] != PAPER).any(-1))
    assert len(written) and written[:, 1].min() >= 48
    assert np.argwhere((pixels == (255, 0, 0)).all(-1)).min(0).tolist() == [24, 4]
