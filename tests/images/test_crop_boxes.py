"""Boxes cut by hand: where the square lies, and the file that keeps it."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.images.crop_boxes import keep_box, read_boxes, square_box
from sg2ada_colab.images.fit import FitOptions, regions


@pytest.mark.parametrize(
    "numbers, box",
    [
        ((50, 50, 100), (100, 0, 200, 100)), ((0, 50, 100), (0, 0, 100, 100)), ((100, 0, 100), (200, 0, 300, 100)),
        ((50, 50, 50), (125, 25, 175, 75)), ((90, 90, 20), (260, 80, 280, 100)), ((33, 40, 1), (98, 40, 99, 41)),
    ],
)  # fmt: skip
def test_a_square_lies_where_it_is_asked_for_and_never_outside(numbers, box):
    assert square_box(300, 100, *numbers) == box


@pytest.mark.parametrize("numbers, name", [((-1, 0, 50), "across"), ((0, 101, 50), "down"), ((0, 0, 0.5), "size")])
def test_numbers_outside_are_refused(numbers, name):
    with pytest.raises(UserError, match=f"{name} is "):
        square_box(300, 100, *numbers)


def test_boxes_are_kept_changed_and_forgotten(tmp_path):
    path = str(tmp_path / "photos.crops.json")
    keep_box(path, "ä.jpg", (0, 0, 8, 8))
    keep_box(path, "b.jpg", (1, 1, 9, 9))
    assert keep_box(path, "ä.jpg", (2, 2, 4, 4)) == read_boxes(path) == {"b.jpg": (1, 1, 9, 9), "ä.jpg": (2, 2, 4, 4)}
    assert keep_box(path, "b.jpg", None) == read_boxes(path) == {"ä.jpg": (2, 2, 4, 4)}
    assert keep_box(path, "never there", None) == {"ä.jpg": (2, 2, 4, 4)}


@pytest.mark.parametrize("mode", ["crop", "pad", "stretch"])
def test_an_image_with_a_box_of_its_own_is_cut_there_and_the_others_as_ever(mode):
    options = FitOptions(mode, boxes={"a": (10, 0, 42, 32)})
    assert regions("a", 96, 32, 32, options) == ([(10, 0, 42, 32)], None)
    assert regions("b", 96, 32, 32, options) == regions("b", 96, 32, 32, FitOptions(mode))
    assert regions("a", 30, 30, 16, options) == ([], "its crop box [10, 0, 42, 32] is not inside 30 x 30")
    assert regions("a", 96, 32, 64, options)[1] == "96 x 32 is too small for 64 pixels"
