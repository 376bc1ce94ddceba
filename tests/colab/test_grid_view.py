"""The first images of a grid, large enough to be seen."""

import io

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.colab.grid_view import enlarged, excerpt_jpeg, excerpt_size
from sg2ada_colab.previews.grid import grid_size, save_grid
from tests.oracles.forms import FORMS, picture_shape


@pytest.mark.parametrize(
    "resolution", [8, 32, 64, 128, 256, 512, 1024, (512, 64), (64, 512), (144, 256), (1536, 768), (256, 2048)]
)
def test_an_excerpt_is_part_of_every_grid_and_shows_each_image_at_50_px_or_more(resolution):
    columns, rows = excerpt_size(resolution)
    whole = grid_size(resolution)
    assert columns <= whole[0] and rows <= whole[1] and 640 // columns >= 50


def test_the_first_images_are_shown_and_no_others(tmp_path):
    cells = np.full([32 * 32, 32, 32, 3], 255, np.uint8)
    shown = [row * 32 + column for row in range(8) for column in range(12)]
    cells[shown] = np.linspace(0, 100, len(shown))[:, None, None, None]
    save_grid(tmp_path / "grid.png", cells, 0, 255, 32)
    image = np.asarray(Image.open(io.BytesIO(excerpt_jpeg(tmp_path / "grid.png", 32, 1280, 200000))))
    assert image.shape == (512, 768, 3)
    middles = image[32::64, 32::64].astype(int)
    assert middles.max() <= 104, "no image of the rest of the grid"
    assert np.abs(middles[..., 0].ravel() - np.linspace(0, 100, 96)).max() <= 4, "in their order"


@pytest.mark.parametrize("form", FORMS)
def test_each_cell_of_an_excerpt_is_a_picture_of_the_form(tmp_path, form):
    height, width, channels = picture_shape(form)
    columns, rows = grid_size((height, width))
    cells = np.zeros([columns * rows, height, width, channels], np.uint8)
    cells[..., 3:] = 255
    cells[:, : height // 2] = 200  # the upper half of each picture is bright
    save_grid(tmp_path / "grid.png", cells, 0, 255, columns)
    image = np.asarray(Image.open(io.BytesIO(excerpt_jpeg(tmp_path / "grid.png", (height, width), 1280, 200000))))
    factor = image.shape[1] // (12 * width)
    assert image.shape == (8 * height * factor, 12 * width * factor, 3)
    brightness = image[..., 1].reshape(8, 2, -1).mean(axis=2)
    assert (brightness[:, 0] > 180).all() and (brightness[:, 1] < 20).all()


def test_large_images_are_shrunk_to_the_limits(tmp_path):
    small = np.random.RandomState(0).randint(0, 256, [64, 112, 3]).astype(np.uint8)
    Image.fromarray(small).resize((7 * 1024, 4 * 1024), Image.BICUBIC).save(str(tmp_path / "grid.png"), compress_level=1)
    jpeg = excerpt_jpeg(tmp_path / "grid.png", 1024, 1280, 200000)
    assert len(jpeg) <= 200000 and Image.open(io.BytesIO(jpeg)).width > 900


def test_small_pictures_are_enlarged_by_whole_factors():
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    large = enlarged(image, 10)
    assert large.size == (12, 12) and (np.asarray(large)[::3, ::3] == np.asarray(image)).all()
    assert enlarged(large, 12) is large
