import collections
import os
import shutil

import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.local_copy import local_copy


def test_copies_once_and_reuses(small_set, tmp_path, monkeypatch):
    path, _ = small_set
    copy = local_copy(path, tmp_path / "fast", progress=False)
    assert open_dataset(copy).digest() == open_dataset(path).digest()
    assert sorted(os.listdir(copy)) == sorted(os.listdir(str(path)))

    def no_copying(*arguments):
        raise AssertionError("copied again")

    monkeypatch.setattr("sg2ada_colab.dataset.local_copy._copy_checked", no_copying)
    assert local_copy(path, tmp_path / "fast", progress=False) == copy
    assert local_copy(copy, tmp_path / "fast", progress=False) == copy


def test_an_interrupted_copy_goes_on(small_set, tmp_path):
    path, _ = small_set
    target = tmp_path / "fast" / "small"
    target.mkdir(parents=True)
    shutil.copy2(str(path / "small-r02.tfrecords"), str(target))
    (target / "small-r04.tfrecords.part").write_bytes(b"half")
    before = (target / "small-r02.tfrecords").stat().st_ino
    local_copy(path, tmp_path / "fast", progress=False)
    assert (target / "small-r02.tfrecords").stat().st_ino == before
    assert not list(target.glob("*.part"))


def test_a_changed_original_is_copied_again(small_set, tmp_path):
    path, _ = small_set
    copy = local_copy(path, tmp_path / "fast", progress=False)
    labels = path / "small-rxx.labels"
    (path / "manifest.json").unlink()
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x40")
    local_copy(path, tmp_path / "fast", progress=False)
    assert open_dataset(copy).digest() == open_dataset(path).digest()


def test_one_level_only_and_a_zip(small_set, tmp_path):
    path, _ = small_set
    copy = local_copy(path, tmp_path / "fast", resolution=8, progress=False)
    assert sorted(os.listdir(copy)) == ["small-r03.tfrecords", "small-rxx.labels"]
    assert open_dataset(copy).digest() == open_dataset(path, resolution=8).digest()
    export(path, tmp_path / "set.zip", progress=False)
    copy = local_copy(tmp_path / "set.zip", tmp_path / "fast", progress=False)
    assert open_dataset(copy).num_images == 11


def test_damage_on_the_way_is_found(small_set, tmp_path):
    path, _ = small_set
    file = path / "small-r03.tfrecords"
    data = bytearray(file.read_bytes())
    data[-50] ^= 4
    file.write_bytes(bytes(data))
    with pytest.raises(UserError, match="small-r03.tfrecords is damaged on its way here"):
        local_copy(path, tmp_path / "fast", progress=False)
    assert not (tmp_path / "fast" / "small" / "small-r03.tfrecords").exists()


def test_no_space(small_set, tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 100))
    with pytest.raises(UserError, match="the copy needs"):
        local_copy(small_set[0], tmp_path / "fast", progress=False)
