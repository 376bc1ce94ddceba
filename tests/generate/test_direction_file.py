"""The file of named directions: there and back, adding, renaming, files that are none."""

import json

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.direction_file import (
    add_directions,
    find_direction,
    read_directions,
    rename_direction,
)
from sg2ada_colab.generate.directions import Direction
from sg2ada_colab.generate.generator import TrainedGenerator
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot().Gs, title="a.pkl", xla=False)


def some(*names):
    return [
        Direction(name, np.full(4, number, np.float32), (0, 1) if number else None, "pca") for number, name in enumerate(names)
    ]


def test_there_and_back_and_added_to(tmp_path, generator):
    path = tmp_path / "ways.npz"
    add_directions(path, some("a", "b"), generator)
    add_directions(path, some("b", "c"), generator)
    found, same = read_directions(path, generator)
    assert same and [one.name for one in found] == ["a", "b", "c"]
    assert [list(one.vector) for one in found] == [[0] * 4, [0] * 4, [1] * 4]  # the new b in place of the old one
    assert found[2].layers == (0, 1) and found[1].layers is None and found[0].origin == "pca"
    rename_direction(path, "c", "more stripes")
    assert [one.name for one in read_directions(path, generator)[0]] == ["a", "b", "more stripes"]
    with pytest.raises(UserError, match="already has a direction 'a'"):
        rename_direction(path, "b", "a")
    with pytest.raises(UserError, match="has no direction 'z'"):
        find_direction(found, "z", path)
    relative = TrainedGenerator(small_snapshot(1).Gs, xla=False)
    assert not read_directions(path, relative)[1]
    add_directions(path, some("d"), relative)
    assert not read_directions(path, relative)[1] and not read_directions(path, generator)[1], "they are of two networks"
    with pytest.raises(UserError, match="directions for 6 layers of 4 numbers"):
        read_directions(path, TrainedGenerator(small_snapshot(resolution=32).Gs, xla=False))


def about(**changes):
    rows = [{"name": "a", "layers": None, "origin": ""}]
    return dict(
        {"format": "sg2ada_colab directions", "version": 1, "network": "", "num_layers": 6, "directions": rows}, **changes
    )


@pytest.mark.parametrize(
    "changes, vectors",
    [
        ({"format": "x"}, np.zeros([1, 4], np.float32)),
        ({"directions": [{"name": "a/b", "layers": None, "origin": ""}]}, np.zeros([1, 4], np.float32)),
        ({"directions": [{"name": "a", "layers": [6], "origin": ""}]}, np.zeros([1, 4], np.float32)),
        ({"directions": [{"name": "a"}]}, np.zeros([1, 4], np.float32)),
        ({"directions": 3}, np.zeros([1, 4], np.float32)),
        ({}, np.zeros([2, 4], np.float32)),
        ({}, np.full([1, 4], np.nan, np.float32)),
        ({}, np.zeros([1, 4])),
    ],
)
def test_files_that_are_none(tmp_path, generator, changes, vectors):
    path = str(tmp_path / "ways.npz")
    np.savez(path, about=np.array(json.dumps(about(**changes))), vectors=vectors)
    with pytest.raises(UserError) as refused:
        read_directions(path, generator)
    assert "is not a file of directions" in refused.value.what or "cannot be the name" in refused.value.what


def test_what_is_no_npz(tmp_path, generator):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="is not a file of directions"):
        read_directions(tmp_path / "text.npz", generator)
    with pytest.raises(UserError, match="There is no file"):
        read_directions(tmp_path / "gone.npz", generator)
    add_directions(tmp_path / "a.npz", some("a"), generator)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="is not a file of directions"):
        read_directions(tmp_path / "cut.npz", generator)
