"""A network's values by the names of one whose blocks of the same names have another scale.

A network that begins with more pixels comes to a size by fewer doublings: one for 256x144 px begins at 16x9, one for 256x256 at
4x4, and what the first calls 4x4 is what the second calls 16x16. They have as many channels there, see
`NetworkShape.channel_factor`.
"""

import re
from typing import Dict, List, Tuple, Union

import numpy as np

from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..shape import NetworkShape
from .network_data import NetworkData

Config = Union[GeneratorConfig, DiscriminatorConfig]

_LAYER = re.compile(r"(synthesis/|)(\d+)x\d+/(\w+)/(.+)")
OF_PLACES = "4x4/Dense0/weight"
_AT_THE_BEGIN = ("synthesis/Const", "Conv", "Dense0")  # of the constant, and of D beside it: they have no counterpart elsewhere


def channel_factor(config: Config) -> int:
    """Return the `NetworkShape.channel_factor` of a network's settings."""
    return NetworkShape(config.resolution, config.init_res).channel_factor


def fmap_base_for(config: Config, factor: int) -> int:
    """Return the fmap_base with which a network of another channel factor has as many channels at each scale as this one."""
    return max(config.fmap_base * channel_factor(config) // factor, 1)


def at_scale_of(network: NetworkData, target: Config) -> Tuple[NetworkData, List[str]]:
    """Return (NetworkData with its values under the names of the network `target`, names of variables that have none there).

    A layer takes the values of the layer of the same scale, and the synthesis's first convolution those of a block's second one.
    What is coarser than the network's own first block keeps its name. D's first dense layer, which knows places, takes none, also
    where 6x4 pixels are as many as 4x6. Nothing changes where both begin at the same pixels.

    Args:
        network: NetworkData to copy from.
        target: The settings of the network to be filled.
    """
    if network.config.init_res == target.init_res:
        return network, []
    factors = channel_factor(target), channel_factor(network.config)
    form = NetworkData(network.name, target.to_kwargs(), {})
    sources = {spec.name: _source_of(spec.name, *factors, network.variables) for spec in form.specs()}
    found = {name: source for name, source in sources.items() if source in network.variables and name != OF_PLACES}
    values = {name: network.variables[source] for name, source in found.items()}
    used = set(sources.values())
    left = [name for name in network.variables if name not in used]
    return NetworkData(network.name, network.kwargs, values), left


def scale_note(target: Config, source: Config) -> str:
    """Return a sentence on which layers were taken for which; "" where they have the same names."""
    factors = channel_factor(target), channel_factor(source)
    if factors[0] == factors[1]:
        return ""
    new, old = (4 * max(factors) // factor for factor in factors)
    return f"Layers are taken by their scale: {new}x{new} here is {old}x{old} there."


def _source_of(name: str, factor: int, own_factor: int, variables: Dict[str, np.ndarray]) -> str:
    """Return the name of the variable that takes the place of `name`; there may be none of this name."""
    match = _LAYER.match(name)
    if not match or match.group(1) + match.group(3) in _AT_THE_BEGIN:
        return name
    prefix, layer, leaf = match.group(1), match.group(3), match.group(4)
    block = int(match.group(2)) * factor // own_factor
    if prefix and layer in ("Conv", "Conv1"):
        layer = "Conv" if block == 4 else "Conv1"
    there = f"{prefix}{block}x{block}/{layer}/{leaf}"
    return there if there in variables or block > 4 else name
