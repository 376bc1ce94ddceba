"""Numbered outputs of a generator, in groups of a fixed size: a number always gives the same output."""

import math
from typing import Any, Callable, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..formats.network_data import NetworkData
from ..networks.shared_programs import device_weights, shared_program
from ..networks.variables import generator_specs
from ..tf import tf
from .labels import checked_labels

LARGE_PX = 512  # from this size on images come in smaller groups, so that a 15 GB GPU holds them
GROUP_SIZE, LARGE_GROUP_SIZE = 32, 8


def group_size(side: float) -> int:
    """Return the images generated at once, by the side of a square of their area.

    Latents and noise are drawn by group, so it must not depend on the batch size.
    """
    return LARGE_GROUP_SIZE if side >= LARGE_PX else GROUP_SIZE


class GroupedGenerator:
    """Numbered images of Gs, or pairs of them; a subclass defines what a group is.

    Args:
        network: NetworkData of Gs.
        labels: float32 [N, label_size] to draw from; None draws one class at random.
        seed: Integer; another one draws other latents.
        xla: Compile with XLA where TensorFlow can.
        half_precision: Whether resolutions run in float16 as the network's settings say.
    """

    def __init__(self, network: NetworkData, labels: Optional[np.ndarray], seed: int, xla: bool, half_precision: bool) -> None:
        self.config = network.config
        self.num_fp16_res = self.config.num_fp16_res if half_precision else 0
        self.labels, self.seed, self.xla = checked_labels(labels, self.config.label_size), seed, xla
        self.group = group_size(math.sqrt(self.config.height * self.config.width))
        self.load(network)

    def load(self, network: NetworkData) -> None:
        """Use another network of the same configuration from now on."""
        self.weights = device_weights(network.variables, generator_specs(self.config))

    def __call__(self, count: int, start: int) -> np.ndarray:
        """Return the results with numbers start ... start + count - 1, as an array.

        Raises:
            UserError: The generator gives numbers that are not finite.
        """
        results, check = self.launch(count, start)
        check()
        return results.numpy()

    def launch(self, count: int, start: int) -> Tuple[Any, Callable[[], None]]:
        """Start generating; on a GPU this returns before the results are there.

        Returns:
            (tensor on the device, function that waits for it and raises the UserError of `__call__`).
        """
        first, last = start // self.group, (start + count - 1) // self.group
        groups = [self.make_group(number) for number in range(first, last + 1)]
        results = groups[0][0] if len(groups) == 1 else tf.concat([result for result, _ in groups], axis=0)
        if count < len(groups) * self.group:
            results = results[start - first * self.group :][:count]

        def check():
            for number, (_, finite) in enumerate(groups, first):
                if not bool(finite):
                    raise broken_generator(number * self.group)

        return results, check

    def make_group(self, number: int) -> Tuple[Any, Any]:
        """Return (tensor [group, …], scalar tensor that says whether all is finite) of group `number`."""
        raise NotImplementedError

    def run(self, function: Callable, settings: Any, *arrays: Any) -> Any:
        """Run a function of a module, (settings, weights, *tensors) → tensors, compiled once for all networks of this form."""
        return shared_program(function, settings, self.xla)(self.weights, *[tf.constant(array) for array in arrays])


def broken_generator(number: int) -> UserError:
    """Return the UserError for a generator whose images are not finite."""
    return UserError(
        f"the generator gives numbers that are not finite (fakes from number {number} on)",
        "a network that generates images",
        "training diverged before this snapshot: measure an earlier one, and continue from that with a larger --gamma",
    )
