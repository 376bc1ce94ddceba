import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset.display import display, sheet


def test_images_stand_in_order_and_untouched(small_set):
    path, images = small_set
    page = np.asarray(sheet(path, first=3, count=5, columns=2))
    assert page.shape == (4 + 3 * (128 + 14 + 4), 4 + 2 * (128 + 4), 3)
    for place, index in enumerate(range(3, 8)):
        left, top = 4 + place % 2 * 132, 4 + place // 2 * 146
        assert (page[top : top + 128 : 8, left : left + 128 : 8] == images[index]).all()
        caption = page[top + 128 : top + 142, left : left + 128]
        assert (caption > 150).any()  # its number and class
    assert (page[4 + 2 * 146 :, 4 + 132 :] == 40).all()  # no sixth image


def test_a_sheet_ends_with_the_set_and_is_written_as_png(small_set, tmp_path):
    display(small_set[0], tmp_path / "x.png", first=9)
    assert Image.open(str(tmp_path / "x.png")).width == 4 + 2 * 132
    assert not (tmp_path / "x.png.tmp").exists()
    with pytest.raises(UserError, match="has 11(.|\n)*0 to 10"):
        sheet(small_set[0], first=11)
