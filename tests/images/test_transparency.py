"""Transparency: the colours of invisible pixels, resizing, and what is seen over a background."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.images.contact_sheet import small_picture
from sg2ada_colab.images.fit import FitOptions, scale
from sg2ada_colab.images.read import ReadOptions
from sg2ada_colab.images.sheet import tile
from sg2ada_colab.images.source import ArraySource, as_file
from sg2ada_colab.images.transparency import CHECKER_GREYS, checkerboard, filled, over, over_checkerboard, resized, shown_opaque
from tests.oracles.sprites import RUBBISH, sprite


def premultiplied(pixels):
    pixels = np.asarray(pixels).astype(np.float64)
    return np.concatenate([pixels[..., :3] * pixels[..., 3:] / 255, pixels[..., 3:]], axis=2)


def test_visible_pixels_stay_and_invisible_ones_continue_them():
    pixels = np.zeros([16, 24, 4], np.uint8)
    pixels[..., :3] = RUBBISH
    pixels[4:12, 2:5] = (200, 10, 0, 255)
    pixels[4:12, 19:22] = (0, 10, 200, 1)  # nearly invisible, but not quite
    result = filled(pixels)
    visible = pixels[..., 3] > 0
    np.testing.assert_array_equal(result[visible], pixels[visible])
    np.testing.assert_array_equal(result[..., 3], pixels[..., 3])
    assert result[..., 1].max() == 10  # nothing of the rubbish
    assert (result[0, 0, 0] > 150) and (result[0, 0, 2] < 50) and (result[15, 23, 2] > 150) and (result[15, 23, 0] < 50)


@pytest.mark.parametrize("size", [(16, 16), (24, 16), (9, 13)])
def test_what_invisible_pixels_held_makes_no_difference(size):
    draws = np.random.RandomState(0)
    pixels = draws.randint(0, 256, size + (4,)).astype(np.uint8)
    pixels[..., 3] *= draws.randint(0, 2, size).astype(np.uint8)
    other = pixels.copy()
    other[other[..., 3] == 0, :3] = 77
    np.testing.assert_array_equal(filled(pixels), filled(other))
    np.testing.assert_array_equal(filled(filled(pixels)), filled(pixels))


def test_pictures_without_any_or_with_only_invisible_pixels():
    pixels = np.random.RandomState(1).randint(0, 256, [5, 6, 4]).astype(np.uint8)
    pixels[..., 3] = 9
    assert filled(pixels) is pixels
    pixels[..., 3] = 0
    assert (filled(pixels)[..., :3] == 128).all()


def test_resizing_is_that_of_premultiplied_colour():
    """A box filter by halves has a closed form: the means of premultiplied colours, divided by that of alpha."""
    image = sprite(0, 32)
    values = premultiplied(image).reshape(16, 2, 16, 2, 4).mean(axis=(1, 3))
    expected = np.concatenate([values[..., :3] / np.maximum(values[..., 3:] / 255, 1e-9), values[..., 3:]], axis=2)
    result = np.asarray(resized(image, (16, 16), Image.Resampling.BOX))
    visible = np.rint(values[..., 3]) >= 3
    assert np.abs(result[visible] - expected[visible]).max() <= 0.51
    assert np.abs(result[..., 3] - values[..., 3]).max() <= 0.51


@pytest.mark.parametrize("side", [16, 100])
@pytest.mark.parametrize("name", ["lanczos", "bicubic", "box"])
def test_no_size_shows_a_fringe_of_invisible_colour(side, name):
    for number in range(3):
        result = np.asarray(scale(sprite(number), side, FitOptions(filter=name), (255, 255, 255)))
        assert result.shape == (side, side, 4)
        assert result[..., 1].max() <= 2, "green is nowhere but under zero alpha"


@pytest.mark.parametrize("mode", ["pad", "stretch"])
def test_what_is_around_a_padded_picture_is_transparent(mode):
    image = Image.new("RGBA", (20, 10), (200, 0, 0, 255))
    result = np.asarray(scale(image, (16, 16), FitOptions(mode, upscale=True), (255, 255, 255)))
    assert (result[[0, -1], :, 3].max() == 0) == (mode == "pad")
    assert (result[8, :, 3] == 255).all() and (result[..., 0] > 190).all() and (result[..., 1:3] < 5).all()


def test_over_a_background_and_over_a_checkerboard():
    pixels = np.zeros([2, 4, 16, 4], np.uint8)
    pixels[..., 0], pixels[0, ..., 3], pixels[1, ..., 3] = 255, 51, 255
    assert over(pixels, (0, 0, 255))[0, 0, 0].tolist() == [51, 0, 204]
    assert (over(pixels, (0, 0, 255))[1] == (255, 0, 0)).all()
    board = checkerboard(16, 24)
    assert sorted(np.unique(board)) == sorted(CHECKER_GREYS) and board.shape == (16, 24, 3)
    assert board[0, 0, 0] == board[15, 15, 0] == board[0, 23, 0] == CHECKER_GREYS[0] and board[0, 8, 0] == CHECKER_GREYS[1]
    clear = np.zeros([3, 64, 64, 4], np.uint8)
    np.testing.assert_array_equal(over_checkerboard(clear)[2], checkerboard(64, 64))
    rgb = np.zeros([3, 8, 8, 3], np.uint8)
    assert over_checkerboard(rgb) is rgb


def test_people_see_transparency_on_sheets():
    picture = Image.new("RGBA", (64, 64), RUBBISH + (0,))
    for shown in (np.asarray(tile(np.asarray(picture), 64)), np.asarray(shown_opaque(picture))):
        np.testing.assert_array_equal(shown, checkerboard(64, 64))
    source = ArraySource("memory", ["a"], [0], lambda _: np.asarray(picture))
    small = small_picture(source, 0, ReadOptions(channels=4), 64)
    np.testing.assert_array_equal(small, checkerboard(64, 64))
    assert (small_picture(source, 0, ReadOptions(), 64) == 255).all()  # flattened, as it will be


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_as_files_hold_the_same_pixels(channels):
    import io

    pixels = np.random.RandomState(2).randint(0, 256, [3, 5, channels]).astype(np.uint8)
    with Image.open(io.BytesIO(as_file(pixels))) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)
