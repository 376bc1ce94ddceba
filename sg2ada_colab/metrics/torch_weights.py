"""Read the tensors of a torch checkpoint with the standard library and NumPy alone; nothing in the file is ever run."""

import collections
import io
import pickle
import struct
import zipfile

import numpy as np

from ..errors import UserError

STORAGE_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

_Storage = collections.namedtuple("_Storage", ["dtype", "key"])
_Tensor = collections.namedtuple("_Tensor", ["storage", "offset", "shape", "strides"])


class _TensorUnpickler(pickle.Unpickler):
    """Knows tensors and plain containers; refuses every other name."""

    def __init__(self, stream):
        super().__init__(stream, encoding="latin1")
        self.dtypes = {}  # storage key -> dtype

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in STORAGE_DTYPES:
            return np.dtype(STORAGE_DTYPES[name])
        raise pickle.UnpicklingError("the file asks for {}.{}, which is no tensor".format(module, name))

    def persistent_load(self, pid):
        _, dtype, key = pid[:3]
        self.dtypes[key] = dtype
        return _Storage(dtype, key)


def read_torch_weights(path):
    """Return the state dict of a torch checkpoint (zip format or the one before torch 1.6) as name -> NumPy array.

    Raises:
        UserError: The file is cut off, is no checkpoint, or holds anything but tensors.
    """
    try:
        with open(str(path), "rb") as stream:
            content = stream.read()
        loaded, storages = (_read_zip if content[:2] == b"PK" else _read_legacy)(io.BytesIO(content))
        if not isinstance(loaded, dict):
            raise ValueError("it holds a {} and no dictionary of tensors".format(type(loaded).__name__))
        return {name: _to_array(value, storages) for name, value in loaded.items() if isinstance(value, _Tensor)}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, IndexError, TypeError, AttributeError, struct.error,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise UserError(
            "{} cannot be read as a file of weights: {}".format(path, error),
            "a torch checkpoint that holds a dictionary of tensors and nothing else",
            "fetch the file again; a copy that was cut off or saved by another program does not work",
        ) from error


def _read_zip(stream):
    archive = zipfile.ZipFile(stream)
    index = next(name for name in archive.namelist() if name.endswith("data.pkl"))
    loaded = _TensorUnpickler(io.BytesIO(archive.read(index))).load()
    folder = index[: -len("data.pkl")] + "data/"
    return loaded, {name[len(folder) :]: archive.read(name) for name in archive.namelist() if name.startswith(folder)}


def _read_legacy(stream):
    for _ in range(3):  # magic number, protocol, facts about the writing system
        _TensorUnpickler(stream).load()
    unpickler = _TensorUnpickler(stream)
    loaded, storages = unpickler.load(), {}
    for key in _TensorUnpickler(stream).load():  # then the storages in this order, each after its length
        (count,) = struct.unpack("<q", stream.read(8))
        storages[key] = stream.read(count * unpickler.dtypes[key].itemsize)
    return loaded, storages


def _to_array(tensor, storages):
    """Return the strided view that the tensor is of its storage, copied; bounds are checked, for the file may lie."""
    flat = np.frombuffer(storages[tensor.storage.key], tensor.storage.dtype)
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if min((tensor.offset,) + tuple(tensor.strides) + tuple(tensor.shape)) < 0 or (0 not in tensor.shape and last >= len(flat)):
        raise ValueError("a tensor of shape {} reaches outside its {} numbers".format(tuple(tensor.shape), len(flat)))
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, flat.dtype)
    strides = [stride * flat.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides).copy()
