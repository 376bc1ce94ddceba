"""The collections that the original's tool converts: MNIST, CIFAR-10 and -100, SVHN, LSUN, and its own HDF5 files."""

import gzip
import hashlib
import importlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from ..errors import UserError
from ..images.source import ArraySource, Source

_MNIST_IMAGES = "train-images-idx3-ubyte"
_MNIST_LABELS = "train-labels-idx1-ubyte"
_CIFAR10_BATCHES = ["data_batch_{}".format(i) for i in range(1, 6)]


def recognised(path):
    """Return the function that opens a known collection at this Path as a `Source`, or None for anything else."""
    name = path.name.lower()
    if path.is_dir():
        files = {entry.name for entry in path.iterdir()}
        if _MNIST_IMAGES in files or _MNIST_IMAGES + ".gz" in files:
            return mnist
        if set(_CIFAR10_BATCHES) <= files:
            return cifar10
        if {"train", "meta"} <= files and (path / "train").is_file():
            return cifar100
        if "data.mdb" in files:
            return lsun
        return None
    for starts, ends, opener in (
        ("train-images-idx3-ubyte", ("", ".gz"), lambda p: mnist(p.parent)),
        ("cifar-10-python", (".tar.gz",), cifar10),
        ("cifar-100-python", (".tar.gz",), cifar100),
        ("train_32x32", (".mat",), svhn),
    ):
        if name.startswith(starts) and name[len(starts) :] in ends:
            return opener
    return hdf5 if path.suffix.lower() in (".h5", ".hdf5") else None


def _source(path, images_nhwc, labels, identity=None):
    """Return the source of an array of images; labels are class numbers, float rows, or None."""
    names = ["{:08d}".format(i) for i in range(len(images_nhwc))]
    if labels is not None and np.ndim(labels) == 1:
        labels = np.eye(int(np.max(labels)) + 1, dtype=np.float32)[np.asarray(labels, np.int64)]
    identity = identity or hashlib.sha256(np.ascontiguousarray(images_nhwc)).hexdigest()
    return ArraySource(path, names, list(range(len(images_nhwc))), images_nhwc.__getitem__, labels, identity)


def _damaged(path, error):
    return UserError(
        "{} cannot be read: {}".format(path, " ".join(str(error).split()) or type(error).__name__),
        "the file as its authors publish it",
        "download it again",
    )


def _needs(package, path, error):
    return UserError(
        "reading {} needs the package {} ({})".format(path, package, error),
        "{} installed".format(package),
        "pip install " + package,
    )


def _idx(path, dimensions):
    """Return the uint8 array of an IDX file, plain or gzipped."""
    file = path if path.is_file() else path.with_name(path.name + ".gz")
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        if data[:4] != bytes([0, 0, 8, dimensions]):
            raise ValueError("it does not begin as an IDX file of bytes")
        shape = tuple(int(n) for n in np.frombuffer(data, ">i4", dimensions, 4))
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise _damaged(file, error) from error


def mnist(path):
    """Return MNIST's training images, padded from 28 to 32 pixels, grey, with 10 classes."""
    images, labels = _idx(path / _MNIST_IMAGES, 3), _idx(path / _MNIST_LABELS, 1)
    if len(images) != len(labels):
        raise _damaged(path, "{} images but {} labels".format(len(images), len(labels)))
    return _source(path, np.pad(images, [(0, 0), (2, 2), (2, 2)], "constant")[..., None], labels)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of plain containers and NumPy arrays, which these collections are, and refuses all else."""

    _ALLOWED = {("ndarray", "numpy"), ("dtype", "numpy"), ("encode", "_codecs")}

    def find_class(self, module, name):
        if name in ("_reconstruct", "scalar") and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            multiarray = importlib.import_module("numpy.core.multiarray" if np.__version__ < "2" else "numpy._core.multiarray")
            return getattr(multiarray, name)
        if (name, module) in self._ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError("it refers to {}.{}, which such a file has no use for".format(module, name))


def _unpickled(path, data):
    try:
        return {str(key): value for key, value in _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load().items()}
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises nearly anything
        raise _damaged(path, error) from error


def _cifar_files(path, names):
    """Return the unpickled files of these names from a folder or from the published tar.gz."""
    if path.is_dir():
        return [_unpickled(path / name, (path / name).read_bytes()) for name in names]
    found = {}
    try:
        with tarfile.open(str(path)) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if member.isfile() and name in names:
                    found[name] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _damaged(path, error) from error
    if set(found) != set(names):
        raise _damaged(path, "it lacks " + ", ".join(sorted(set(names) - set(found))))
    return [_unpickled(path, found[name]) for name in names]


def _cifar(path, names, label_key):
    batches = _cifar_files(path, names)
    try:
        images = np.concatenate([np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32) for batch in batches])
        labels = np.concatenate([np.asarray(batch[label_key], np.int64) for batch in batches])
        if len(images) != len(labels):
            raise ValueError("{} images but {} labels".format(len(images), len(labels)))
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    return _source(path, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels)


def cifar10(path):
    """Return CIFAR-10's 50,000 training images with 10 classes, from its folder or tar.gz."""
    return _cifar(path, _CIFAR10_BATCHES, "labels")


def cifar100(path):
    """Return CIFAR-100's 50,000 training images with the 100 fine classes, from its folder or tar.gz."""
    return _cifar(path, ["train"], "fine_labels")


def svhn(path):
    """Return SVHN's training images (train_32x32.mat) with 10 classes, the digit 0 being class 0; needs SciPy."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise _needs("scipy", path, error) from error
    try:
        content = loadmat(str(path))
        images, labels = content["X"].transpose(3, 0, 1, 2), content["y"].reshape(-1) % 10
    except Exception as error:  # noqa: BLE001 - loadmat raises nearly anything
        raise _damaged(path, error) from error
    return _source(path, np.ascontiguousarray(images), labels)


class _LsunSource(Source):
    """Images in an LMDB; a location is its key."""

    def open(self, index):
        with _lmdb(self.path).begin() as transaction:
            return io.BytesIO(transaction.get(self.locations[index]))

    def fingerprint(self):
        status = (Path(self.path) / "data.mdb").stat()
        return "{} {}".format(status.st_size, status.st_mtime_ns)


_databases: Dict[Tuple[int, str], Any] = {}


def _lmdb(path):
    """Return the database at this path, opened once in each process."""
    import lmdb

    key = (os.getpid(), path)
    if key not in _databases:
        _databases[key] = lmdb.open(path, readonly=True, lock=False, readahead=False)
    return _databases[key]


def lsun(path):
    """Return the images of an LSUN folder (`*_lmdb`), in the order of its keys; needs the package lmdb."""
    try:
        import lmdb
    except ImportError as error:
        raise _needs("lmdb", path, error) from error
    try:
        with _lmdb(str(path)).begin() as transaction:
            keys = [bytes(key) for key in transaction.cursor().iternext(keys=True, values=False)]
    except lmdb.Error as error:
        raise _damaged(path, error) from error
    return _LsunSource(str(path), [key.decode("latin1") for key in keys], keys, in_order=True)


class _Hdf5Images:
    """Fetches an image of an HDF5 file; opens it once in each process."""

    def __init__(self, path, key):
        self.path, self.key, self.opened = path, key, (None, None)

    def __call__(self, index):
        import h5py

        if self.opened[0] != os.getpid():
            self.opened = (os.getpid(), h5py.File(self.path, "r")[self.key])
        image = self.opened[1][index]
        return image[..., None] if image.ndim == 2 else image.transpose(1, 2, 0)

    def __getstate__(self):
        return {"path": self.path, "key": self.key, "opened": (None, None)}


def hdf5(path):
    """Return the images of an HDF5 file: its widest set whose name starts with `data`, NCHW; labels from `<base>-labels.npy`."""
    try:
        import h5py
    except ImportError as error:
        raise _needs("h5py", path, error) from error
    try:
        with h5py.File(str(path), "r") as file:
            widths = {key: file[key].shape[-1] for key in file if key.startswith("data") and len(file[key].shape) in (3, 4)}
            if not widths:
                raise OSError("no data set in it has a name that starts with 'data'")
            key = max(sorted(widths), key=widths.get)
            count, dtype = file[key].shape[0], file[key].dtype
    except OSError as error:
        raise _damaged(path, error) from error
    if dtype != np.uint8:
        raise _damaged(path, "its images are {}, not uint8".format(dtype))
    labels, beside = None, path.with_name(path.stem + "-labels.npy")
    if beside.is_file():
        try:
            labels = np.load(str(beside), allow_pickle=False).astype(np.float32)
            if len(labels) != count:
                raise ValueError("{} labels for {} images".format(len(labels), count))
        except Exception as error:  # noqa: BLE001 - a damaged header raises nearly anything
            raise _damaged(beside, error) from error
    names = ["{:08d}".format(i) for i in range(count)]
    identity = "{} {}".format(path.stat().st_size, path.stat().st_mtime_ns)
    return ArraySource(path, names, list(range(count)), _Hdf5Images(str(path), key), labels, identity)
