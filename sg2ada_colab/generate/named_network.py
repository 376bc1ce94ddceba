"""A trained network by what is known without TensorFlow, whose import takes seconds: its form, its digest, its classes."""

import hashlib
from typing import TYPE_CHECKING, Any, Callable, Union

import numpy as np

from ..networks.variables import generator_specs
from .labels import ChosenClass, label_vectors

if TYPE_CHECKING:
    from ..formats.network_data import NetworkData


class NamedNetwork:
    """The moving average Gs of a trained network, which `ready` makes into a TrainedGenerator.

    Args:
        network: NetworkData of Gs.
        digest: SHA-256 (hex) that names the network, or a function that returns it; None: of its weights.
        title: What to call it in messages.
        open_generator: Function that returns the TrainedGenerator; it is called once at most.
    """

    def __init__(
        self,
        network: "NetworkData",
        digest: Union[str, Callable[[], str], None],
        title: str,
        open_generator: Callable[[], Any],
    ) -> None:
        self.network, self.title, self._digest, self._open = network, title, digest, open_generator
        self.config = network.config
        self._opened: Any = None

    @property
    def digest(self) -> str:
        """SHA-256 of the file that the network was read from, or of its weights."""
        if self._digest is None:
            sums = hashlib.sha256()
            for spec in generator_specs(self.config):
                sums.update(spec.name.encode() + np.asarray(self.network.variables[spec.name], "<f4").tobytes())
            self._digest = sums.hexdigest()
        elif callable(self._digest):
            self._digest = self._digest()
        return self._digest

    @property
    def num_layers(self) -> int:
        """Number of w vectors that one image takes."""
        return self.config.num_layers

    def labels(self, chosen: ChosenClass, count: int = 1) -> np.ndarray:
        """Return label vectors [count, label_size] for a class number, a vector, one of either for each image, or "none"."""
        return label_vectors(chosen, count, self.config.label_size, self.title)

    def ready(self) -> Any:
        """Return the TrainedGenerator; the first call imports TensorFlow."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened
