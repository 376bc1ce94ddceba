"""All that training changes, in one object: networks, optimisers, running means and counters."""

import dataclasses
from collections import OrderedDict

import numpy as np

from ..networks.discriminator import Discriminator
from ..networks.generator import Generator
from ..tf import tf
from .optimizer import LazyAdam


@dataclasses.dataclass
class Counters:
    """Where the run stands, in plain numbers."""

    nimg: int = 0  # real images shown to D
    minibatch: int = 0  # minibatches done; the streams of draws and data are keyed by it
    tick: int = 0  # ticks finished
    tick_start_nimg: int = 0
    elapsed_s: float = 0.0  # training time of all sessions
    grid_kimg: int = -1  # newest numbered fakes grid


class TrainState:
    """Networks G, D and Gs with their optimisers, the path-length mean, the counters and the augmentation controller.

    Args:
        g_config, d_config: Configurations of the networks.
        settings: Mapping with G_lr, D_lr, beta1, beta2, g_reg_interval, d_reg_interval, freeze_layers, seed, num_fp16_res.
        values: None for fresh networks, or a dict with G, D, Gs: dicts name → array.
    """

    def __init__(self, g_config, d_config, settings, values=None):
        values, s = values or {}, settings
        self.G = Generator(g_config, values.get("G"), s["seed"], s["num_fp16_res"])
        self.D = Discriminator(d_config, values.get("D"), s["seed"], s["freeze_layers"], s["num_fp16_res"])
        self.Gs = Generator(g_config, values.get("Gs") or self.G.get_values(), s["seed"], s["num_fp16_res"])
        self.G_opt = LazyAdam(self.G.trainable, s["G_lr"], s["beta1"], s["beta2"], s["g_reg_interval"])
        self.D_opt = LazyAdam(self.D.trainable, s["D_lr"], s["beta1"], s["beta2"], s["d_reg_interval"])
        self.pl_mean = tf.Variable(0.0, trainable=False)
        self.counters = Counters()
        self.controller = None

    def _variables(self):
        """Everything of the state that is a variable and is not in the network pickle."""
        named = OrderedDict(pl_mean=self.pl_mean)
        for prefix, optimizer in (("G_opt/", self.G_opt), ("D_opt/", self.D_opt)):
            named.update((prefix + name, variable) for name, variable in optimizer.state().items())
        return named

    def variables(self):
        """Return every tf.Variable of the state, as a list."""
        networks = [variable for network in (self.G, self.D, self.Gs) for variable in network.variables.values()]
        return networks + list(self._variables().values())

    def arrays(self):
        """Return what exact resume needs besides the networks: dict name → array."""
        return {name: np.array(variable.numpy()) for name, variable in self._variables().items()}

    def meta(self):
        """Return the plain numbers of the state, as JSON-ready data."""
        controller = self.controller.state() if self.controller is not None else None
        return {"counters": dataclasses.asdict(self.counters), "controller": controller}

    def restore(self, arrays, meta):
        """Take back what `arrays` and `meta` gave."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        self.counters = Counters(**meta["counters"])
        if self.controller is not None and meta.get("controller") is not None:
            self.controller.restore(meta["controller"])
