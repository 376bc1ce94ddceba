"""The small collections that the original's tool converts: MNIST, CIFAR-10 and -100, SVHN; and which path is which."""

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from ...errors import UserError
from ...files import open_plain
from ...images.source import ArraySource, Source
from ...words import size_text
from .hdf5 import hdf5
from .lsun import lsun
from .published import array_source, damaged, needs_package, unpickled

_MOST_BYTES = 1 << 30  # of one file, unpacked; the largest of these collections has 200 MB
_MNIST_IMAGES = "train-images-idx3-ubyte"
_MNIST_LABELS = "train-labels-idx1-ubyte"
_CIFAR10_BATCHES = [f"data_batch_{i}" for i in range(1, 6)]
_SVHN_PARTS = [f"train_{i}.pkl" for i in range(1, 4)]


def recognised(path: Path) -> Optional[Callable]:
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
        if set(_SVHN_PARTS) <= files:
            return svhn_pickles
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


def _content(path):
    """Return the bytes of a file, unpacked where its name ends in .gz; raises UserError."""
    try:
        with open_plain(path) as file:
            return _all_of(gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(path, getattr(error, "strerror", None) or error) from error


def _all_of(file):
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it holds over {size_text(_MOST_BYTES)}")
    return data


def _idx(path, dimensions):
    """Return the uint8 array of an IDX file, plain or gzipped."""
    file = path if path.is_file() else path.with_name(path.name + ".gz")
    try:
        data = _content(file)
        if data[:4] != bytes([0, 0, 8, dimensions]):
            raise ValueError("it does not begin as an IDX file of bytes")
        shape = tuple(int(n) for n in np.frombuffer(data, ">i4", dimensions, 4))
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise damaged(file, error) from error


def _mnist_digits(path):
    """Return MNIST's training images, padded from 28 to 32 pixels with black: uint8 [N, 32, 32]."""
    return np.pad(_idx(path / _MNIST_IMAGES, 3), [(0, 0), (2, 2), (2, 2)], "constant")


def mnist(path: Path) -> Source:
    """Return MNIST's training images, padded from 28 to 32 pixels, grey, with 10 classes.

    Raises UserError where a file is missing or damaged.
    """
    images, numbers = _mnist_digits(path), _idx(path / _MNIST_LABELS, 1)
    return array_source(path, images[..., None], numbers, 10)


class _StackedDigits:
    """Fetches RGB images whose channels are three digits each; a class so that it can be sent to another process."""

    def __init__(self, digits: np.ndarray) -> None:
        self.digits = digits

    def __call__(self, triple: Any) -> np.ndarray:
        return self.digits[list(triple)].transpose(1, 2, 0)


def mnist_rgb(path: Path, num_images: int = 1000000, seed: int = 123) -> Source:
    """Return RGB images of 32 pixels whose three channels are three MNIST digits drawn at random; no labels.

    Args:
        path: MNIST's folder, as a Path.
        num_images: How many to draw.
        seed: Of NumPy's `RandomState`, from which `num_images` triples come.

    Raises:
        UserError: `num_images` is below 1, or the folder does not hold MNIST.
    """
    if num_images < 1:
        raise UserError(f"--num_images is {num_images}", "1 or more", "leave it out for a million")
    digits = _mnist_digits(path)
    triples = np.random.RandomState(seed).randint(len(digits), size=(num_images, 3))
    names = [f"{i:08d}" for i in range(num_images)]
    return ArraySource(path, names, list(triples), _StackedDigits(digits), None, f"{len(digits)} {num_images} {seed}")


def _cifar_files(path, names):
    """Return the unpickled files of these names from a folder or from the published tar.gz."""
    if path.is_dir():
        return [unpickled(path / name, _content(path / name)) for name in names]
    found = {}
    try:
        with tarfile.open(str(path)) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if member.isfile() and name in names:
                    found[name] = _all_of(archive.extractfile(member))
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(path, error) from error
    if set(found) != set(names):
        raise damaged(path, "it lacks " + ", ".join(sorted(set(names) - set(found))))
    return [unpickled(path, found[name]) for name in names]


def _cifar(path, names, label_key, classes):
    batches = _cifar_files(path, names)
    try:
        batches = [{str(key): value for key, value in batch.items()} for batch in batches]
        images = np.concatenate([np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32) for batch in batches])
        numbers = np.concatenate([np.asarray(batch[label_key]) for batch in batches])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error
    return array_source(path, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), numbers, classes)


def cifar10(path: Path) -> Source:
    """Return CIFAR-10's 50,000 training images with 10 classes, from its folder or tar.gz.

    Raises UserError where a file is missing or damaged.
    """
    return _cifar(path, _CIFAR10_BATCHES, "labels", 10)


def cifar100(path: Path) -> Source:
    """Return CIFAR-100's 50,000 training images with the 100 fine classes, from its folder or tar.gz.

    Raises UserError where a file is missing or damaged.
    """
    return _cifar(path, ["train"], "fine_labels", 100)


def svhn(path: Path) -> Source:
    """Return SVHN's training images (train_32x32.mat) with 10 classes, the digit 0 being class 0; needs SciPy.

    Raises UserError where the file is damaged, or the package scipy missing.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise needs_package("scipy", path, error) from error
    try:
        content = loadmat(str(path))
        images, digits = content["X"].transpose(3, 0, 1, 2), content["y"].reshape(-1) % 10
    except Exception as error:  # noqa: BLE001 - loadmat raises nearly anything
        raise damaged(path, error) from error
    return array_source(path, np.ascontiguousarray(images), digits, 10)


def svhn_pickles(path: Path) -> Source:
    """Return SVHN's training images from a folder with train_1.pkl, train_2.pkl, train_3.pkl, with 10 classes.

    Each is a pair: uint8 images [N, 3, 32, 32] and digits [N] from 0 to 9.

    Raises UserError where one of them is damaged or holds something else.
    """
    parts = []
    for name in _SVHN_PARTS:
        file = path / name
        part = unpickled(file, _content(file))
        try:
            images, digits = (np.asarray(array) for array in part)
            if images.dtype != np.uint8 or images.shape[1:] != (3, 32, 32) or digits.reshape(-1).shape != images.shape[:1]:
                raise ValueError(f"it holds {images.dtype} {images.shape} and {digits.shape}")
        except (ValueError, TypeError) as error:
            raise damaged(file, error) from error
        parts.append((images, digits.reshape(-1)))
    images, digits = (np.concatenate(arrays) for arrays in zip(*parts))
    return array_source(path, np.ascontiguousarray(images.transpose(0, 2, 3, 1)), digits, 10)
