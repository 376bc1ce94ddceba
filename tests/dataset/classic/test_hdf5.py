"""HDF5 files that are damaged, or that lead to other files."""

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset.classic.hdf5 import hdf5, write_hdf5
from sg2ada_colab.dataset.sources import open_any_source
from sg2ada_colab.images.read import UnreadableImage, read_image

h5py = pytest.importorskip("h5py")
IMAGES = np.random.RandomState(0).randint(0, 256, (5, 3, 8, 8)).astype(np.uint8)


@pytest.fixture
def file(tmp_path):
    """Return the path of a small HDF5 file."""
    write_hdf5(tmp_path / "x.h5", lambda rows: IMAGES[rows], len(IMAGES), (3, 8, 8), progress=False)
    return tmp_path / "x.h5"


def outcome(path):
    """Return "read", "refused" or "some images refused" for a file; anything else is an error that escapes."""
    try:
        source = hdf5(path)
    except UserError as error:
        assert str(path) in error.what and error.next_step
        return "refused"
    refused = 0
    for index in range(len(source)):
        try:
            source.use(index, read_image)
        except (UnreadableImage, OSError):
            refused += 1
    return "some images refused" if refused else "read"


def test_damage_anywhere_is_told(file):
    data, draws = file.read_bytes(), np.random.RandomState(1)
    outcomes = {"read": 0, "refused": 0, "some images refused": 0}
    for _ in range(150):
        damaged = bytearray(data)
        for place in draws.randint(0, 4000, draws.randint(1, 4)):  # where the structures lie
            damaged[place % len(data)] = draws.randint(256)
        file.write_bytes(bytes(damaged))
        outcomes[outcome(file)] += 1
    assert outcomes["refused"] > 20 and outcomes["read"] > 5, outcomes
    for size in range(0, len(data), 97):
        file.write_bytes(data[:size])
        assert outcome(file) != "read" or size > len(data) - 100


def changed(file, change):
    with h5py.File(str(file), "r+") as opened:
        change(opened)
    return file


def test_groups_and_links_are_no_images(file, tmp_path):
    write_hdf5(tmp_path / "other.h5", lambda rows: IMAGES[rows], 5, (3, 8, 8), progress=False)
    with h5py.File(str(tmp_path / "other.h5"), "r+") as other:
        other.create_dataset("wide", data=np.zeros((5, 3, 32, 32), np.uint8))

    def change(opened):
        opened.create_group("data_group")
        opened["data_wide"] = h5py.ExternalLink("other.h5", "/wide")
        opened["data_soft"] = h5py.SoftLink("/nowhere")

    source = hdf5(changed(file, change))
    assert len(source) == 5 and source.open(0).read().startswith(b"P6 8 8 255")


def test_numbers_that_lie_in_another_file_are_not_taken(tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 3072)
    with h5py.File(str(tmp_path / "x.h5"), "w") as opened:
        opened.create_dataset("data", (1, 3, 32, 32), np.uint8, external=[(str(tmp_path / "secret"), 0, 3072)])
    with pytest.raises(UserError, match="no dataset in it has a name that starts with 'data'"):
        open_any_source(tmp_path / "x.h5")


@pytest.mark.parametrize("shape, reason", [
    ((5, 2, 8, 8), r"its images are \(5, 2, 8, 8\)"), ((5, 0, 8, 8), r"its images are \(5, 0"),
    ((1 << 40, 3, 8, 8), "but only 0 bytes are stored"),
])  # fmt: skip
def test_shapes_that_are_no_images(tmp_path, shape, reason):
    with h5py.File(str(tmp_path / "x.h5"), "w") as opened:
        opened.create_dataset("data", shape, np.uint8, chunks=True if 0 not in shape else None)
        if shape[0] == 5 and 0 not in shape:
            opened["data"][:] = 1
    with pytest.raises(UserError, match=reason):
        hdf5(tmp_path / "x.h5")
