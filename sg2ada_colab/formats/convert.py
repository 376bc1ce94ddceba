"""Write a snapshot in another form, atomically."""

import os
from typing import Optional, Tuple

from ..errors import UserError
from ..files import FilePath, atomic_file, atomic_path
from .embedded_source import embedded_source
from .export_safetensors import write_safetensors
from .network_data import NetworkSnapshot
from .network_pickle import write_network_pickle
from .read import read_snapshot
from .reshape import reshaped
from .rosinality import write_checkpoint
from .torch_writer import write_torch_pickle

FORMS = {".pkl": "TensorFlow pickle", ".safetensors": "safetensors", ".pt": "rosinality's stylegan2-pytorch"}


def convert(
    source: FilePath,
    target: FilePath,
    compact: bool = False,
    size: Optional[Tuple[int, int]] = None,
    alpha: Optional[bool] = None,
    pytorch: bool = False,
) -> NetworkSnapshot:
    """Read a snapshot of any family and write it in the form that the target's name asks for.

    Args:
        source: Local file of any family.
        target: Path ending in .pkl (TensorFlow pickle, which stylegan2-ada-pytorch and stylegan3 also open), .pt or .safetensors.
        compact: Of a .safetensors file, write Gs and D alone, in float16.
        size, alpha: For images of another shape, with transparency or without; see `reshaped`.
        pytorch: Of a .pkl file, write it in the form of the PyTorch programs; see `torch_writer`.

    Returns:
        NetworkSnapshot that was written.

    Raises:
        UserError: The source cannot be read or the target's ending names no form.
    """
    check_target(target, compact, pytorch)
    snapshot = read_snapshot(source)
    if size is not None or alpha is not None:
        snapshot = reshaped(snapshot, size, alpha)
    write_snapshot(target, snapshot, compact, pytorch)
    return snapshot


def write_snapshot(target: FilePath, snapshot: NetworkSnapshot, compact: bool = False, pytorch: bool = False) -> None:
    """Write a NetworkSnapshot in the form that the target's name asks for; see `convert`."""
    form = check_target(target, compact, pytorch)
    if form == ".pt":
        with atomic_path(target) as temporary, open(temporary, "xb") as file:  # a zip archive seeks
            return write_checkpoint(file, snapshot)
    with atomic_file(target) as file:
        if pytorch:
            write_torch_pickle(file, snapshot)
        elif form == ".pkl":
            write_network_pickle(file, snapshot, embedded_source())
        else:
            write_safetensors(file, snapshot, compact)


def check_target(target: FilePath, compact: bool = False, pytorch: bool = False) -> str:
    """Return the ending of a target's name; raise UserError where it names no form, or a folder that is not there.

    Args:
        compact: Whether the file is to be compact, which has a form as .safetensors only.
        pytorch: Whether it is to have the form of the PyTorch programs, which is a .pkl.
    """
    form = form_of(target)
    if compact and form != ".safetensors":
        raise UserError(
            f"--compact cannot write {target}.", "a name that ends in .safetensors", "leave --compact out, or rename the target"
        )
    if pytorch and form != ".pkl":
        raise UserError(
            f"--pytorch cannot write {target}.", "a name that ends in .pkl", "leave --pytorch out, or rename the target"
        )
    folder = os.path.dirname(os.path.abspath(str(target)))
    if not os.path.isdir(folder):
        raise UserError(f"There is no folder {folder}.", "an existing folder for the result", "make it or choose another")
    return form


def form_of(target: FilePath) -> str:
    """Return the ending of a target's name; raise UserError where it names no form."""
    ending = os.path.splitext(str(target))[1].lower()
    if ending not in FORMS:
        raise UserError(
            f"The name {target} does not say in which format to write.",
            "a name that ends in " + " or ".join(f"{end} ({words})" for end, words in FORMS.items()),
            "choose such a name; for a TF SavedModel or ONNX use `sg2ada export`",
        )
    return ending
