"""Read the snapshots of stylegan2-ada-pytorch and stylegan3 (`--cfg=stylegan2`) without torch and without running them."""

import numpy as np

from .numpy_pickle import NUMPY_GLOBALS, element_count
from .unpickler import Global, MemorySource, Refused, load

LEGACY_MAGIC = 119547037146038801333356  # opens a torch.save stream of the form without a zip archive
LEGACY_VERSION = 1001
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
MAX_MODULES = 2000  # a 1024x1024 snapshot has about 300
MAX_MODULE_DEPTH = 10


class Module:
    """An object of one of NVIDIA's persistent classes: its class name and its attributes; the source text with it is not used."""

    def __init__(self, class_name, state):
        self.class_name, self.state = class_name, state

    def children(self):
        modules = self.state.get("_modules", {})
        return {name: child for name, child in checked_dict(modules).items() if isinstance(child, Module)}

    def tensors(self):
        """Return dict "b4.conv1.weight" → array of all parameters and buffers under this module."""
        found, left = {}, [MAX_MODULES]
        self._collect("", found, left, 0)
        return found

    def _collect(self, prefix, found, left, depth):
        left[0] -= 1
        if left[0] < 0 or depth > MAX_MODULE_DEPTH:
            raise Refused("its modules are nested without end")
        for kind in ("_parameters", "_buffers"):
            for name, value in checked_dict(self.state.get(kind, {})).items():
                if isinstance(value, np.ndarray):
                    found["{}{}".format(prefix, name)] = value
        for name, child in self.children().items():
            child._collect("{}{}.".format(prefix, name), found, left, depth + 1)


class Storage:
    """A flat piece of numbers that tensors are views of; `data` comes after the stream that names it."""

    def __init__(self, dtype, count):
        self.dtype, self.count, self.data = dtype, count, None


def checked_dict(value):
    if not isinstance(value, dict):
        raise Refused("it holds a module that is put together in an unknown way")
    return value


def _module(meta):
    meta = checked_dict(meta)
    if meta.get("type") != "class" or not isinstance(meta.get("class_name"), str):
        raise Refused("it holds an object that is not a network module")
    return Module(meta["class_name"], checked_dict(meta.get("state")))


def _storage(data):
    """Return the Storage in the bytes of a torch.save stream: four small pickles, then one piece of numbers."""
    if not isinstance(data, (bytes, memoryview)):
        raise Refused("it holds a tensor without data")
    source, storages = MemorySource(data), {}
    if load(source, {}) != LEGACY_MAGIC or load(source, {}) != LEGACY_VERSION:
        raise Refused("it holds a tensor in a form that is not known")
    if checked_dict(load(source, {})).get("little_endian") is not True:
        raise Refused("it was written by a big-endian machine")
    storage = load(source, STORAGE_GLOBALS, lambda item: _named_storage(item, storages))
    keys = load(source, {})
    if not isinstance(storage, Storage) or not isinstance(keys, list) or len(keys) != 1 or storages.get(keys[0]) is not storage:
        raise Refused("it holds a tensor whose data is not beside it")
    count = int(np.frombuffer(source.read(8), "<i8")[0])
    if count != storage.count:
        raise Refused("it holds a tensor of {} numbers that says it has {}".format(count, storage.count))
    storage.data = np.frombuffer(source.payload(count * storage.dtype.itemsize), storage.dtype)
    return storage


def _named_storage(item, storages):
    """Return the Storage for the persistent id ('storage', class, key, device, count[, view])."""
    if not isinstance(item, tuple) or len(item) not in (5, 6) or item[0] != "storage" or any(item[5:]):
        raise Refused("it refers to data in an unknown way")
    _, kind, key, _, count = item[:5]
    if not isinstance(kind, StorageType) or not isinstance(key, str) or type(count) is not int or count < 0:
        raise Refused("it refers to data in an unknown way")
    return storages.setdefault(key, Storage(kind.dtype, count))


class StorageType(Global):
    """The global "torch FloatStorage" and its kin: named, never called."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = np.dtype(dtype)


def _tensor(storage, offset, size, stride, *_):
    """Return the view of a storage that a tensor is; strides are honoured, and nothing outside of the storage can be reached."""
    if not isinstance(storage, Storage) or storage.data is None or type(offset) is not int or offset < 0:
        raise Refused("it holds a tensor without data")
    count = element_count(size)
    if not isinstance(stride, tuple) or len(stride) != len(size) or any(type(step) is not int or step < 0 for step in stride):
        raise Refused("it holds a tensor of impossible strides")
    last = offset + sum(step * (side - 1) for step, side in zip(stride, size))
    if count > storage.count or (count and last >= storage.count):
        raise Refused("it holds a tensor that reaches outside of its data")
    if not count:
        return np.zeros(size, storage.dtype)
    item = storage.dtype.itemsize
    return np.lib.stride_tricks.as_strided(storage.data[offset:], size, [step * item for step in stride], writeable=False)


STORAGE_GLOBALS = {"torch " + name: StorageType(dtype) for name, dtype in STORAGES.items()}
TORCH_GLOBALS = dict(
    NUMPY_GLOBALS,
    **{
        "torch_utils.persistence _reconstruct_persistent_obj": Global(call=_module),
        "collections OrderedDict": Global(call=lambda *_: {}),
        "builtins set": Global(call=lambda *_: set()),
        "dnnlib.util EasyDict": Global(new=lambda *_: {}),
        "torch._utils _rebuild_parameter": Global(call=lambda data, *_: data),
        "torch._utils _rebuild_parameter_with_state": Global(call=lambda data, *_: data),
        "torch._utils _rebuild_tensor_v2": Global(call=_tensor),
        "torch.storage _load_from_bytes": Global(call=_storage),
    },
)
