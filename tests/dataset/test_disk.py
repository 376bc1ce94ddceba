"""Folders that are complete or not there: what lies under their partial name is ours, or is left alone."""

import os

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset import prepare
from sg2ada_colab.dataset.classic.packing import unpack
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.disk import files_below, new_folder
from sg2ada_colab.dataset.tools import extract


@pytest.fixture(params=["prepare", "extract", "unpack", "export"])
def write(request, small_set, make_folder):
    """Return a function that writes a folder."""
    source = make_folder(np.zeros((3, 8, 8, 3), np.uint8), folder="source")
    return {
        "prepare": lambda target: prepare(source, target, progress=False),
        "extract": lambda target: extract(small_set[0], target, progress=False),
        "unpack": lambda target: unpack(small_set[0], target, progress=False),
        "export": lambda target: export(small_set[0], target, progress=False),
    }[request.param]


@pytest.mark.parametrize("kind", ["folder", "link", "file", "link to the lock"])
def test_what_somebody_keeps_under_the_partial_name_is_left_alone(tmp_path, write, kind):
    mine, partial = tmp_path / "mine", tmp_path / "out.partial"
    mine.mkdir()
    (mine / "photo.png").write_bytes(b"precious")
    if kind == "folder":
        mine.rename(partial)
    elif kind == "link":
        os.symlink(str(mine), str(partial))
    elif kind == "file":
        partial.write_bytes(b"precious")
    else:
        partial.mkdir()
        os.symlink(str(mine / "photo.png"), str(partial / "lock"))
    with pytest.raises(UserError, match="out.partial exists already and holds other files"):
        write(tmp_path / "out")
    kept = partial if kind == "file" else (partial if kind == "folder" else mine) / "photo.png"
    assert kept.read_bytes() == b"precious" and not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_written_anew(tmp_path, write):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "lock").touch()
    (tmp_path / "out.partial" / "half.png").write_bytes(b"x")
    write(tmp_path / "out")
    assert not (tmp_path / "out.partial").exists()
    assert not {"lock", "half.png"} & set(os.listdir(str(tmp_path / "out")))


def test_a_folder_that_fails_stays_known_as_ours(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out") as folder:
            (folder / "a").touch()
            raise ZeroDivisionError
    assert sorted(os.listdir(str(tmp_path / "out.partial"))) == ["a", "lock"]


def test_files_below_are_the_plain_ones_however_deep(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x").touch()
    (tmp_path / "y").touch()
    os.mkfifo(str(tmp_path / "pipe"))
    os.symlink(str(deep), str(tmp_path / "link"))
    assert files_below(tmp_path) == [deep / "x", tmp_path / "y"]
