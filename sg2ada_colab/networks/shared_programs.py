"""Compiled programs that all networks of one architecture share.

Weights are inputs of such a program, not variables in it: the next snapshot with the same layers compiles nothing, and networks
that are used side by side do not overwrite each other.
"""

import functools
from collections import OrderedDict
from typing import Callable, Iterable, Mapping

import numpy as np

from ..tf import compiled, gpus, tf
from .variables import Spec

PROGRAMS_KEPT = 32


def device_weights(variables: Mapping[str, np.ndarray], specs: Iterable[Spec]) -> "OrderedDict[str, tf.Tensor]":
    """Return the weights of a network as an ordered dict name → float32 tensor on the first GPU, or in memory without one.

    Args:
        variables: dict name → array, which may hold more.
        specs: List of Spec, what the architecture consists of.
    """
    weights = OrderedDict()
    with tf.device("/GPU:0" if gpus() else "/CPU:0"):
        for spec in specs:
            value = np.asarray(variables[spec.name], np.float32)
            assert value.shape == spec.shape, f"{spec.name} has shape {value.shape}, not {spec.shape}"
            weights[spec.name] = tf.identity(tf.constant(value))
    return weights


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def shared_program(function: Callable, settings: tuple, xla: bool = True) -> Callable:
    """Return the one compiled form of a function in this process.

    Args:
        function: A function of a module, (settings, weights, *tensors) → tensors, where weights is a dict name → tensor.
        settings: Tuple of what the program is made for: the configuration, how many resolutions run in float16, …; hashable.
        xla: Compile with XLA where TensorFlow can.

    Returns:
        Function (weights, *tensors) → tensors; it is traced once for each set of shapes.
    """
    return compiled(functools.partial(function, settings), xla, f"{function.__module__}.{function.__qualname__} {settings}")
