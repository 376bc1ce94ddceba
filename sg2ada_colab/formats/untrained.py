"""An untrained network of the layers of another one, for comparison."""

from typing import Dict, TypeVar

import numpy as np

from ..files import FilePath
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.variables import discriminator_specs, generator_specs, initial_values
from .network_data import NetworkData
from .network_pickle import write_network_pickle
from .read import read_snapshot

Named = TypeVar("Named", bound=FilePath)


def write_untrained(path: Named, like: FilePath) -> Named:
    """Write a pickle with fresh weights, always the same ones, of the layers of the snapshot file `like`; returns its path."""
    snapshot = read_snapshot(like)
    for network in snapshot.networks():
        network.variables = fresh_values(network)
    write_network_pickle(str(path), snapshot)
    return path


def fresh_values(network: NetworkData) -> Dict[str, np.ndarray]:
    """Return name → float32 array of an untrained network with the layers of this NetworkData, in the same shapes."""
    if network.is_generator:
        return initial_values(generator_specs(GeneratorConfig.from_kwargs(network.kwargs)), 0, "G")
    return initial_values(discriminator_specs(DiscriminatorConfig.from_kwargs(network.kwargs)), 0, "D")
