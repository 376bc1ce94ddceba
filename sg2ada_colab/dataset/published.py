"""What the readers of published collections share: arrays as sources, pickles read without running them, errors."""

import hashlib
import importlib
import io
import pickle

import numpy as np

from ..errors import UserError
from ..images.source import ArraySource


def array_source(path, images_nhwc, labels, identity=None):
    """Return the `Source` of an array of images.

    Args:
        path: Where it comes from, for messages.
        images_nhwc: uint8 [N, H, W, C].
        labels: Class numbers [N], float rows [N, L], or None.
        identity: Text that changes with the images; None = their SHA-256.
    """
    names = ["{:08d}".format(i) for i in range(len(images_nhwc))]
    if labels is not None and np.ndim(labels) == 1:
        labels = np.eye(int(np.max(labels)) + 1, dtype=np.float32)[np.asarray(labels, np.int64)]
    identity = identity or hashlib.sha256(np.ascontiguousarray(images_nhwc)).hexdigest()
    return ArraySource(path, names, list(range(len(images_nhwc))), images_nhwc.__getitem__, labels, identity)


def damaged(path, error):
    """Return the UserError for a file that is not as its authors publish it."""
    return UserError(
        "{} cannot be read: {}".format(path, " ".join(str(error).split()) or type(error).__name__),
        "the file as its authors publish it",
        "download it again",
    )


def needs_package(package, path, error):
    """Return the UserError for a file whose reader is not installed."""
    return UserError(
        "reading {} needs the package {} ({})".format(path, package, error),
        "{} installed".format(package),
        "pip install " + package,
    )


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


def unpickled(path, data):
    """Return the plain containers and arrays in the bytes of a pickle; nothing in it is run. Raises UserError."""
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises nearly anything
        raise damaged(path, error) from error
