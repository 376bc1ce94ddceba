import gzip
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.classic import collections
from sg2ada_colab.dataset.sources import open_any_source

DRAWS = np.random.RandomState(3)


def prepared(path, tmp_path, **options):
    result = prepare(path, tmp_path / "set", PrepareOptions(shuffle=False, workers=1, **options), progress=False)
    return open_dataset(result.path)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_padded_to_32_pixels(tmp_path, packed):
    images, labels = DRAWS.randint(0, 256, (12, 28, 28)).astype(np.uint8), np.arange(12, dtype=np.uint8) % 10
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        data = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    data = prepared(folder, tmp_path)
    assert (data.resolution, data.channels, data.label_size) == (32, 1, 10)
    got = data.read(range(12))[..., 0]
    assert (got[:, 2:-2, 2:-2] == images).all() and got[:, :2].max() == got[:, :, -2:].max() == 0
    assert data.labels.argmax(1).tolist() == labels.tolist()


def test_damaged_mnist(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 28, 28), np.uint8))[:-9])
    with pytest.raises(UserError, match="train-images-idx3-ubyte cannot be read(.|\n)*download it again"):
        open_any_source(folder)


def cifar_batch(images, labels, key):
    return pickle.dumps({"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1), key: list(labels)}, protocol=2)


@pytest.mark.parametrize("packed", [True, False])
def test_cifar10_from_its_folder_and_its_archive(tmp_path, packed):
    images, labels = DRAWS.randint(0, 256, (20, 32, 32, 3)).astype(np.uint8), np.arange(20) % 10
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i in range(5):
        part = slice(4 * i, 4 * i + 4)
        (folder / f"data_batch_{i + 1}").write_bytes(cifar_batch(images[part], labels[part].tolist(), "labels"))
    path = folder
    if packed:
        path = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(str(path), "w:gz") as archive:
            archive.add(str(folder), "cifar-10-batches-py")
    data = prepared(path, tmp_path)
    assert (data.read(range(20)) == images).all()
    assert data.labels.argmax(1).tolist() == labels.tolist() and data.label_size == 10


def test_cifar100_has_the_fine_labels(tmp_path):
    images = DRAWS.randint(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    (folder / "train").write_bytes(cifar_batch(images, [99, 0, 5, 5], "fine_labels"))
    (folder / "meta").write_bytes(b"")
    data = prepared(folder, tmp_path)
    assert data.label_size == 100 and data.labels.argmax(1).tolist() == [99, 0, 5, 5]
    assert (data.read(range(4)) == images).all()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_runs_something_is_refused(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    (folder / "train").write_bytes(pickle.dumps({"data": Evil(tmp_path / "made")}))
    (folder / "meta").write_bytes(b"")
    with pytest.raises(UserError, match="asks for 'mkdir'"):
        open_any_source(folder)
    assert not (tmp_path / "made").exists()


def test_svhn(tmp_path):
    io_module = pytest.importorskip("scipy.io")
    images = DRAWS.randint(0, 256, (32, 32, 3, 11)).astype(np.uint8)
    labels = np.array([[10], [1], [2], [3], [4], [5], [6], [7], [8], [9], [10]])
    io_module.savemat(str(tmp_path / "train_32x32.mat"), {"X": images, "y": labels})
    data = prepared(tmp_path / "train_32x32.mat", tmp_path)
    assert (data.read(range(11)) == images.transpose(3, 0, 1, 2)).all()
    assert data.labels.argmax(1).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_hdf5_with_its_labels(tmp_path, reference, facts):
    h5py = pytest.importorskip("h5py")
    images, rows = reference("dataset")["src_rgb.images"], reference("dataset")["src_hdf5.labels"]
    with h5py.File(str(tmp_path / "x.h5"), "w") as file:
        file["data16x16"] = np.zeros((10, 3, 16, 16), np.uint8)
        file["data32x32"] = images.transpose(0, 3, 1, 2)
    np.save(str(tmp_path / "x-labels.npy"), rows)
    entry = facts["from_hdf5_labels_shuffle1"]
    result = prepare(tmp_path / "x.h5", tmp_path / entry["tfrecord_dir"], PrepareOptions(), progress=False)
    for name, expected in entry["files"].items():
        assert result.manifest["files"][name]["sha256"] == expected.get("sha256_shape_first", expected.get("sha256")), name
    np.save(str(tmp_path / "x-labels.npy"), rows[:5])
    with pytest.raises(UserError, match="5 labels for 10 images"):
        open_any_source(tmp_path / "x.h5")
    with h5py.File(str(tmp_path / "y.h5"), "w") as file:
        file["pictures"] = np.zeros((1, 3, 4, 4), np.uint8)
    with pytest.raises(UserError, match="no dataset in it has a name that starts with 'data'"):
        open_any_source(tmp_path / "y.h5")


def test_lsun(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    images = DRAWS.randint(0, 256, (5, 40, 50, 3)).astype(np.uint8)
    with lmdb.open(str(tmp_path / "x_lmdb"), map_size=1 << 24) as database, database.begin(write=True) as transaction:
        for i, image in enumerate(images):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG")
            transaction.put(b"key%d" % i, stream.getvalue())
        transaction.put(b"key9", b"damaged")
    data = prepared(tmp_path / "x_lmdb", tmp_path, resolution=32)
    assert len(data) == 5
    expected = Image.fromarray(images[2]).crop((5, 0, 45, 40)).resize((32, 32), Image.LANCZOS)
    assert (data.read([2])[0] == np.asarray(expected)).all()


def test_an_absent_library_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "lmdb", None)
    (tmp_path / "x_lmdb").mkdir()
    (tmp_path / "x_lmdb" / "data.mdb").write_bytes(b"")
    with pytest.raises(UserError, match="needs the package lmdb(.|\n)*pip install lmdb"):
        open_any_source(tmp_path / "x_lmdb")


def test_pipes_and_bombs_are_told_and_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(str(tmp_path / "train-images-idx3-ubyte"))
    with pytest.raises(UserError, match="train-images-idx3-ubyte is not a plain file"):
        open_any_source(tmp_path / "train-images-idx3-ubyte")
    os.mkfifo(str(tmp_path / "cifar-10-python.tar.gz"))
    with pytest.raises(UserError, match="cifar-10-python.tar.gz is not a plain file"):
        open_any_source(tmp_path / "cifar-10-python.tar.gz")
    (tmp_path / "mnist").mkdir()
    monkeypatch.setattr(collections, "_MOST_BYTES", 1 << 20)
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz cannot be read: it holds over 1.0 MB"):
        open_any_source(tmp_path / "mnist")
    with tarfile.open(str(tmp_path / "cifar-100-python.tar.gz"), "w:gz") as archive:
        info = tarfile.TarInfo("cifar-100-python/train")
        info.size = 2 << 20
        archive.addfile(info, io.BytesIO(bytes(2 << 20)))
    with pytest.raises(UserError, match="cifar-100-python.tar.gz cannot be read: it holds over 1.0 MB"):
        open_any_source(tmp_path / "cifar-100-python.tar.gz")
