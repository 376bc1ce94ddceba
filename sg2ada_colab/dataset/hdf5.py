"""The HDF5 files of the original's tool: `data{r}x{r}` for every size down to 1, labels in `<base>-labels.npy` beside them."""

import os
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..images.progress import Progress
from ..images.source import ArraySource
from .disk import disk_error
from .published import damaged, needs_package
from .pyramid import pyramid

_BATCH_BYTES = 16 << 20
_GZIP_LEVEL = 4


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


def _labels_path(path):
    return path.with_name(path.stem + "-labels.npy")


def _h5py(path):
    try:
        import h5py
    except ImportError as error:
        raise needs_package("h5py", path, error) from error
    return h5py


def hdf5(path):
    """Return the images of an HDF5 file: its widest set whose name starts with `data`, NCHW; labels from `<base>-labels.npy`."""
    h5py = _h5py(path)
    try:
        with h5py.File(str(path), "r") as file:
            widths = {key: file[key].shape[-1] for key in file if key.startswith("data") and len(file[key].shape) in (3, 4)}
            if not widths:
                raise OSError("no data set in it has a name that starts with 'data'")
            key = max(sorted(widths), key=widths.get)
            count, dtype = file[key].shape[0], file[key].dtype
    except OSError as error:
        raise damaged(path, error) from error
    if dtype != np.uint8:
        raise damaged(path, "its images are {}, not uint8".format(dtype))
    labels, beside = None, _labels_path(path)
    if beside.is_file():
        try:
            labels = np.load(str(beside), allow_pickle=False).astype(np.float32)
            if len(labels) != count:
                raise ValueError("{} labels for {} images".format(len(labels), count))
        except Exception as error:  # noqa: BLE001 - a damaged header raises nearly anything
            raise damaged(beside, error) from error
    names = ["{:08d}".format(i) for i in range(count)]
    identity = "{} {}".format(path.stat().st_size, path.stat().st_mtime_ns)
    return ArraySource(path, names, list(range(count)), _Hdf5Images(str(path), key), labels, identity)


def write_hdf5(path, read, count, shape_chw, labels=None, compress=False, progress=True):
    """Write images and their repeated 2x2 means as HDF5, under a temporary name until it is whole.

    Args:
        path: File to make, and beside it `<base>-labels.npy` where there are labels; must not exist.
        read: Function from an int array of indices [n] to uint8 [n, C, R, R].
        count: Number of images.
        shape_chw: (C, R, R), R a power of two.
        labels: float32 [count, L], or None.
        compress: Compress with gzip, level 4.
        progress: Show a progress bar.
    """
    path = Path(os.path.abspath(str(path)))
    h5py = _h5py(path)
    if path.exists():
        raise UserError("{} exists already".format(path), "a new name", "choose another name, or delete it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    packing = {"compression": "gzip", "compression_opts": _GZIP_LEVEL} if compress else {}
    channels, resolution = shape_chw[0], shape_chw[1]
    step = max(1, _BATCH_BYTES // (8 * channels * resolution**2))
    try:
        with h5py.File(str(temporary), "w") as file, Progress(progress, count, "Writing") as bar:
            levels = [
                file.create_dataset("data{0}x{0}".format(r), (count, channels, r, r), np.uint8, **packing)
                for r in (resolution >> k for k in range(resolution.bit_length()))
            ]
            for start in range(0, count, step):
                rows = np.arange(start, min(start + step, count))
                for level, means in zip(levels, pyramid(read(rows), smallest_px=1)):
                    level[start : start + len(rows)] = means
                bar.update(len(rows))
        _flushed_rename(temporary, path, labels)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise disk_error(error, path) from error


def _flushed_rename(temporary, path, labels):
    if labels is not None:
        beside = _labels_path(path)
        with open(str(beside) + ".tmp", "wb") as file:
            np.save(file, labels)
            file.flush()
            os.fsync(file.fileno())
        os.replace(str(beside) + ".tmp", str(beside))
    with open(str(temporary), "r+b") as file:
        os.fsync(file.fileno())
    os.replace(str(temporary), str(path))
