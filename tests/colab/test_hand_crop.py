"""A square cut by hand: previewed, kept beside the datasets, used by the next conversion, and forgotten again."""

import numpy as np
import pytest
from PIL import Image

import sg2ada_colab as sg2
from sg2ada_colab.colab import datasets, find_images, hand_crop
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.errors import UserError


@pytest.fixture
def wide(home, monkeypatch):
    """A folder with one wide image, red on the left and blue on the right."""
    monkeypatch.setattr(find_images, "_list", {})
    pixels = np.zeros([32, 96, 3], np.uint8)
    pixels[:, :32, 0], pixels[:, 64:, 2] = 255, 255
    (home / "photos").mkdir()
    Image.fromarray(pixels).save(str(home / "photos" / "wide.png"))
    Image.fromarray(pixels[:, :32]).save(str(home / "photos" / "other.png"))
    return home / "photos"


def colours(path):
    data = open_dataset(path)
    return sorted(tuple(int(value) for value in image.mean((0, 1)).round()) for image in data.read(range(len(data))))


def test_a_square_that_is_kept_is_what_the_dataset_has(wide, capsys):
    path = sg2.prepare_dataset(str(wide), "", 32, workers=1)
    assert colours(path) == [(0, 0, 0), (255, 0, 0)], "the middle of the wide one is black"
    assert sg2.crop_image(str(wide), "wide.png", across=100) == (64, 0, 96, 32)
    assert colours(sg2.prepare_dataset(str(wide), "", 32, workers=1)) == [(0, 0, 0), (255, 0, 0)], "it was not kept"
    sg2.crop_image(str(wide), "wide.png", across=100, keep=True)
    capsys.readouterr()
    assert colours(sg2.prepare_dataset(str(wide), "", 32, workers=1)) == [(0, 0, 255), (255, 0, 0)]
    assert "cut by hand: other squares before, 1 image now" in capsys.readouterr().out
    sg2.crop_image(str(wide), "wide.png", remove=True)
    assert colours(sg2.prepare_dataset(str(wide), "", 32, workers=1)) == [(0, 0, 0), (255, 0, 0)]


def test_the_preview_takes_it_too(wide):
    sg2.crop_image(str(wide), "wide.png", size=50, keep=True)
    report = sg2.preview_dataset(str(wide), 32)
    assert ("wide.png", "left out", "96 x 32 is too small for 32 pixels") in report.problems
    assert datasets.crops_file(str(wide)).endswith("datasets/photos.crops.json")


def test_the_name_may_be_the_end_of_one_name_only(wide):
    assert sg2.crop_image(str(wide), "…e.png") == (32, 0, 64, 32)
    with pytest.raises(UserError, match="2 images have names that end in .png.") as error:
        sg2.crop_image(str(wide), ".png")
    assert "other.png, wide.png" in error.value.expected
    with pytest.raises(UserError, match="No image is called cat"):
        sg2.crop_image(str(wide), "cat")
    assert sg2.crop_image(str(wide)) is None


def test_numbers_that_cannot_be_are_refused(wide):
    with pytest.raises(UserError, match="size is 0") as error:
        sg2.crop_image(str(wide), "wide.png", size=0)
    assert "a number from 1 to 100, in percent" in error.value.expected


def test_the_picture_shows_the_cut_and_the_square(wide, monkeypatch):
    shown = []
    monkeypatch.setattr(hand_crop, "show", lambda content, plain: shown.append((content, plain)))
    sg2.crop_image(str(wide), "wide.png", across=0)
    content, plain = shown[0]
    assert plain == "wide.png: a square of 32 px, from 0 px left and 0 px down." and "data:image/jpeg" in content
