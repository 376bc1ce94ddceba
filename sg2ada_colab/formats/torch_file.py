"""Read the tensors of what `torch.save` wrote, as a zip archive or in the older form, without torch; nothing in it is run.

The older form is five pickles (a magic number, a version, facts on the machine, the content, the keys of the storages) and then
the numbers of each storage after their count. The zip archive holds the content alone, and each storage as a member of its own.
"""

import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, Dict, Mapping, Optional

import numpy as np

from ..byte_source import FileSource, MemorySource, Refused
from ..errors import UserError
from ..files import FilePath
from ..numpy_pickle import array_bytes, element_count
from ..unpickler import MALFORMED, MAX_TEXT_BYTES, ORDERED_DICT, Budget, Global, load

MAGIC, VERSION = 119547037146038801333356, 1001
HEAD = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little")  # how a file of the older form begins
MAX_WORDS = 200  # of an error that repeats names from the file
ENCRYPTED = 1  # flag of a member of a zip archive
STORAGES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class StorageType(Global):
    """The global "torch FloatStorage" and its kin: named, never called."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.dtype = np.dtype(dtype)


class Storage:
    """A flat piece of numbers that tensors are views of; `data` may come after the stream that names it."""

    def __init__(self, dtype: np.dtype, count: int) -> None:
        self.dtype, self.count = dtype, count
        self.data: Optional[np.ndarray] = None

    def fill(self, data: bytes) -> None:
        self.data = np.frombuffer(data, self.dtype)


class Tensor:
    """A strided view of a storage; nothing outside of the storage can be reached."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> None:
        if not isinstance(storage, Storage) or type(offset) is not int:
            raise Refused("it holds a tensor without data")
        count = element_count(size)
        if not isinstance(stride, tuple) or len(stride) != len(size) or any(type(step) is not int for step in stride):
            raise Refused("it holds a tensor of impossible strides")
        last = offset + sum(step * (side - 1) for step, side in zip(stride, size))
        if min(stride + (offset,)) < 0 or count > storage.count or (count and last >= storage.count):
            raise Refused(f"a tensor of shape {size} reaches outside its {storage.count:,} numbers")
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self) -> np.ndarray:
        """Return a view of the storage in the tensor's shape, read-only; raise Refused where its data did not come."""
        storage = self.storage
        if storage.data is None:
            raise Refused("it holds a tensor without data")
        if 0 in self.size:
            return np.zeros(self.size, storage.dtype)
        strides = [step * storage.dtype.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(storage.data[self.offset :], self.size, strides, writeable=False)


TENSOR_GLOBALS: Dict[str, Global] = {"torch " + name: StorageType(dtype) for name, dtype in STORAGES.items()}
TENSOR_GLOBALS["collections OrderedDict"] = ORDERED_DICT
TENSOR_GLOBALS["torch._utils _rebuild_tensor_v2"] = Global(call=Tensor)
for _name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
    TENSOR_GLOBALS["torch._utils " + _name] = Global(call=lambda data, *_: data)


def read_torch_weights(path: FilePath) -> Dict[str, np.ndarray]:
    """Return the state dict of a torch checkpoint (zip archive or the form before torch 1.6) as name → NumPy array.

    Raises:
        UserError: The file is cut off, is not a checkpoint, or holds anything but tensors.

    Arrays have the shapes and types of the file, torch's layouts: convolutions [out, in, kh, kw].
    """
    path = str(path)
    try:
        with open(path, "rb") as file:
            return weights_in(file, os.path.getsize(path))
    except Refused as error:
        raise UserError(
            f"{path} cannot be read as a file of weights: {error}",
            "a torch checkpoint that holds a dictionary of tensors and nothing else; nothing in the file was run",
            "fetch the file again; a copy that was cut off or saved by another program does not work",
        ) from error


def weights_in(file: BinaryIO, size_bytes: int) -> Dict[str, np.ndarray]:
    """Return the state dict in an open file of a size, see `read_torch_weights`; raise Refused if it is not one."""
    budget = Budget(size_bytes)
    try:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if is_zip:
            return _arrays(_read_zip(file, budget), budget)
        return _arrays(read_stream(FileSource(file, size_bytes), budget), budget)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) + MALFORMED as error:
        raise Refused(f"it is damaged ({str(error)[:MAX_WORDS] or type(error).__name__})") from error


