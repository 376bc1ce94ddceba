"""A training phase whose rounds are shared out among the processes of a run, which then take the same step."""

from typing import Any, Callable, List, Tuple

import numpy as np

from ..tf import compiled, tf
from .optimizer import gradients_or_zeros
from .phase import OptimizerStep, PhaseSettings, TrainingPhase
from .ranks import Ranks
from .running import RunningValues


class SharedPhase(TrainingPhase):
    """A TrainingPhase of which each process runs its share of the rounds.

    A process adds up the gradients of its rounds. One message sums them over all; with them goes what each round observed for the
    running values, each at its own place, zeros elsewhere, so that these sums are exact. Then every process updates the running
    values, round by round in order, and takes the optimiser's step. The message lies between two compiled programs.

    Args:
        settings: PhaseSettings; `rounds` are those of all processes.
        function, step: As of `TrainingPhase`.
        ranks: Ranks; their number divides the rounds.
        running: RunningValues that the function updates.
    """

    def __init__(
        self, settings: PhaseSettings, function: Callable, step: OptimizerStep, ranks: Ranks, running: RunningValues
    ) -> None:
        assert settings.rounds % ranks.count == 0, f"{ranks.count} processes cannot share {settings.rounds} rounds"
        self.ranks, self.running, self.own_rounds = ranks, running, settings.rounds // ranks.count
        self.names_seen: List[str] = []  # of the running values that a round observes; known once it is traced
        self._kept: List[tuple] = []  # what the rounds of the minibatch under way gave for the message
        super().__init__(settings, function, step)
        if self.own_rounds == 1:
            self.accumulator = None  # its gradients go straight into the message
        self.message_program = compiled(self._message, settings.xla)
        self.apply_program = compiled(self._apply, settings.xla)
        self.place = tf.constant(np.eye(ranks.count, dtype=np.float32)[ranks.index])

    @property
    def message_size(self) -> int:
        """Number of values that are sent."""
        return sum(self._gradient_sizes()) + self.rounds * sum(self.running.sizes())

    def message_inputs(self) -> tuple:
        """Return inputs of the shapes that `message_program` is called with."""
        kept = () if self.accumulator is not None else (tf.zeros([sum(self._gradient_sizes())]),)
        return (self.place,) + kept + tuple(tf.zeros([sum(self.running.sizes())]) for _ in range(self.own_rounds))

    def run(self, round_index: int, *inputs: Any) -> Tuple[Any, Any]:
        """Run one of this process's rounds; return (reports as a vector, whether the step was finite, None before the last)."""
        reports, *kept = self.program(*inputs)
        self._kept.append(tuple(kept))
        if len(self._kept) < self.own_rounds:
            return reports, None
        gradients = [one for _, *flat in self._kept for one in flat]
        seen, self._kept = [seen for seen, *_ in self._kept], []
        total = self.ranks.sum(self.message_program(self.place, *gradients, *seen))
        assert self.apply_program is not None
        return reports, self.apply_program(total)

    def _gradient_sizes(self):
        return [variable.shape.num_elements() for variable in self.trainable.values()]

    def _traced(self) -> Callable:
        def phase(seed, *inputs):
            with tf.GradientTape(watch_accessed_variables=False) as tape, self.running.collecting() as seen:
                tape.watch(list(self.trainable.values()))
                loss, reports = self.function(tf.cast(seed, tf.int32), *inputs)
            self.names_seen = list(seen)
            gradients = gradients_or_zeros(tape, loss, self.trainable, self.gradient_scale)
            if self.accumulator is not None:
                self.accumulator.add(gradients)
                return self.pack(reports), self.running.pack(seen)
            return self.pack(reports), self.running.pack(seen), _flat([g * (1.0 / self.rounds) for g in gradients])

        return phase

    def _message(self, place, *kept):
        """Return the vector to be summed: the gradients, then what each round of all processes observed."""
        gradients, seen = (None, kept) if self.accumulator is not None else (kept[0], kept[1:])
        if self.accumulator is not None:
            gradients = _flat(self.accumulator.take())
        seen = tf.concat(seen, axis=0)
        shape = [self.ranks.count, int(seen.shape[0])]
        here = tf.broadcast_to(place[:, tf.newaxis] > 0.5, shape)  # not a product: what was observed may be infinite
        seen = tf.where(here, tf.broadcast_to(seen[tf.newaxis], shape), tf.zeros(shape))
        return tf.concat([gradients, tf.reshape(seen, [-1])], axis=0)

    def _apply(self, total):
        sizes = self._gradient_sizes()
        *gradients, seen = tf.split(total, sizes + [self.rounds * sum(self.running.sizes())])
        self.running.follow(tf.reshape(seen, [self.rounds, sum(self.running.sizes())]), self.names_seen)
        return self.optimizer.apply([tf.reshape(g, v.shape) for g, v in zip(gradients, self.trainable.values())])


def _flat(gradients):
    return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0)
