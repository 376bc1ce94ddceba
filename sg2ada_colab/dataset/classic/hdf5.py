"""The HDF5 files of the original's tool: `data{r}x{r}` for every size down to 1, labels in `<base>-labels.npy` beside them."""

import io
import os
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from ...errors import UserError
from ...files import FilePath, atomic_file, atomic_path
from ...images.progress import Progress
from ...images.source import ArraySource, Source
from ..disk import disk_error
from ..pyramid import pyramid
from .published import damaged, needs_package

_BATCH_BYTES = 16 << 20
_GZIP_LEVEL = 4
_MOST_PACKED = 1100  # how many times smaller than its images a file may be: gzip reaches 1032


class _Hdf5Images:
    """Fetches an image of an HDF5 file; opens it once in each process."""

    def __init__(self, path: FilePath, key: str) -> None:
        self.path, self.key = path, key
        self.opened: Any = (None, None)  # (process, the open array)

    def __call__(self, index: int) -> np.ndarray:
        import h5py

        try:
            if self.opened[0] != os.getpid():
                self.opened = (os.getpid(), h5py.File(self.path, "r")[self.key])
            image = self.opened[1][index]
        except (KeyError, RuntimeError, ValueError) as error:  # h5py's errors for what is damaged
            raise OSError(" ".join(str(error).split())) from error
        return image[..., None] if image.ndim == 2 else image.transpose(1, 2, 0)

    def __getstate__(self) -> Dict[str, Any]:
        return {"path": self.path, "key": self.key, "opened": (None, None)}


def _labels_path(path):
    return path.with_name(path.stem + "-labels.npy")


def _h5py(path):
    try:
        import h5py
    except ImportError as error:
        raise needs_package("h5py", path, error) from error
    return h5py


def _arrays(h5py, file):
    """Yield (name, array) of an HDF5 file's own arrays: none by a link to another file, none whose numbers lie in another."""
    for key in file:
        if isinstance(file.get(key, getlink=True), h5py.HardLink):
            array = file[key]
            if isinstance(array, h5py.Dataset) and not array.external and not getattr(array, "is_virtual", False):
                yield key, array


def hdf5(path: Path) -> Source:
    """Return the images of an HDF5 file: its widest set whose name starts with `data`, NCHW; labels from `<base>-labels.npy`.

    Images are uint8 [N, C, H, W], C = 1 or 3. Raises UserError where the file, or the labels beside it, are damaged or others.
    """
    h5py = _h5py(path)
    try:
        with h5py.File(str(path), "r") as file:
            levels = {key: level for key, level in _arrays(h5py, file) if key.startswith("data") and level.ndim in (3, 4)}
            if not levels:
                raise OSError("no dataset in it has a name that starts with 'data'")
            key = max(sorted(levels), key=lambda key: levels[key].shape[-1])
            shape, dtype, stored_bytes = levels[key].shape, levels[key].dtype, levels[key].id.get_storage_size()
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:  # h5py's for what is damaged
        raise damaged(path, error) from error
    if dtype != np.uint8:
        raise damaged(path, f"its images are {dtype}, not uint8")
    if min(shape) < 1 or (len(shape) == 4 and shape[1] not in (1, 3)):
        raise damaged(path, f"its images are {shape} (number, channels, height, width)")
    if int(np.prod(shape, dtype=np.float64)) > _MOST_PACKED * stored_bytes:
        raise damaged(path, f"its images are {shape}, but only {stored_bytes} bytes are stored")
    count = shape[0]
    labels, beside = None, _labels_path(path)
    if beside.is_file():
        try:
            labels = np.load(str(beside), allow_pickle=False).astype(np.float32)
            if len(labels) != count:
                raise ValueError(f"{len(labels)} labels for {count} images")
        except Exception as error:  # noqa: BLE001 - a damaged header raises nearly anything
            raise damaged(beside, error) from error
    names = [f"{i:08d}" for i in range(count)]
    identity = f"{path.stat().st_size} {path.stat().st_mtime_ns}"
    return ArraySource(path, names, list(range(count)), _Hdf5Images(str(path), key), labels, identity)


def write_hdf5(
    path: FilePath,
    read: Callable,
    count: int,
    shape_chw: Sequence[int],
    labels: Optional[np.ndarray] = None,
    compress: bool = False,
    progress: bool = True,
) -> None:
    """Write images and their repeated 2x2 means as HDF5, under a temporary name until it is complete.

    Args:
        path: File to make, and beside it `<base>-labels.npy` where there are labels; must not exist.
        read: Function from an int array of indices [n] to uint8 [n, C, R, R].
        count: Number of images.
        shape_chw: (C, R, R), R a power of two.
        labels: float32 [count, L], or None.
        compress: Compress with gzip, level 4.
        progress: Show a progress bar.

    Raises:
        UserError: The file exists already, or the disk does not take it.
    """
    path = Path(os.path.abspath(str(path)))
    h5py = _h5py(path)
    if path.exists():
        raise UserError(f"{path} exists already", "a new name", "choose another name, or delete it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    packing = {"compression": "gzip", "compression_opts": _GZIP_LEVEL} if compress else {}
    try:
        with atomic_path(path) as temporary:
            with h5py.File(temporary, "w") as file, Progress(progress, count, "Writing") as bar:
                _write_levels(file, read, count, shape_chw, packing, bar)
            if labels is not None:
                # First: a file of images without its labels would be taken for all.
                with atomic_file(_labels_path(path)) as beside:
                    beside.write(_npy_bytes(labels))
    except OSError as error:
        raise disk_error(error, path) from error


def _write_levels(file, read, count, shape_chw, packing, bar):
    """Write the images to an open HDF5 file, one array for each size down to 1."""
    channels, resolution = shape_chw[0], shape_chw[1]
    levels = [
        file.create_dataset(f"data{r}x{r}", (count, channels, r, r), np.uint8, **packing)
        for r in (resolution >> k for k in range(resolution.bit_length()))
    ]
    step = max(1, _BATCH_BYTES // (8 * channels * resolution**2))
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        for level, means in zip(levels, pyramid(read(rows), smallest_px=1)):
            level[start : start + len(rows)] = means
        bar.update(len(rows))


def _npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
