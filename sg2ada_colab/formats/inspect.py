"""Say what a snapshot is: family, sizes, settings, layers, and the options it was trained with if they lie beside it."""

import json
import os
from typing import List, Optional

import numpy as np

from ..files import FilePath
from ..json_files import Maybe, read_json
from ..json_text import BadJson
from ..run_files import OPTIONS
from ..words import table
from .network_data import NetworkSnapshot

FAMILIES = {
    "tensorflow": "TensorFlow pickle (stylegan2, stylegan2-ada, sg2ada_colab)",
    "pytorch": "PyTorch pickle (stylegan2-ada-pytorch, stylegan3)",
    "rosinality": "PyTorch checkpoint of rosinality's stylegan2-pytorch",
    "safetensors": "safetensors (sg2ada_colab)",
}
SHOWN_OPTIONS = ("total_kimg", "minibatch_size", "minibatch_gpu", "num_gpus", "random_seed", "G_smoothing_kimg", "resume_pkl")


def describe(snapshot: NetworkSnapshot, path: Optional[FilePath] = None, layers: bool = True) -> List[str]:
    """Return lines of text about a snapshot.

    Args:
        snapshot: NetworkSnapshot.
        path: Its file, for its size and for a training_options.json beside it.
        layers: Whether to append the table of layers of Gs and D.
    """
    Gs, D = snapshot.Gs, snapshot.D
    labels = f"{Gs.label_size} (conditional)" if Gs.label_size else "none"
    rows = [("File", f"{path} ({os.path.getsize(str(path)):,} bytes)") if path else None,
            ("Family", FAMILIES.get(snapshot.source, snapshot.source) + _version(snapshot)),
            ("Resolution", f"{Gs.width}x{Gs.height}" + _start(Gs.config)),
            ("Channels", {1: "1 (grey)", 3: "3 (RGB)", 4: "4 (RGBA)"}.get(Gs.num_channels, str(Gs.num_channels))),
            ("Labels", labels),
            ("Mapping layers", str(Gs.config.mapping_layers)),
            ("z, w", f"{Gs.latent_size}, {Gs.dlatent_size}"),
            ("Architecture", f"G {Gs.config.architecture}, D {D.config.architecture}"),
            ("Parameters", f"G {Gs.parameter_count():,}, D {D.parameter_count():,}")]  # fmt: skip
    if snapshot.details.get("source text"):
        rows.append(("Code inside", "{:,} characters of Python, not run".format(snapshot.details["source text"])))
    rows += [
        (_capital(key), json.dumps(value)) for key, value in snapshot.details.items() if key not in ("version", "source text")
    ]
    if not all(np.isfinite(value).all() for network in snapshot.networks() for value in network.variables.values()):
        rows.append(("Damage", "some numbers are NaN or infinite; training had broken down when this was saved"))
    lines = table([row for row in rows if row]) + ["Note: " + note for note in snapshot.notes]
    lines += _settings("G", Gs) + _settings("D", D) + _options_beside(path)
    return lines + (_table(Gs) + _table(D) if layers else [])


def _start(config):
    """Return how a network that is not square begins."""
    begins = " (width x height; nominal {}, begins at {}x{})".format(config.resolution, *config.init_res[::-1])
    return "" if config.is_square else begins


def _version(snapshot):
    version = snapshot.details.get("version")
    return f", format version {version}" if version else ""


def _capital(text):
    return text[:1].upper() + text[1:]


def _settings(name, network):
    return ["", f"Settings of {name}:"] + [f"  {key} = {json.dumps(value)}" for key, value in network.kwargs.items()]


def _options_beside(path):
    """Return lines about training_options.json in the snapshot's folder, or none where there is none."""
    file_name = os.path.join(os.path.dirname(str(path)), OPTIONS) if path else ""
    if not os.path.isfile(file_name):
        return []
    try:
        options = read_json(file_name, {"train_dataset_args": Maybe({"path": Maybe(str)})})
        shown = [(key, options[key]) for key in SHOWN_OPTIONS if key in options]
        data = options.get("train_dataset_args") or {}
        shown += [("dataset", data.get("path"))] if data.get("path") else []
        return ["", f"Trained with ({file_name}):"] + [f"  {key} = {json.dumps(value)}" for key, value in shown]
    except BadJson as error:
        return ["", f"{file_name} {error}."]
    except OSError as error:
        return ["", f"{file_name} cannot be read ({error.strerror or error})."]


def _table(network):
    """Return the table of variables: name, shape, how many numbers, their root mean square."""
    rows = [("Variable of " + network.name, "Shape", "Numbers", "RMS")]
    for name, value in network.variables.items():
        shape = "x".join(str(side) for side in np.shape(value)) or "-"
        rows.append((name, shape, f"{np.size(value):,}", f"{_rms(value):.4g}"))
    return [""] + table(rows, right={2, 3})


def _rms(value):
    return float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))) if np.size(value) else 0.0
