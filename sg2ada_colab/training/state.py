"""All that training changes, in one object: networks, optimisers, running means, counters, augmentation controller."""

import dataclasses
from collections import OrderedDict
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from ..augment.adapt import AdaptConfig, AdaptiveController
from ..config.train_config import TrainConfig
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.discriminator import Discriminator
from ..networks.generator import Generator
from ..tf import tf
from .optimizer import LazyAdam

NETWORKS = ("G", "D", "Gs")
REST = "rest"  # the part of the variables that is not in the network pickle

Parts = Dict[str, Dict[str, Any]]  # part (G, D, Gs, rest) → name → tf.Variable, or its value


@dataclasses.dataclass
class Counters:
    """Where the run stands, in plain numbers."""

    nimg: int = 0  # real images shown to D
    minibatch: int = 0  # minibatches done; the streams of draws and data are keyed by it
    tick: int = 0  # ticks finished
    tick_start_nimg: int = 0
    elapsed_s: float = 0.0  # training time of all sessions
    grid_kimg: int = -1  # newest numbered fakes grid


class RunningMeans:
    """Mean of each reported value since the last tick; values that are not finite are left out. Its sums resume exactly.

    Args:
        sums: Result of `so_far` to go on from; None for none.
    """

    def __init__(self, sums: Optional[Mapping[str, Any]] = None) -> None:
        self.sums = {name: list(pair) for name, pair in (sums or {}).items()}

    def add(self, name: str, value: float, count: int = 1) -> None:
        """Add a value, the sum of `count` ones."""
        if np.isfinite(value):
            pair = self.sums.setdefault(name, [0.0, 0])
            pair[0] += float(value)
            pair[1] += count

    def so_far(self) -> Dict[str, list]:
        """Return a copy of the sums, name → [sum, count], from which `RunningMeans` goes on."""
        return {name: list(pair) for name, pair in self.sums.items()}

    def take(self) -> Dict[str, float]:
        """Return the means and start again."""
        means = {name: total / count for name, (total, count) in self.sums.items() if count}
        self.sums = {}
        return means


class TrainState:
    """All that training changes, saved by `save` and taken back by `load`, bit for bit.

    Args:
        config: TrainConfig, of which it takes the networks, their optimisers, the seed, what the losses remember, and how the
            augmentation's strength moves.
        num_fp16_res: How many of the highest resolutions run in float16; None: as the networks' settings say.
        networks: None for fresh networks, or G, D, Gs → name → array, as `save` gives them.

    Attributes:
        G, D, Gs: Networks; G_opt, D_opt: their optimisers; pl_mean: running mean of the path lengths.
        lecam_means: Running means [2] of D's scores of reals and of fakes; None without the LeCam regularisation.
        counters: Counters.
        controller: AdaptiveController; None where images are not augmented.
        means: RunningMeans of the tick that is under way.
    """

    def __init__(self, config: TrainConfig, num_fp16_res: Optional[int] = None, networks: Optional[Parts] = None) -> None:
        values, adam, seed = networks or {}, config.optimizer, config.seed
        g_config, d_config = GeneratorConfig.from_kwargs(config.G), DiscriminatorConfig.from_kwargs(config.D)
        self.G = Generator(g_config, values.get("G"), seed, num_fp16_res)
        self.D = Discriminator(d_config, values.get("D"), seed, adam.freeze_layers, num_fp16_res)
        self.Gs = Generator(g_config, values.get("Gs") or self.G.get_values(), seed, num_fp16_res)
        intervals = (adam.G_reg_interval, adam.D_reg_interval) if adam.lazy_regularization else (None, None)
        self.G_opt = LazyAdam(self.G.trainable, adam.G_learning_rate, adam.beta1, adam.beta2, intervals[0])
        self.D_opt = LazyAdam(self.D.trainable, adam.D_learning_rate, adam.beta1, adam.beta2, intervals[1])
        self.pl_mean = tf.Variable(0.0, trainable=False)
        self.lecam_means = tf.Variable(tf.zeros([2]), trainable=False) if config.losses.lecam_weight else None
        self.counters = Counters()
        adapt = AdaptConfig.of(config.augment, config.schedule.minibatch_size)
        self.controller = AdaptiveController(adapt) if adapt is not None else None
        self.means = RunningMeans()

    def variables(self) -> Parts:
        """Return every tf.Variable of the state: those of G, D and Gs, and the rest, each name → variable in a fixed order."""
        rest: Dict[str, Any] = OrderedDict(pl_mean=self.pl_mean)
        if self.lecam_means is not None:
            rest["lecam_means"] = self.lecam_means
        for prefix, optimizer in (("G_opt/", self.G_opt), ("D_opt/", self.D_opt)):
            rest.update((prefix + name, variable) for name, variable in optimizer.state().items())
        parts: Parts = OrderedDict((name, dict(getattr(self, name).variables)) for name in NETWORKS)
        parts[REST] = rest
        return parts

    def save(self, read: Optional[Callable[[], Parts]] = None) -> Tuple[Parts, Dict[str, np.ndarray], Dict[str, Any]]:
        """Return all that an exact resume needs.

        Args:
            read: Function that gives the values of `variables`, such as `HostCopies.take`; None reads them into new memory.

        Returns:
            (networks: G, D, Gs → name → array; arrays: name → array of the other variables; meta: what JSON holds exactly).
        """
        values = dict(read() if read else values_of(self.variables()))
        arrays = values.pop(REST)
        meta = {
            "counters": dataclasses.asdict(self.counters),
            "controller": self.controller.state() if self.controller is not None else None,
            "nimg": self.counters.nimg,
            "means": self.means.so_far(),
        }
        return values, arrays, meta

    def load(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], networks: Optional[Parts] = None) -> None:
        """Take back what `save` gave.

        Args:
            arrays, meta: Of `save`.
            networks: Of `save`; None where the state was built with them.

        Raises:
            KeyError, ValueError: The arrays are those of other networks.
        """
        values = dict(networks or {}, **{REST: arrays})
        for part, named in self.variables().items():
            for name, variable in named.items() if part in values else ():
                variable.assign(values[part][name])
        self.counters = Counters(**meta["counters"])
        self.means = RunningMeans(meta.get("means"))
        if self.controller is not None and meta.get("controller") is not None:
            self.controller.restore(meta["controller"])


def values_of(parts: Parts) -> Parts:
    """Return the values of variables in parts, as new arrays."""
    return {part: {name: np.array(variable.numpy()) for name, variable in named.items()} for part, named in parts.items()}


def flat(parts: Parts) -> list:
    """Return the variables of all parts as a list."""
    return [variable for named in parts.values() for variable in named.values()]
