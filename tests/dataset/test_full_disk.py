"""A disk that is really full: a small tmpfs, filled to its last byte at the worst moments. Needs the right to mount."""

import os

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, building, open_dataset, preparation, prepare
from sg2ada_colab.dataset.classic.hdf5 import write_hdf5
from sg2ada_colab.dataset.classic.packing import pack, unpack
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.display import display
from sg2ada_colab.dataset.local_copy import local_copy
from sg2ada_colab.dataset.tools import extract, verify

COUNT = 100  # images of 64 pixels: 1.7 MB as records


@pytest.fixture
def disk(small_disk):
    """Return the Path of an own disk of 4 MB."""
    return small_disk(4)


@pytest.fixture
def images(make_folder):
    return make_folder(np.random.RandomState(0).randint(0, 256, (COUNT, 64, 64, 3)).astype(np.uint8))


def fill(disk, leave=0):
    """Write a file until `leave` bytes are left."""
    with open(str(disk / "filler"), "wb", buffering=0) as file:
        free = os.statvfs(str(disk)).f_bavail * os.statvfs(str(disk)).f_frsize
        file.write(b"x" * (free - leave))


def empty(disk):
    (disk / "filler").unlink()


def fill_before(monkeypatch, disk, owner, name, leave=0):
    """Have the disk filled when a function is called first."""
    real = getattr(owner, name)

    def wrapper(*arguments, **named):
        if not (disk / "filler").exists():
            fill(disk, leave)
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, wrapper)


def check_message(error):
    text = str(error.value)
    assert (
        "No space left on device" in text and "\n  Expected: a disk with enough space" in text and "\n  Next: free some" in text
    )


def test_too_little_space_is_said_before_anything_is_written(disk, images):
    fill(disk, leave=1 << 20)
    with pytest.raises(UserError, match=r"has 1.0 MB free; the dataset needs 1.7 MB\n  Expected: .*\n  Next: .*--full-only"):
        prepare(images, disk / "set", PrepareOptions(resolution=64), progress=False)
    assert not (disk / "set").exists()


# What is called, and how much is left then: the records' files, the journal, the closing up, labels, and the manifest.
MOMENTS = [
    (building, "run_parallel", 0),
    (building, "run_parallel", 1300000),
    (building.Build, "_open_journal", 0),
    (building, "write_manifest", 0),
    (preparation, "locked", 0),
]
FAST_MOMENTS = [(building, "run_parallel", 300000), (building.Build, "finish", 0)]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "owner, name, leave", FAST_MOMENTS + [pytest.param(*moment, marks=pytest.mark.slow) for moment in MOMENTS]
)
def test_a_disk_that_fills_up_leaves_nothing_that_looks_whole_and_the_next_run_goes_on(
    disk, images, monkeypatch, tmp_path, owner, name, leave, workers
):
    broken = images / "0003.png"
    broken.write_bytes(broken.read_bytes()[:3000])  # so that its place has to be closed up
    options = PrepareOptions(resolution=64, workers=workers)
    with monkeypatch.context() as patches:
        patches.setattr(building, "CHUNK_RECORDS", 5)
        fill_before(patches, disk, owner, name, leave)
        with pytest.raises(UserError) as error:
            prepare(images, disk / "set", options, progress=False)
    check_message(error)
    assert not (disk / "set").exists()
    if (disk / "set.partial").exists():
        with pytest.raises(UserError, match="unfinished"):
            open_dataset(disk / "set.partial")
    empty(disk)
    monkeypatch.setattr(building, "CHUNK_RECORDS", 5)
    result = prepare(images, disk / "set", options, progress=False)
    assert result.num_images == COUNT - 1 and verify(result.path, progress=False).problems == []
    assert sorted(os.listdir(str(disk))) == ["set"]
    elsewhere = prepare(images, tmp_path / "set", options, progress=False)
    assert elsewhere.manifest["files"] == result.manifest["files"]


def test_the_tools_on_a_full_disk(disk, images, tmp_path):
    data = prepare(images, tmp_path / "set", PrepareOptions(resolution=64), progress=False).path
    unpack(data, tmp_path / "unpacked", progress=False)
    fill(disk, leave=200000)
    for number, tool in enumerate((
        lambda target: extract(data, target, progress=False),
        lambda target: unpack(data, target, progress=False),
        lambda target: pack(tmp_path / "unpacked", target, progress=False),
        lambda target: export(data, target, progress=False),
        lambda target: export(data, target.with_suffix(".zip"), progress=False),
        lambda target: display(data, target.with_suffix(".png")),
    )):  # fmt: skip
        target = disk / f"target{number}"
        with pytest.raises(UserError) as error:
            tool(target)
        check_message(error)
        left = [name for name in os.listdir(str(disk)) if name.startswith("target")]
        assert all(name.endswith((".partial", ".tmp")) for name in left), left
    with pytest.raises(UserError, match=r"disk has [0-9]+.* free; the copy needs 1.7 MB"):
        local_copy(data, disk, progress=False)


def test_a_copy_onto_a_disk_that_fills_up(disk, images, tmp_path, monkeypatch):
    from sg2ada_colab.dataset import local_copy as module

    data = prepare(images, tmp_path / "set", PrepareOptions(resolution=64), progress=False).path
    with monkeypatch.context() as patches:
        fill_before(patches, disk, module, "_copy_checked", 500000)
        with pytest.raises(UserError, match="failed: No space left on device\n  Expected: a disk with enough space"):
            local_copy(data, disk, progress=False)
    with pytest.raises(UserError, match="unfinished"):
        open_dataset(disk / "set")
    empty(disk)
    assert verify(local_copy(data, disk, progress=False), progress=False).problems == []


def test_hdf5_on_a_full_disk(disk):
    pytest.importorskip("h5py")
    fill(disk, leave=200000)
    images = np.random.RandomState(0).randint(0, 256, (COUNT, 3, 64, 64)).astype(np.uint8)
    with pytest.raises(UserError, match="x.h5 failed: (.|\n)*a disk with enough space"):
        write_hdf5(disk / "x.h5", images.__getitem__, COUNT, (3, 64, 64), progress=False)
    assert not (disk / "x.h5").exists()
