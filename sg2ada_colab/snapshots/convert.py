"""Write a snapshot in another form, atomically."""

import os

from ..errors import UserError
from .atomic import atomic_file
from .embedded_source import embedded_source
from .export_safetensors import write_safetensors
from .network_pickle import write_network_pickle
from .read import read_snapshot

FORMS = {".pkl": "TensorFlow pickle", ".safetensors": "safetensors"}


def convert(source, target):
    """Read a snapshot of any family and write it in the form that the target's name asks for.

    Args:
        source: Local file of any family.
        target: Path ending in .pkl (TensorFlow pickle, which stylegan2-ada-pytorch and stylegan3 also open) or .safetensors.

    Returns:
        NetworkSnapshot that was written.

    Raises:
        UserError: The source cannot be read or the target's ending names no form.
    """
    form = form_of(target)
    folder = os.path.dirname(os.path.abspath(str(target)))
    if not os.path.isdir(folder):
        raise UserError("There is no folder {}.".format(folder), "an existing folder for the result", "make it or choose another")
    snapshot = read_snapshot(source)
    with atomic_file(target) as file:
        if form == ".pkl":
            write_network_pickle(file, snapshot, embedded_source())
        else:
            write_safetensors(file, snapshot)
    return snapshot


def form_of(target):
    """Return the ending of a target's name; raise UserError where it names no form."""
    ending = os.path.splitext(str(target))[1].lower()
    if ending not in FORMS:
        raise UserError(
            "The result would be called {}.".format(target),
            "a name that ends in " + " or ".join("{} ({})".format(end, words) for end, words in FORMS.items()),
            "choose such a name; for a TF SavedModel or ONNX use `sg2ada export`",
        )
    return ending
