"""What the readers of published collections share: arrays as sources, pickles read without running them, errors."""

import hashlib
import io
import pickle
import pickletools
import re

import numpy as np

from ..errors import UserError
from ..images.source import ArraySource


def array_source(path, images_nhwc, numbers=None, classes=0):
    """Return the `Source` of an array of images.

    Args:
        path: Where it comes from, for messages.
        images_nhwc: uint8 [N, H, W, C].
        numbers: Class of each image, integers [N]; None = no labels.
        classes: How many classes there are.

    Raises:
        UserError: Other than one class for each image, from 0 to `classes` - 1.
    """
    names = ["{:08d}".format(i) for i in range(len(images_nhwc))]
    labels = None
    if numbers is not None:
        numbers = np.asarray(numbers)
        if numbers.shape != (len(names),):
            raise damaged(path, "{} images but {} labels".format(len(names), len(numbers)))
        if len(numbers) and not (numbers.dtype.kind in "iu" and 0 <= numbers.min() <= numbers.max() < classes):
            raise damaged(path, "its labels are not all from 0 to {}".format(classes - 1))
        labels = np.eye(classes, dtype=np.float32)[numbers.astype(np.int64)]
    identity = hashlib.sha256(np.ascontiguousarray(images_nhwc)).hexdigest()
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


# NumPy's own reconstruction trusts what a pickle says about types and sizes, down to crashes, so stand-ins take its place.


class _Dtype:
    """What a pickle says about an array's type; only plain numbers are taken."""

    def __init__(self, code, *_):
        self.code, self.order = code, "|"

    def __setstate__(self, state):
        _, self.order, subtype, names, fields = state[:5]
        if subtype is not None or names or fields:
            raise pickle.UnpicklingError("its arrays are not of plain numbers")

    def real(self):
        if not re.match("^[biuf][1248]$", str(self.code)) or self.order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("its arrays are of the type {!r}".format(self.code))
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """An array of a pickle; `value` is the real one."""

    value = None

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, data = state
        self.value = _from_bytes(data, dtype, shape, "F" if is_fortran else "C")


def _from_bytes(data, dtype, shape, order="C"):
    if min(shape, default=0) < 0:
        raise pickle.UnpicklingError("an array has the shape {}".format(shape))
    data = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote text
    kind = dtype.real()
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("the content of an array is a {}".format(type(data).__name__))
    return np.frombuffer(data, kind).reshape(shape, order=order)


def _scalar(dtype, data):
    return _from_bytes(data, dtype, (1,))[0]


def _encode(text, encoding):
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it holds text in {!r}".format(encoding))
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of plain containers and arrays, which these collections are, and refuses all else."""

    _MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
    _NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
    _STAND_INS = {
        "ndarray": (("numpy",), _Array),
        "dtype": (("numpy",), _Dtype),
        "_reconstruct": (_MULTIARRAY, lambda *_: _Array()),
        "scalar": (_MULTIARRAY, _scalar),
        "_frombuffer": (_NUMERIC, _from_bytes),
        "encode": (("_codecs",), _encode),
        "bytes": (("builtins", "__builtin__"), lambda: b""),  # how old protocols write no bytes
    }

    def find_class(self, module, name):
        modules, stand_in = self._STAND_INS.get(name, ((), None))
        if module in modules:
            return stand_in
        raise pickle.UnpicklingError("it refers to {}.{}, which such a file has no use for".format(module, name))


def _plain(value, done):
    """Return containers with the real arrays in place of the stand-ins; `done` holds what each has become, by its id."""
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array has no content")
        return value.value
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:  # once each, however often the pickle refers to it
        if isinstance(value, dict):
            done[id(value)] = {key: _plain(part, done) for key, part in value.items()}
        else:
            done[id(value)] = type(value)(_plain(part, done) for part in value)
    return done[id(value)]


def _check_sizes(data):
    """Raise UnpicklingError where a pickle announces more than it has: the real reader would make room for it first."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name.endswith("PUT") and int(argument) > len(data):
            raise pickle.UnpicklingError("it numbers an object {}".format(argument))


def unpickled(path, data):
    """Return the plain containers and arrays in the bytes of a pickle; nothing in it is run. Raises UserError."""
    try:
        _check_sizes(data)
        return _plain(_ArrayUnpickler(io.BytesIO(data), encoding="latin1").load(), {})
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises nearly anything
        raise damaged(path, error) from error