def checkpoint_in(file: BinaryIO, size_bytes: int, more_globals: Mapping[str, Global]) -> Dict[str, Any]:
    """Return the content of a torch.save file, dicts with Tensors in them; raise Refused if it is not one.

    Args:
        more_globals: Dict "module name" → Global of what it may hold beside tensors.
    """
    budget, names = Budget(size_bytes), dict(TENSOR_GLOBALS, **more_globals)
    try:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if is_zip:
            return _read_zip(file, budget, names)
        return read_stream(FileSource(file, size_bytes), budget, names)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) + MALFORMED as error:
        raise Refused(f"it is damaged ({str(error)[:MAX_WORDS] or type(error).__name__})") from error


def read_stream(source: Any, budget: Budget, names: Mapping[str, Any] = TENSOR_GLOBALS) -> Any:
    """Return the content of a source in the older form, its storages filled; raise Refused if it is not one."""
    storages: Dict[Any, Storage] = {}
    if load(source, {}, None, budget) != MAGIC or load(source, {}, None, budget) != VERSION:
        raise Refused("it holds tensors in a form that is not known")
    facts = load(source, {}, None, budget)
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise Refused("it was written by a big-endian machine")
    content = load(source, names, lambda item: _named_storage(item, storages), budget)
    keys = load(source, {}, None, budget)
    if not isinstance(keys, list) or len(keys) != len(storages) or any(key not in storages for key in keys):
        raise Refused("it holds a tensor whose data is not beside it")
    for key in keys:
        storage = storages[key]
        (count,) = struct.unpack("<q", source.read(8))
        if count != storage.count or storage.data is not None:
            raise Refused(f"it holds a tensor of {count} numbers that says it has {storage.count}")
        storage.fill(source.payload(count * storage.dtype.itemsize))
    return content


def _named_storage(item, storages):
    """Return the Storage for the persistent id ('storage', class, key, device, count[, view])."""
    if not isinstance(item, tuple) or len(item) not in (5, 6) or item[0] != "storage" or any(item[5:]):
        raise Refused("it refers to data in an unknown way")
    _, kind, key, _, count = item[:5]
    if not isinstance(kind, StorageType) or not isinstance(key, str) or type(count) is not int or count < 0:
        raise Refused("it refers to data in an unknown way")
    storage = storages.setdefault(key, Storage(kind.dtype, count))
    if (storage.dtype, storage.count) != (kind.dtype, count):
        raise Refused("it refers to the same data in two ways")
    return storage


def _read_zip(file, budget, names=TENSOR_GLOBALS):
    """Return the content of a torch.save archive; a storage is read when the content names it."""
    archive = zipfile.ZipFile(file)
    storages: Dict[str, Storage] = {}
    index = next((name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl"), None)
    if index is None:
        raise Refused("it is a zip archive without torch's data.pkl")
    folder = index[: -len("data.pkl")]

    def persistent(item):
        storage = _named_storage(item, storages)
        if storage.data is None:
            storage.fill(_member(archive, folder + "data/" + item[2], storage.count * storage.dtype.itemsize, budget))
        return storage

    size = archive.getinfo(index).file_size
    if size > MAX_TEXT_BYTES:
        raise Refused(f"its data.pkl has {size:,} bytes")
    return load(MemorySource(_member(archive, index, size, budget)), names, persistent, budget)


def _member(archive, name, size, budget):
    """Return the bytes of a member of the expected size, which is checked before memory is taken."""
    if name not in archive.NameToInfo:
        raise Refused("it holds a tensor whose data is not beside it")
    member = archive.getinfo(name)
    if member.file_size != size:
        raise Refused(f"it holds a tensor of {size:,} bytes whose data has {member.file_size:,}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & ENCRYPTED:
        raise Refused("it is packed in a way that torch does not use")
    budget.spend_bytes(size)
    return archive.read(name)


def _arrays(content, budget):
    """Return the tensors in a state dict as arrays of their own; other values, such as a version number, are left out."""
    if not isinstance(content, dict):
        raise Refused("it holds no dictionary of tensors")
    arrays = {}
    for name, value in content.items():
        if isinstance(value, Tensor):
            view = value.array()
            budget.spend_bytes(array_bytes(view))
            arrays[name] = view.copy()
    return arrays
