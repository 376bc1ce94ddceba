"""Small JPEGs of large grids, and how varied a grid is."""

import io

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.previews.grid import save_grid
from sg2ada_colab.previews.timeline import as_jpeg, grid_diversity, grid_likeness, shrunk, thinned


def noise(width, height, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, [height, width, 3]).astype(np.uint8))


@pytest.mark.parametrize("max_bytes", [200000, 60000, 9000])
def test_even_noise_fits_into_the_bytes_allowed(max_bytes):
    data = as_jpeg(noise(1500, 900), 1280, max_bytes)
    image = Image.open(io.BytesIO(data))
    assert len(data) <= max_bytes and image.format == "JPEG"
    assert image.width / image.height == pytest.approx(1500 / 900, rel=0.03)


def test_a_small_picture_keeps_its_size_and_a_large_one_the_limit(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("L", (40, 30), 77).save(str(path))
    assert Image.open(io.BytesIO(as_jpeg(path))).size == (40, 30)
    assert Image.open(io.BytesIO(as_jpeg(Image.new("RGB", (4000, 2000)), 640))).size == (640, 320)
    assert shrunk(Image.new("RGB", (10, 10)), 20).size == (10, 10)


def test_a_file_that_is_being_written_is_an_os_error(tmp_path):
    path = tmp_path / "fakes000001.png"
    noise(64, 64).save(str(path))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OSError):
        as_jpeg(path)


@pytest.mark.parametrize("height, width", [(8, 8), (12, 8), (8, 12)])
def test_spread_is_zero_for_one_image_over_and_over_and_falls_as_images_become_alike(tmp_path, height, width):
    random = np.random.RandomState(1)
    colours = np.repeat(np.repeat(random.randint(0, 256, [32 * 32, 1, 1, 3]), height, 1), width, 2)
    paths = []
    for share in (1.0, 0.25, 0.0):
        paths.append(tmp_path / f"{share}.png")
        save_grid(paths[-1], 128 + share * (colours - 128), 0, 255, 32)
    spreads = [grid_diversity(path, (height, width)) for path in paths]
    oracle = colours.reshape(1024, -1).astype(float).std(axis=0).mean()
    assert spreads[0] == pytest.approx(oracle, rel=0.01)
    assert spreads[1] == pytest.approx(0.25 * oracle, rel=0.02) and spreads[2] == 0


@pytest.mark.parametrize("height, width", [(16, 16), (24, 16), (16, 24)])
def test_likeness_is_one_for_one_outline_in_any_colours_and_none_for_outlines_anywhere(tmp_path, height, width):
    random = np.random.RandomState(1)
    colours = random.randint(0, 256, [32 * 32, 2, 1, 1, 3])
    same = np.zeros([1024, height, width, 1], bool)
    same[:, height // 4 : height // 2, width // 4 : width // 2] = True
    blocks = random.rand(1024, 8, 8, 1) < 0.5
    anywhere = np.repeat(np.repeat(blocks, height // 8, 1), width // 8, 2)
    found = []
    for name, inside in (("same", same), ("anywhere", anywhere)):
        path = tmp_path / f"{name}.png"
        save_grid(path, np.where(inside, colours[:, 0], colours[:, 1]), 0, 255, 32)
        found.append(grid_likeness(path, (height, width)))
    pairs = [np.corrcoef(one, other)[0, 1] for one, other in _pairs_of_edges(tmp_path / "anywhere.png", height, width)]
    assert found[0] == pytest.approx(1, abs=0.02) and abs(found[1]) < 0.1
    assert found[1] == pytest.approx(np.mean(pairs), abs=0.03)


def _pairs_of_edges(path, height, width, count=400):
    """Yield pairs of images of a grid of 32 columns, as the strength of their edges, computed one by one."""
    random = np.random.RandomState(2)
    with Image.open(str(path)) as grid:
        grid = grid.convert("RGB")
        for _ in range(count):
            one, other = random.choice(1024, 2, replace=False)
            pair = []
            for index in (one, other):
                left, top = index % 32 * width, index // 32 * height
                cell = grid.crop((left, top, left + width, top + height)).resize((8, 8), Image.Resampling.BOX)
                pixels = np.asarray(cell, float)
                across, down = np.abs(pixels[:-1, 1:] - pixels[:-1, :-1]), np.abs(pixels[1:, :-1] - pixels[:-1, :-1])
                pair.append(np.hypot(across.sum(-1), down.sum(-1)).ravel())
            yield pair


def test_thinned_keeps_both_ends():
    assert thinned(range(5), 8) == [0, 1, 2, 3, 4]
    assert thinned(list(range(100)), 4) == [0, 33, 66, 99]
