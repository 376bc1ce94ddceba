"""Read the snapshots of stylegan2-ada-pytorch and stylegan3 (`--cfg=stylegan2`) without torch and without running them."""

from typing import Any, Dict

import numpy as np

from ..byte_source import MemorySource, Refused
from ..numpy_pickle import NUMPY_GLOBALS, array_bytes
from ..unpickler import Budget, Global
from .torch_file import TENSOR_GLOBALS, Storage, Tensor, read_stream

MAX_MODULES = 2000  # a 1024x1024 snapshot has about 300
MAX_MODULE_DEPTH = 10


class Module:
    """An object of one of NVIDIA's persistent classes: its class name and its attributes; the source text with it is not used."""

    def __init__(self, class_name: str, state: Dict[str, Any], budget: Budget) -> None:
        self.class_name, self.state, self._budget = class_name, state, budget

    def children(self) -> Dict[str, "Module"]:
        """Return {name: Module} of the modules directly below."""
        modules = self.state.get("_modules", {})
        return {name: child for name, child in checked_dict(modules).items() if isinstance(child, Module)}

    def tensors(self) -> Dict[str, np.ndarray]:
        """Return dict "b4.conv1.weight" → array of all parameters and buffers under this module.

        Raises Refused where modules are nested without end.
        """
        left = [MAX_MODULES]
        found: Dict[str, np.ndarray] = {}
        self._collect("", found, left, 0)
        return found

    def _collect(self, prefix, found, left, depth):
        left[0] -= 1
        if left[0] < 0 or depth > MAX_MODULE_DEPTH:
            raise Refused("its modules are nested without end")
        for kind in ("_parameters", "_buffers"):
            for name, value in checked_dict(self.state.get(kind, {})).items():
                if isinstance(value, np.ndarray):  # a file may give one tensor many names, and each becomes an array
                    self._budget.spend_instructions(1)
                    self._budget.spend_bytes(array_bytes(value))
                    found[f"{prefix}{name}"] = value
        for name, child in self.children().items():
            child._collect(f"{prefix}{name}.", found, left, depth + 1)


def checked_dict(value: Any) -> Dict[Any, Any]:
    """Return a value that is a dict; raise Refused for anything else."""
    if not isinstance(value, dict):
        raise Refused("it holds a module that is put together in an unknown way")
    return value


def _module(budget, meta):
    meta = checked_dict(meta)
    if meta.get("type") != "class" or not isinstance(meta.get("class_name"), str):
        raise Refused("it holds an object that is not a network module")
    return Module(meta["class_name"], checked_dict(meta.get("state")), budget)


def _storage(budget, data):
    """Return the Storage in the bytes of a torch.save stream within the pickle."""
    if not isinstance(data, (bytes, memoryview)):
        raise Refused("it holds a tensor without data")
    storage = read_stream(MemorySource(data), budget)
    if not isinstance(storage, Storage):
        raise Refused("it holds a tensor whose data is not beside it")
    return storage


def _tensor(budget, *parts):
    array = Tensor(*parts).array()
    budget.spend_bytes(array_bytes(array))
    return array


TORCH_GLOBALS = dict(
    NUMPY_GLOBALS,
    **TENSOR_GLOBALS,
    **{
        "torch_utils.persistence _reconstruct_persistent_obj": Global(metered=_module),
        "builtins set": Global(call=lambda *_: set()),
        "__builtin__ set": Global(call=lambda *_: set()),
        "dnnlib.util EasyDict": Global(new=lambda *_: {}),
        "torch.storage _load_from_bytes": Global(metered=_storage),
    },
)
TORCH_GLOBALS["torch._utils _rebuild_tensor_v2"] = Global(metered=_tensor)  # its data comes before it
