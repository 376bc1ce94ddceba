"""A table of a network's layers: name, parameters, output shape, weight shape."""

import re
from collections import OrderedDict
from typing import Dict, Iterable, List, Tuple, Union

import numpy as np

from ..words import table
from .config import DiscriminatorConfig, GeneratorConfig
from .layout import Layer, layers_of
from .variables import Spec


def layer_rows(config: Union[GeneratorConfig, DiscriminatorConfig], specs: Iterable[Spec]) -> List[Tuple[str, str, str, str]]:
    """Return rows (name, parameters, output shape, weight shape) of the layers of a generator or discriminator.

    Args:
        config: GeneratorConfig or DiscriminatorConfig.
        specs: Its variables, from `generator_specs` or `discriminator_specs`.
    """
    outputs = {layer.name: _output_shape(layer) for layer in layers_of(config)}
    specs = list(specs)
    layers: Dict[str, List[Spec]] = OrderedDict()
    for spec in specs:
        name = spec.name.rsplit("/", 1)[0] if "/" in spec.name else spec.name
        if not re.match(r"synthesis/noise\d+$", spec.name):
            layers.setdefault(name, []).append(spec)
    rows = []
    for name, parts in layers.items():
        weight = next((s.shape for s in parts if s.name.endswith(("/weight", "/const"))), None)
        count = sum(int(np.prod(s.shape)) for s in parts if s.trainable)
        shape = outputs.get(name, f"(?, {weight[-1]})" if weight else "-")
        rows.append((name, str(count) if count else "-", shape, str(list(weight)) if weight else "-"))
    rows.append(("Total", str(sum(int(np.prod(s.shape)) for s in specs if s.trainable)), "-", "-"))
    return rows


def _output_shape(layer: Layer) -> str:
    if layer.kind == "dense":
        return f"(?, {layer.outputs})"
    return f"(?, {layer.outputs}, {layer.height}, {layer.width})"


def layer_table(title: str, config: Union[GeneratorConfig, DiscriminatorConfig], specs: Iterable[Spec]) -> str:
    """Return the table as text with aligned columns."""
    rows = [(title, "Params", "OutputShape", "WeightShape"), ("---",) * 4] + layer_rows(config, specs)
    rows.insert(len(rows) - 1, ("---",) * 4)
    return "\n".join(table(rows))
