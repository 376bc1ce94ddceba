"""What the readers of published collections share: arrays as sources, pickles read without running them, errors."""

import hashlib
from typing import Any

import numpy as np

from ...byte_source import MemorySource, Refused
from ...errors import UserError
from ...files import FilePath
from ...images.source import ArraySource, Source
from ...numpy_pickle import NUMPY_GLOBALS, Array
from ...unpickler import Budget, load


def array_source(path: FilePath, images_nhwc: np.ndarray, numbers: Any = None, classes: int = 0) -> Source:
    """Return the `Source` of an array of images.

    Args:
        path: Where it comes from, for messages.
        images_nhwc: uint8 [N, H, W, C].
        numbers: Class of each image, integers [N]; None = no labels.
        classes: How many classes there are.

    Raises:
        UserError: Other than one class for each image, from 0 to `classes` - 1.
    """
    names = [f"{i:08d}" for i in range(len(images_nhwc))]
    labels = None
    if numbers is not None:
        numbers = np.asarray(numbers)
        if numbers.shape != (len(names),):
            raise damaged(path, f"{len(names)} images but {len(numbers)} labels")
        if len(numbers) and not (numbers.dtype.kind in "iu" and 0 <= numbers.min() <= numbers.max() < classes):
            raise damaged(path, f"its labels are not all from 0 to {classes - 1}")
        labels = np.eye(classes, dtype=np.float32)[numbers.astype(np.int64)]
    identity = hashlib.sha256(np.ascontiguousarray(images_nhwc).data).hexdigest()
    return ArraySource(path, names, list(range(len(images_nhwc))), images_nhwc.__getitem__, labels, identity)


def damaged(path: FilePath, error: Any) -> UserError:
    """Return the UserError for a file that is not as its authors publish it."""
    return UserError(
        "{} cannot be read: {}".format(path, " ".join(str(error).split()) or type(error).__name__),
        "the file as its authors publish it",
        "download it again",
    )


def needs_package(package: str, path: FilePath, error: Any) -> UserError:
    """Return the UserError for a file whose reader is not installed."""
    return UserError(
        f"reading {path} needs the package {package} ({error})",
        f"{package} installed",
        "pip install " + package,
    )


def _plain(value, done):
    """Return containers with the real arrays in place of the placeholders; `done` maps the id of each to its result."""
    if isinstance(value, Array):
        if value.value is None:
            raise Refused("an array has no content")
        return value.value
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:  # once each, however often the pickle refers to it
        if isinstance(value, dict):
            done[id(value)] = {key: _plain(part, done) for key, part in value.items()}
        else:
            done[id(value)] = type(value)(_plain(part, done) for part in value)
    return done[id(value)]


def unpickled(path: FilePath, data: bytes) -> Any:
    """Return the plain containers and arrays in the bytes of a pickle; nothing in it is run. Raises UserError."""
    try:
        return _plain(load(MemorySource(data), NUMPY_GLOBALS, budget=Budget(len(data), text_bytes=len(data)), oldest=0), {})
    except (Refused, RecursionError) as error:
        raise damaged(path, error) from error
