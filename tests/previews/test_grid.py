"""Grids against reference pictures, sizes and fillings."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.previews.grid import choose_cells, grid_size, make_grid, save_grid

DATA = np.load(str(Path(__file__).parents[1] / "data" / "image_grid.npz"))
PARAMS = json.loads(str(DATA["params"]))


@pytest.mark.parametrize("name", [n for n in PARAMS if "drange" in PARAMS[n]])
def test_picture_matches_reference(name, tmp_path):
    p = PARAMS[name]
    images = DATA[name + ".images"].transpose(0, 2, 3, 1)
    grid = make_grid(images, p["drange"][0], p["drange"][1], p["columns"])
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid, DATA[name + ".grid"])
    save_grid(tmp_path / "grid.png", images, p["drange"][0], p["drange"][1], p["columns"])
    with Image.open(str(tmp_path / "grid.png")) as picture:
        assert picture.mode == p["mode"]
        np.testing.assert_array_equal(np.asarray(picture), DATA[name + ".grid"])


@pytest.mark.parametrize("resolution", sorted(PARAMS["grid_size_columns_rows"], key=int))
def test_size_matches_reference(resolution):
    assert list(grid_size(int(resolution))) == PARAMS["grid_size_columns_rows"][resolution]


@pytest.mark.parametrize("name", [n for n in PARAMS if n.startswith("cond_")])
def test_one_class_a_row(name):
    p, labels = PARAMS[name], DATA[name + ".stream_labels"]
    stream = (labels[k % len(labels)] for k in range(5000))
    cells = choose_cells(stream, p["columns"], p["rows"])
    expected = DATA[name + ".grid_stream_index"]
    np.testing.assert_array_equal(np.maximum(cells, 0), expected)
    chosen = np.where(cells[:, None] >= 0, labels[np.maximum(cells, 0) % len(labels)], 0)
    np.testing.assert_array_equal(chosen, DATA[name + ".grid_labels"])


def test_without_labels_the_first_images_fill_the_grid():
    assert choose_cells(iter(np.zeros([100, 0])), 5, 4).tolist() == list(range(20))
