"""The name, shape and initial value of every variable of G and D, layer by layer.

Names, shapes and order are the contract of the TensorFlow network pickle; nothing here imports TensorFlow.
"""

from collections import OrderedDict
from typing import Dict, Iterable, List, NamedTuple, Tuple

import numpy as np

from ..seeds import random_state
from .config import DiscriminatorConfig, GeneratorConfig
from .layout import Layer, discriminator_layers, mapping_layers, synthesis_layers

PAGAN_BITS = 16  # of progressive augmentation


class Spec(NamedTuple):
    """One variable: `initial` is a standard deviation for N(0, s²) draws, or 0.0 for zeros."""

    name: str
    shape: Tuple[int, ...]
    initial: float
    trainable: bool = True


def _specs_of(layer: Layer, dlatent_size: int = 0) -> List[Spec]:
    """Return the variables of a layer; a convolution that a style modulates takes w [N, dlatent_size]."""

    def spec(leaf, shape, initial):
        return Spec(f"{layer.name}/{leaf}", shape, initial, layer.trainable)

    if layer.kind == "const":
        return [spec("const", (1, layer.outputs, layer.height, layer.width), 1.0)]
    if layer.kind == "dense":
        return [spec("weight", (layer.inputs, layer.outputs), 1.0 / layer.lrmul), spec("bias", (layer.outputs,), 0.0)]
    specs = [spec("weight", (layer.kernel, layer.kernel, layer.inputs, layer.outputs), 1.0)]
    if layer.style is not None:
        specs += [spec("mod_weight", (dlatent_size, layer.inputs), 1.0), spec("mod_bias", (layer.inputs,), 0.0)]
    if layer.noise is not None:
        specs.append(spec("noise_strength", (), 0.0))
    return specs if layer.kind == "skip" else specs + [spec("bias", (layer.outputs,), 0.0)]


def mapping_specs(config: GeneratorConfig) -> List[Spec]:
    """Return the variables of the mapping network, with the prefix `mapping/`."""
    return [spec for layer in mapping_layers(config) for spec in _specs_of(layer)]


def synthesis_specs(config: GeneratorConfig) -> List[Spec]:
    """Return the variables of the synthesis network, with the prefix `synthesis/`: all noise, then layer by layer."""
    layers = synthesis_layers(config)
    noise = [
        Spec(f"synthesis/noise{layer.noise}", (1, 1, layer.height, layer.width), 1.0, trainable=False)
        for layer in layers
        if layer.noise is not None
    ]
    return noise + [spec for layer in layers for spec in _specs_of(layer, config.dlatent_size)]


def generator_specs(config: GeneratorConfig) -> List[Spec]:
    """Return every variable of G, in the pickle's order: G's own, synthesis, mapping."""
    return [Spec("dlatent_avg", (config.dlatent_size,), 0.0, trainable=False)] + synthesis_specs(config) + mapping_specs(config)


def discriminator_specs(config: DiscriminatorConfig, freeze_layers: int = 0) -> List[Spec]:
    """Return every variable of D in the pickle's order.

    Args:
        config: DiscriminatorConfig.
        freeze_layers: Freeze-D, see `discriminator_layers`.
    """
    specs = []
    for layer in discriminator_layers(config, freeze_layers):
        weight, *rest = _specs_of(layer)
        specs.append(weight)
        if config.use_spectral_norm and layer.kernel == 3:
            specs.append(Spec(layer.name + "/weight_sn", (1, layer.outputs), 1.0, trainable=False))
        specs += rest
        if config.use_pagan and layer.kind == "from_rgb":
            specs.append(Spec(layer.name + "/PAGAN/weight", (PAGAN_BITS, layer.outputs), 1.0, layer.trainable))
    return specs


def initial_values(specs: Iterable[Spec], run_seed: int, network: str) -> Dict[str, np.ndarray]:
    """Return an ordered dict name → fresh float32 array [Spec.shape]; each depends on (run seed, network, name) alone."""
    values = OrderedDict()
    for spec in specs:
        draws = random_state(run_seed, f"initial/{network}/{spec.name}", 0).standard_normal(spec.shape) if spec.initial else 0.0
        values[spec.name] = np.broadcast_to(np.float32(spec.initial * draws), spec.shape).astype(np.float32)
    return values


def parameter_count(specs: Iterable[Spec]) -> int:
    """Return the number of trained parameters."""
    return int(sum(np.prod(spec.shape) for spec in specs if spec.trainable))
