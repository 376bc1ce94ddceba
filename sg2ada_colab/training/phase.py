"""One phase of a minibatch as an object: whose loss it is, how often it is called, its compiled programs, what it reports."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from ..tf import compiled, tf
from .optimizer import Accumulator, LazyAdam, gradients_or_zeros

Reports = Dict[str, tf.Tensor]  # name → scalar tensor, in the order in which they were computed


@dataclass(frozen=True)
class PhaseSettings:
    """Which phase it is, and when it is called."""

    name: str  # of its stream of draws and of its program
    network: str  # "G" or "D"
    interval: Optional[int]  # minibatches from one call to the next; None: it is never called
    batch: int  # fakes that it draws in a round; 0: none
    rounds: int = 1  # calls in a minibatch
    xla: bool = True  # whether XLA compiles it


@dataclass(frozen=True)
class OptimizerStep:
    """How a phase trains its network."""

    kind: str  # "Train" or "Reg": with a main loss, or with its regularisation
    trainable: Dict[str, Any]  # ordered, name → tf.Variable
    optimizer: LazyAdam  # over `trainable`
    gradient_scale: int  # as of `gradients_or_zeros`


class Phase:
    """A compiled function over one round of images that reports values; it trains nothing.

    Args:
        settings: PhaseSettings.
        function: (seed int32 [2], *inputs) → Reports.
    """

    def __init__(self, settings: PhaseSettings, function: Callable) -> None:
        self.name, self.network, self.interval = settings.name, settings.network, settings.interval
        self.batch, self.rounds, self.function = settings.batch, settings.rounds, function
        self.reports: Tuple[str, ...] = ()  # names of the values that `run` returns; known once it is traced
        self.program = compiled(self._traced(), settings.xla)
        self.apply_program: Optional[Callable] = None  # the optimiser's step, where rounds accumulate
        self.overflow_name: Optional[str] = None  # NVIDIA's name of how often a training phase's gradients were not finite

    def _traced(self) -> Callable:
        def phase(seed, *inputs):
            return self.pack(self.function(tf.cast(seed, tf.int32), *inputs))

        return phase

    def pack(self, reports: Reports) -> tf.Tensor:
        """Return reports as one float32 vector, so that a whole minibatch needs one transfer, and note their names."""
        assert self.reports in ((), tuple(reports)), f"{self.name} reports other values than before: {list(reports)}"
        self.reports = tuple(reports)
        return tf.stack(list(reports.values()))

    def is_due(self, index: int) -> bool:
        """Return whether minibatch number `index` calls it."""
        return index % self.interval == 0 if self.interval else False

    def run(self, round_index: int, *inputs: Any) -> Tuple[Any, Any]:
        """Run one round; return (reports as a vector, None)."""
        return self.program(*inputs), None


class TrainingPhase(Phase):
    """A phase whose loss trains its network; after the last round of a minibatch the optimiser steps.

    Args:
        settings: PhaseSettings.
        function: (seed int32 [2], *inputs) → (loss, Reports).
        step: OptimizerStep.
    """

    def __init__(self, settings: PhaseSettings, function: Callable, step: OptimizerStep) -> None:
        self.kind, self.trainable, self.optimizer = step.kind, step.trainable, step.optimizer
        self.gradient_scale = step.gradient_scale
        self.accumulator = Accumulator(step.trainable, settings.rounds) if settings.rounds > 1 else None
        super().__init__(settings, function)
        self.overflow_name = f"{step.kind}{settings.network}/overflow_frequency"
        accumulator = self.accumulator
        if accumulator is not None:
            self.apply_program = compiled(lambda: step.optimizer.apply(accumulator.take()), settings.xla)

    def _traced(self) -> Callable:
        def phase(seed, *inputs):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(list(self.trainable.values()))
                loss, reports = self.function(tf.cast(seed, tf.int32), *inputs)
            gradients = gradients_or_zeros(tape, loss, self.trainable, self.gradient_scale)
            if self.accumulator is not None:
                self.accumulator.add(gradients)
                return self.pack(reports), tf.constant(True)
            return self.pack(reports), self.optimizer.apply(gradients)

        return phase

    def run(self, round_index: int, *inputs: Any) -> Tuple[Any, Any]:
        """Run one round; return (reports as a vector, whether the optimiser's step was finite, or None before the last round)."""
        reports, finite = self.program(*inputs)
        if self.apply_program is not None:
            finite = self.apply_program() if round_index == self.rounds - 1 else None
        return reports, finite


def scores_of(kind: str, scores: tf.Tensor) -> Reports:
    """Return mean, mean sign and mean square of scores as Reports.

    Args:
        kind: "fake", "real" or "valid".
        scores: D's outputs [N, S].
    """
    return {
        "Loss/scores/" + kind: tf.reduce_mean(scores),
        "Loss/signs/" + kind: tf.reduce_mean(tf.sign(scores)),
        "Loss/squares/" + kind: tf.reduce_mean(tf.square(scores)),
    }
