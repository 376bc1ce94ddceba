"""A dataset's manifest against what is asked: the same wherever the images lie, and every setting that makes other bytes."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.dataset.difference import differences
from sg2ada_colab.dataset.manifest import read_manifest
from sg2ada_colab.dataset.sources import open_any_source
from sg2ada_colab.images.fit import FitOptions


@pytest.fixture
def folder(make_folder):
    return make_folder([np.full((16, 16, 3), 40 * number, np.uint8) for number in range(6)])


def asked(folder, options, made_with=None):
    """Return the differences of a set made from a folder to what is asked for, as text."""
    path = os.path.join(str(folder.parent), "set")
    shutil.rmtree(path, ignore_errors=True)
    prepare(folder, path, made_with or PrepareOptions(workers=1), progress=False)
    return [str(one) for one in differences(read_manifest(path), open_any_source(str(folder)), options)]


def test_the_same_is_the_same_whatever_the_workers_and_wherever_the_images_lie(folder):
    assert asked(folder, PrepareOptions(workers=3, strict=True)) == []
    manifest = read_manifest(folder.parent / "set")
    moved = folder.parent / "elsewhere"
    shutil.copytree(str(folder), str(moved))  # with the times of now
    assert differences(manifest, open_any_source(str(moved)), PrepareOptions()) == []


def test_an_edited_image_of_its_old_size_is_a_difference_and_a_touched_one_is_not(make_folder):
    images = [np.full((16, 16, 3), 40 * number, np.uint8) for number in range(3)]
    folder = make_folder(images, ["a.bmp", "b.bmp", "c.bmp"])
    assert asked(folder, PrepareOptions(workers=1)) == []
    manifest, options = read_manifest(folder.parent / "set"), PrepareOptions(workers=1)
    os.utime(str(folder / "a.bmp"), (1, 1))
    assert differences(manifest, open_any_source(str(folder)), options) == []
    for name, words in (("b.bmp", "b.bmp was edited"), ("c.bmp", "2 files were edited, such as b.bmp")):
        size = (folder / name).stat().st_size
        Image.fromarray(255 - images[0]).save(str(folder / name))
        os.utime(str(folder / name), (2, 2))
        assert (folder / name).stat().st_size == size
        (found,) = differences(manifest, open_any_source(str(folder)), options)
        assert str(found) == f"images: 3 from {folder} before, {words} now"


def test_a_resolution_that_was_found_is_the_one_that_is_asked_for_and_the_other_way_round(folder):
    assert asked(folder, PrepareOptions(resolution=16)) == []
    assert asked(folder, PrepareOptions(workers=1), PrepareOptions(resolution=16, workers=1)) == []
    assert asked(folder, PrepareOptions(workers=1), PrepareOptions(resolution=8, workers=1)) == [
        "resolution: 8 px before, 16 px now"
    ]


def test_the_rectangle_that_keeps_most_is_found_and_stays_the_same(make_folder):
    folder = make_folder([np.full((16, 24, 3), 40 * number, np.uint8) for number in range(6)])
    auto = PrepareOptions(resolution="auto", workers=1)
    assert asked(folder, auto, auto) == []
    assert read_manifest(folder.parent / "set")["resolution"] == [16, 24]
    assert asked(folder, auto, PrepareOptions(resolution=(16, 24), workers=1)) == []
    assert asked(folder, auto, PrepareOptions(workers=1)) == ["resolution: 16 px before, 24x16 px now"]


def test_crop_boxes_are_told_apart(folder):
    boxes = {"*": (0, 0, 8, 8)}
    made = PrepareOptions(resolution=8, fit=FitOptions("boxes", boxes=boxes), workers=1)
    assert asked(folder, made, made) == []
    other = PrepareOptions(resolution=8, fit=FitOptions("boxes", boxes={"*": (8, 8, 16, 16)}), workers=1)
    assert asked(folder, other, made) == ["cut by hand: other squares before, 1 image now"]


def test_a_manifest_of_an_earlier_release_is_compared_by_its_path(folder):
    assert asked(folder, PrepareOptions()) == []
    manifest = {key: value for key, value in read_manifest(folder.parent / "set").items() if key != "source_contents"}
    assert differences(manifest, open_any_source(str(folder)), PrepareOptions()) == []
    moved = folder.parent / "elsewhere"
    shutil.copytree(str(folder), str(moved))
    assert [one.what for one in differences(manifest, open_any_source(str(moved)), PrepareOptions())] == ["images"]


def test_a_set_of_another_program_is_not_known(folder):
    (found,) = differences(None, open_any_source(str(folder)), PrepareOptions())
    assert str(found) == f"images: not known, as it has no manifest of ours before, {folder} now"
