"""Write a snapshot as the PyTorch programs pickle it with real tensors, parameters and modules; run by a Python that has torch.

    python tests/oracles/real_torch.py OUT [protocol] [permuted]

Only the names of the two persistent functions are stand-ins; the network is that of `small_snapshots`.
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch_files  # noqa: E402
from small_snapshots import small_snapshot  # noqa: E402

RECONSTRUCT = torch_files.FUNCTIONS["torch_utils.persistence", "_reconstruct_persistent_obj"]


class Persistent(torch.nn.Module):
    """A module that pickles as an object of a persistent class; its state is all that torch keeps in it."""

    def __reduce__(self):
        state = {key: value for key, value in self.__dict__.items() if key != "class_name"}
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": self.class_name, "state": state}
        return RECONSTRUCT, (torch_files.EasyDict(meta),)


def tensor(array, offset=0, permuted=False, modern=False):
    """Return a tensor, a view into a larger storage if `offset` is not 0, in channels-last memory if `permuted`."""
    array = np.asarray(array)
    array = array if array.dtype == np.float16 else array.astype(np.float32)
    values = torch.from_numpy(np.array(array))
    if permuted and values.ndim == 4:
        values = values.contiguous(memory_format=torch.channels_last)
    elif offset:
        values = torch.full([offset + values.numel() + offset], float("nan"))[offset:-offset].view(values.shape).copy_(values)
    return values


def module(class_name, parameters=(), buffers=(), children=(), init_kwargs=(), **attributes):
    """Return a module with real parameters and buffers, in evaluation mode."""
    made = Persistent()
    made.class_name = class_name
    for name, value in dict(attributes, _init_args=(), _init_kwargs=torch_files.EasyDict(init_kwargs)).items():
        setattr(made, name, value)
    for name, value in dict(parameters).items():
        made.register_parameter(name, torch.nn.Parameter(value))
    for name, value in dict(buffers).items():
        made.register_buffer(name, value)
    for name, value in dict(children).items():
        made.add_module(name, value)
    return made.eval().requires_grad_(False)


def main(path, protocol="4", *options):
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    sys.modules.update((name, ModuleType(name)) for name in names)
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = RECONSTRUCT
    sys.modules["dnnlib.util"].EasyDict = torch_files.EasyDict
    torch_files.tensor, torch_files.module = tensor, module
    torch_files.torch_modules = nullcontext
    chosen = {"offset": 3} if "offset" in options else {"permuted": "permuted" in options}
    content = torch_files.torch_pickle_bytes(small_snapshot(label_size=2), int(protocol), **chosen)
    Path(path).write_bytes(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
