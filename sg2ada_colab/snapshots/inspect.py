"""Say what a snapshot is: family, sizes, settings, layers, and the options it was trained with if they lie beside it."""

import json
import os

import numpy as np

FAMILIES = {
    "tensorflow": "TensorFlow pickle (stylegan2, stylegan2-ada, sg2ada_colab)",
    "pytorch": "PyTorch pickle (stylegan2-ada-pytorch, stylegan3)",
    "safetensors": "safetensors (sg2ada_colab)",
}
OPTIONS_FILE = "training_options.json"
SHOWN_OPTIONS = ("total_kimg", "minibatch_size", "minibatch_gpu", "num_gpus", "random_seed", "G_smoothing_kimg", "resume_pkl")


def describe(snapshot, path=None, layers=True):
    """Return lines of text about a snapshot.

    Args:
        snapshot: NetworkSnapshot.
        path: Its file, for its size and for a training_options.json beside it.
        layers: Whether to append the table of layers of Gs and D.
    """
    Gs, D = snapshot.Gs, snapshot.D
    labels = "{} (conditional)".format(Gs.label_size) if Gs.label_size else "none"
    rows = [("File", "{} ({:,} bytes)".format(path, os.path.getsize(str(path)))) if path else None,
            ("Family", FAMILIES.get(snapshot.source, snapshot.source) + _version(snapshot)),
            ("Resolution", "{0}x{0}".format(Gs.resolution)),
            ("Channels", {1: "1 (grey)", 3: "3 (RGB)"}.get(Gs.num_channels, str(Gs.num_channels))),
            ("Labels", labels),
            ("Mapping layers", str(Gs.kwargs.get("mapping_layers", 8))),
            ("z, w", "{}, {}".format(Gs.latent_size, Gs.dlatent_size)),
            ("Architecture", "G {}, D {}".format(Gs.kwargs.get("architecture", "skip"), D.kwargs.get("architecture", "resnet"))),
            ("Parameters", "G {:,}, D {:,}".format(Gs.parameter_count(), D.parameter_count()))]  # fmt: skip
    if snapshot.details.get("source text"):
        rows.append(("Code inside", "{:,} characters of Python, not run".format(snapshot.details["source text"])))
    rows += [
        (_capital(key), json.dumps(value)) for key, value in snapshot.details.items() if key not in ("version", "source text")
    ]
    if not all(np.isfinite(value).all() for network in snapshot.networks() for value in network.variables.values()):
        rows.append(("Damage", "some numbers are NaN or infinite; training had broken down when this was saved"))
    lines = _aligned([row for row in rows if row]) + ["Note: " + note for note in snapshot.notes]
    lines += _settings("G", Gs) + _settings("D", D) + _options_beside(path)
    return lines + (_table(Gs) + _table(D) if layers else [])


def _version(snapshot):
    version = snapshot.details.get("version")
    return ", format version {}".format(version) if version else ""


def _capital(text):
    return text[:1].upper() + text[1:]


def _aligned(rows):
    width = max(len(name) for name, _ in rows) + 2
    return ["{:<{}}{}".format(name, width, value) for name, value in rows]


def _settings(name, network):
    return ["", "Settings of {}:".format(name)] + [
        "  {} = {}".format(key, json.dumps(value)) for key, value in network.kwargs.items()
    ]


def _options_beside(path):
    """Return lines about training_options.json in the snapshot's folder, or none where there is none."""
    file_name = os.path.join(os.path.dirname(str(path)), OPTIONS_FILE) if path else ""
    if not os.path.isfile(file_name):
        return []
    try:
        with open(file_name, encoding="utf-8") as file:
            options = json.load(file)
        shown = [(key, options[key]) for key in SHOWN_OPTIONS if key in options]
        data = options.get("train_dataset_args") or {}
        shown += [("dataset", data.get("path"))] if data.get("path") else []
        return ["", "Trained with ({}):".format(file_name)] + ["  {} = {}".format(key, json.dumps(value)) for key, value in shown]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        return ["", "{} cannot be read ({}).".format(file_name, type(error).__name__)]


def _table(network):
    """Return the table of variables: name, shape, how many numbers, their root mean square."""
    rows = [("Variable of " + network.name, "Shape", "Numbers", "RMS")]
    for name, value in network.variables.items():
        shape = "x".join(str(side) for side in np.shape(value)) or "-"
        rows.append((name, shape, "{:,}".format(np.size(value)), "{:.4g}".format(_rms(value))))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    line = "{{:<{}}}  {{:<{}}}  {{:>{}}}  {{:>{}}}".format(*widths)
    return [""] + [line.format(*row) for row in rows]


def _rms(value):
    return float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))) if np.size(value) else 0.0
