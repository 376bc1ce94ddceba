"""An edited file is told from one that was only touched, in folders and archives; what is too much is not recorded."""

import os
import shutil

import pytest

from sg2ada_colab.dataset import source_files
from sg2ada_colab.dataset.sources import open_any_source


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name in "abc":
        (tmp_path / "images" / (name + ".png")).write_bytes(b"not looked into " + name.encode())
    return tmp_path / "images"


def edited(path, recorded):
    return [os.path.basename(one) for one in source_files.edited(recorded, open_any_source(path), 1)]


def record(path):
    return source_files.record(open_any_source(path), 1)


def test_a_file_of_its_old_size_with_another_content_is_edited_and_a_touched_one_is_not(folder):
    recorded = record(folder)
    assert edited(folder, recorded) == []
    os.utime(str(folder / "a.png"), (1, 1))
    (folder / "b.png").write_bytes(b"not looked into X")
    os.utime(str(folder / "b.png"), (2, 2))  # another time than before, however coarse this disk's clock is
    assert edited(folder, recorded) == ["b.png"]


def test_only_files_with_another_time_are_read(folder, monkeypatch):
    recorded, read = record(folder), []
    os.utime(str(folder / "c.png"), (1, 1))
    digest = source_files.sha256_of
    monkeypatch.setattr(source_files, "sha256_of", lambda path: read.append(os.path.basename(path)) or digest(path))
    assert edited(folder, recorded) == [] and read == ["c.png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_one_file(folder, kind):
    path = shutil.make_archive(str(folder.parent / "set"), kind, str(folder))
    recorded = record(path)
    os.utime(path, (1, 1))
    assert edited(path, recorded) == []
    (folder / "a.png").write_bytes(b"not looked into A")
    shutil.make_archive(str(folder.parent / "set"), kind, str(folder))
    os.utime(path, (2, 2))
    assert edited(path, recorded) == ["set." + kind]


def test_too_many_files_too_many_bytes_and_damage_tell_nothing(folder, monkeypatch):
    recorded = record(folder)
    for name, most in (("MOST_FILES", 2), ("MOST_BYTES", 40)):
        with monkeypatch.context() as patch:
            patch.setattr(source_files, name, most)
            assert record(folder) is None
    (folder / "b.png").write_bytes(b"not looked into X")
    os.utime(str(folder / "b.png"), (2, 2))
    for damage in (None, 7, "", "not base64", recorded[:-3], []):
        assert edited(folder, damage) == []
