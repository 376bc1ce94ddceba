"""A network as an ordered set of named TensorFlow variables."""

from collections import OrderedDict
from typing import Any, Iterable, Mapping

import numpy as np

from ..tf import tf
from .variables import Spec


class Network:
    """Named float32 variables in the pickle's order; `trainable` is the ordered sub-set that is trained."""

    def __init__(self, config: Any, specs: Iterable[Spec], values: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self.specs = OrderedDict((spec.name, spec) for spec in specs)
        self.variables = OrderedDict()
        for spec in specs:
            value = np.asarray(values[spec.name], np.float32)
            assert value.shape == spec.shape, f"{spec.name} has shape {value.shape}, not {spec.shape}"
            self.variables[spec.name] = tf.Variable(value, trainable=spec.trainable, dtype=tf.float32)
        self.trainable = OrderedDict((name, self.variables[name]) for name, spec in self.specs.items() if spec.trainable)

    def get_values(self) -> "OrderedDict[str, np.ndarray]":
        """Return an ordered dict name → float32 array of the variable's shape, copied to the host."""
        return OrderedDict((name, np.array(variable.numpy())) for name, variable in self.variables.items())

    def set_values(self, values: Mapping[str, np.ndarray]) -> None:
        """Assign every variable from a dict name → array."""
        for name, variable in self.variables.items():
            variable.assign(np.asarray(values[name], np.float32))
