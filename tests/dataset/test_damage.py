"""Damaged files of every kind end in a message, or in images, but never in a traceback."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sg2ada_colab import UserError
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.records import RecordLayout
from sg2ada_colab.dataset.sources import open_any_source
from sg2ada_colab.dataset.tools import verify

careful = settings(
    max_examples=150, deadline=None, suppress_health_check=[getattr(HealthCheck, "function_scoped_fixture", HealthCheck.too_slow)]
)
# Where bytes are changed (from either end), to what, and where the file is cut off.
damage = st.lists(st.tuples(st.integers(-3000, 3000), st.integers(0, 255)), min_size=1, max_size=5)
cut = st.one_of(st.none(), st.integers(0, 3000))


def damaged(data, changes, end):
    data = bytearray(data)
    for position, value in changes:
        data[position % len(data)] = value
    return bytes(data[:end])


def read_all(path):
    try:
        data = open_dataset(path)
        return data.read(range(len(data)))
    except UserError as error:
        assert error.what and error.expected and error.next_step
        return None


@pytest.fixture
def records(tmp_path):
    """Return the path of a set of three images of 8 pixels with labels."""
    folder = tmp_path / "set"
    folder.mkdir()
    images = np.random.RandomState(0).randint(0, 256, (3, 3, 8, 8)).astype(np.uint8)
    (folder / "set-r03.tfrecords").write_bytes(RecordLayout(3, 8, 8).encode(images).tobytes())
    with open(str(folder / "set-rxx.labels"), "wb") as file:
        np.save(file, np.eye(3, dtype=np.float32))
    return folder


@careful
@given(damage, cut)
@example([(2515, 8)], None)  # a number in the place of a list
def test_records(records, changes, end):
    file = records / "set-r03.tfrecords"
    whole = file.read_bytes()
    file.write_bytes(damaged(whole, changes, end))
    try:
        images = read_all(records)
        assert images is None or images.ndim == 4
        unchanged = file.read_bytes() == whole
        assert unchanged == (verify(records, progress=False).problems == [])
    finally:
        file.write_bytes(whole)


@careful
@given(damage, cut)
def test_labels(records, changes, end):
    file = records / "set-rxx.labels"
    whole = file.read_bytes()
    file.write_bytes(damaged(whole, [(position % 128, value) for position, value in changes], end))
    try:
        read_all(records)
    finally:
        file.write_bytes(whole)


@careful
@given(damage, cut)
def test_manifest(small_set, changes, end):
    file = small_set[0] / "manifest.json"
    whole = file.read_bytes()
    file.write_bytes(damaged(whole, changes, end))
    try:
        read_all(small_set[0])
        try:
            verify(small_set[0], progress=False)
        except UserError as error:
            assert "manifest.json" in error.what
    finally:
        file.write_bytes(whole)


@careful
@given(damage, cut)
def test_zip(small_set, changes, end):
    path = small_set[0].parent / "set.zip"
    if not path.exists():
        export(small_set[0], path, progress=False)
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, changes, end))
    try:
        read_all(path)
    finally:
        path.write_bytes(whole)


@careful
@given(st.text(max_size=60))
def test_labels_of_a_zip(tmp_path, text):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.ppm", b"P6 4 4 255\n" + bytes(48))
        archive.writestr("dataset.json", text)
    (tmp_path / "x.zip").write_bytes(stream.getvalue())
    read_all(tmp_path / "x.zip")


def collection_files(kind):
    """Return {name: bytes} of a tiny collection."""
    images = np.random.RandomState(0).randint(0, 256, (3, 3, 32, 32)).astype(np.uint8)
    if kind == "mnist":
        digits = bytes([0, 0, 8, 3]) + np.array([3, 28, 28], ">i4").tobytes() + images[:, 0, 2:30, 2:30].tobytes()
        labels = bytes([0, 0, 8, 1]) + np.array([3], ">i4").tobytes() + bytes([1, 2, 3])
        return {"train-images-idx3-ubyte": digits, "train-labels-idx1-ubyte": labels}
    if kind == "svhn":
        part = pickle.dumps((images, np.array([1, 2, 3], np.uint8)), protocol=2)
        return {f"train_{i}.pkl": part for i in (1, 2, 3)}
    part = pickle.dumps({"data": images.reshape(3, -1), "fine_labels": [1, 2, 3]}, protocol=2)
    return {"train": part, "meta": b""}


@pytest.mark.parametrize("kind", ["mnist", "svhn", "cifar"])
def test_collections(tmp_path, kind):
    files = collection_files(kind)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    target = max(files, key=lambda name: len(files[name]))
    # Most of a pickle is pixels: what matters lies at its ends.
    ends = st.lists(st.tuples(st.integers(-120, 250), st.integers(0, 255)), min_size=1, max_size=5)

    @careful
    @given(ends, cut)
    def check(changes, end):
        (tmp_path / target).write_bytes(damaged(files[target], changes, end))
        try:
            source = open_any_source(tmp_path)
            assert [len(source.open(i).read()) > 100 for i in range(len(source))] == [True] * len(source)
        except UserError as error:
            assert error.what and error.expected and error.next_step

    check()
