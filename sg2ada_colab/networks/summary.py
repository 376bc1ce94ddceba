"""A table of a network's layers: name, parameters, output shape, weight shape."""

import re
from collections import OrderedDict

import numpy as np


def layer_rows(config, specs):
    """Return rows (name, parameters, output shape, weight shape) of the layers of a generator or discriminator.

    Args:
        config: GeneratorConfig or DiscriminatorConfig.
        specs: Its variables, from `generator_specs` or `discriminator_specs`.
    """
    layers = OrderedDict()
    for spec in specs:
        name = spec.name.rsplit("/", 1)[0] if "/" in spec.name else spec.name
        if not re.match(r"synthesis/noise\d+$", spec.name):
            layers.setdefault(name, []).append(spec)
    rows = []
    for name, parts in layers.items():
        weight = next((s.shape for s in parts if s.name.endswith(("/weight", "/const"))), None)
        count = sum(int(np.prod(s.shape)) for s in parts if s.trainable)
        rows.append(
            (name, str(count) if count else "-", _output_shape(config, name, weight), str(list(weight)) if weight else "-")
        )
    rows.append(("Total", str(sum(int(np.prod(s.shape)) for s in specs if s.trainable)), "-", "-"))
    return rows


def _output_shape(config, name, weight):
    if weight is None:
        return "-"
    match = re.search(r"(\d+)x\d+/(\w+)$", name)
    if not match or match.group(2).startswith("Dense"):
        return "(?, {})".format(weight[-1])
    side, layer = int(match.group(1)), match.group(2)
    if layer == "Const":
        return "(?, {}, {}, {})".format(weight[1], side, side)
    if layer == "Conv1_down" or (layer == "Skip" and not name.startswith("synthesis/")):
        side //= 2
    return "(?, {}, {}, {})".format(weight[-1], side, side)


def layer_table(title, config, specs):
    """Return the table as text with aligned columns."""
    rows = [(title, "Params", "OutputShape", "WeightShape"), ("---",) * 4] + layer_rows(config, specs)
    rows.insert(len(rows) - 1, ("---",) * 4)
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
