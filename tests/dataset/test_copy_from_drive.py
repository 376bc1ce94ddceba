"""A dataset on a fake Drive, a real FUSE mount with Drive's faults, copied to the local disk. Needs FUSE and mfusepy."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "soak"))
from fake_drive import FakeDrive, needs_fuse  # noqa: E402

from sg2ada_colab import UserError, files  # noqa: E402
from sg2ada_colab.dataset import PrepareOptions, local_copy, open_dataset, prepare  # noqa: E402
from sg2ada_colab.dataset.classic.published import array_source  # noqa: E402
from sg2ada_colab.dataset.tools import verify  # noqa: E402

pytestmark = [pytest.mark.slow, needs_fuse]
ROOT = Path(__file__).parents[2]
copy_to = local_copy.local_copy


def make_set(path, count=400, seed=0, labels=True):
    """Write a dataset of random 64-pixel images, 4.9 MB at 400 of them."""
    images = np.random.RandomState(seed).randint(0, 256, (count, 64, 64, 3)).astype(np.uint8)
    source = array_source("made", images, np.arange(count) % 3 if labels else None, 3)
    return Path(prepare(source, path, PrepareOptions(workers=1), progress=False).path)


@pytest.fixture
def drive(tmp_path):
    """Return a mounted fake Drive that holds the dataset `set`."""
    drive = FakeDrive(tmp_path / "drive")
    make_set(drive.cloud / "set")
    with drive:
        yield drive


def inodes(folder):
    return {path.name: path.stat().st_ino for path in Path(str(folder)).iterdir() if path.suffix == ".tfrecords"}


def test_a_slow_drive_is_copied_once_whole_and_reused(drive, tmp_path, monkeypatch):
    drive.set(bytes_s=8e6)
    started = time.monotonic()
    copy = copy_to(drive.mount / "set", tmp_path / "fast", progress=False)
    slow_s = time.monotonic() - started
    assert slow_s > 0.5  # so it was slow: 6.6 MB at 8 MB/s
    assert verify(copy, progress=False).problems == [] and verify(copy, progress=False).checked["manifest"]
    assert open_dataset(copy).digest() == open_dataset(drive.cloud / "set").digest()
    assert sorted(os.listdir(copy)) == sorted(os.listdir(str(drive.cloud / "set")))
    before = inodes(copy)
    drive.set(bytes_s=1e4)  # to read it again would take ten minutes
    started = time.monotonic()
    assert copy_to(drive.mount / "set", tmp_path / "fast", progress=False) == copy
    assert time.monotonic() - started < 5 and inodes(copy) == before


def test_a_set_that_was_prepared_anew_replaces_the_copy(drive, tmp_path):
    copy_to(drive.mount / "set", tmp_path / "fast", progress=False)
    shutil.rmtree(str(drive.mount / "set"))
    shutil.copytree(str(make_set(tmp_path / "new" / "set", seed=1, labels=False)), str(drive.mount / "set"))
    copy = copy_to(drive.mount / "set", tmp_path / "fast", progress=False)
    assert open_dataset(copy).digest() == open_dataset(tmp_path / "new" / "set").digest()
    assert open_dataset(copy).label_size == 0 and verify(copy, progress=False).problems == []


def test_a_drive_that_dies_in_the_middle_leaves_nothing_that_looks_whole(drive, tmp_path):
    drive.set(bytes_s=1e6)
    folder, target = tmp_path / "fast", tmp_path / "fast" / "set"
    command = [sys.executable, "-m", "sg2ada_colab", "dataset", "copy", str(drive.mount / "set"), str(folder), "--quiet"]
    process = subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not list(target.glob("*.tfrecords")):
        assert process.poll() is None
        time.sleep(0.02)
    drive.die()
    error = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 1 and "Traceback" not in error
    assert "copying {} to {} failed: ".format(drive.mount / "set", target) in error
    assert "a Drive that stays connected" in error and "it continues with the files that are missing" in error
    with pytest.raises(UserError, match="unfinished dataset"):
        open_dataset(target)
    done = inodes(target)
    drive.remount()
    drive.set(bytes_s=None)
    copy = copy_to(drive.mount / "set", folder, progress=False)
    assert verify(copy, progress=False).problems == []
    assert done and done.items() <= inodes(copy).items()  # those were not copied again


def test_a_copy_that_is_killed_goes_on(drive, tmp_path):
    drive.set(bytes_s=1e6)
    folder, target = tmp_path / "fast", tmp_path / "fast" / "set"
    command = [sys.executable, "-m", "sg2ada_colab", "dataset", "copy", str(drive.mount / "set"), str(folder), "--quiet"]
    process = subprocess.Popen(command, cwd=str(ROOT))
    while not list(target.glob("*.tfrecords.part")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(UserError, match="unfinished dataset"):
        open_dataset(target)
    drive.set(bytes_s=None)
    copy = copy_to(drive.mount / "set", folder, progress=False)
    assert verify(copy, progress=False).problems == [] and not list(target.glob("*.part"))


def test_errors_now_and_then_are_outlived(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(local_copy, "_PAUSE_S", 0.01)
    monkeypatch.setattr(files, "CHUNK_BYTES", 1 << 17)
    drive.set(eio=0.05)
    for _attempt in range(50):
        try:
            copy = copy_to(drive.mount / "set", tmp_path / "fast", progress=False)
            break
        except UserError as error:
            assert "Input/output error" in error.what
    drive.set(eio=0)
    assert verify(copy, progress=False).problems == []


def test_a_drive_that_is_not_connected(drive, tmp_path):
    drive.die()
    with pytest.raises(UserError, match="not connected(.|\n)*stays connected"):
        copy_to(drive.mount / "set", tmp_path / "fast", progress=False)


@pytest.fixture
def images_on_drive(tmp_path):
    """Return a mounted fake Drive with 300 images."""
    drive = FakeDrive(tmp_path / "drive")
    (drive.cloud / "images").mkdir()
    for i in range(300):
        picture = np.random.RandomState(i).randint(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(picture).save(str(drive.cloud / "images" / f"{i:03d}.png"))
    with drive:
        yield drive


def test_images_on_a_drive_that_dies_are_not_left_out(images_on_drive, tmp_path):
    drive = images_on_drive
    drive.set(bytes_s=5e5)
    command = [sys.executable, "-m", "sg2ada_colab", "prepare", str(drive.mount / "images"), str(tmp_path / "set"), "--quiet"]
    process = subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (tmp_path / "set.partial").exists():
        assert process.poll() is None
        time.sleep(0.01)
    drive.die()
    error = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 1 and "Traceback" not in error and not (tmp_path / "set").exists()
    assert "images cannot be reached" in error and "a disk that stays connected" in error and "connect it again" in error
    with pytest.raises(UserError, match="cannot be reached"):
        prepare(drive.mount / "images", tmp_path / "set", progress=False)
    drive.remount()
    drive.set(bytes_s=None)
    result = prepare(drive.mount / "images", tmp_path / "set", progress=False)
    assert (result.num_images, result.problems) == (300, []) and verify(result.path, progress=False).problems == []


def test_a_drive_that_errs_now_and_then_costs_no_image(images_on_drive, tmp_path, monkeypatch):
    from sg2ada_colab.images import source

    monkeypatch.setattr(source, "_PAUSE_S", 0.01)
    images_on_drive.set(eio=0.05)
    for _attempt in range(20):
        try:
            result = prepare(images_on_drive.mount / "images", tmp_path / "set", PrepareOptions(workers=2), progress=False)
            break
        except UserError as error:  # the folder could not even be listed
            assert "Input/output error" in error.what
    assert (result.num_images, result.problems) == (300, [])
