"""The training loop: one function over one state; everything that is not training is a callback."""

import dataclasses
import time
from contextlib import ExitStack
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from ..augment.adapt import MINIBATCHES_PER_UPDATE, AdaptiveController
from ..config.train_config import TrainConfig
from ..dataset.stream import PrefetchedBatches, TrainingStream
from ..draws import SEED_DTYPE
from ..seeds import step_seed
from ..tf import placed, tf
from .agreement import Agreement, Result, read_reports
from .optimizer import ema_beta
from .phase import Phase
from .state import RunningMeans, TrainState
from .steps import Phases

MINIBATCHES_PER_GROUP = MINIBATCHES_PER_UPDATE  # also between two looks at the clock and at the stop flag
COPY_BYTES = 64 << 20
PREFETCH = 4  # batches that are kept ready, at least


class Callback:
    """What is done beside training; each method but `close` is given the TrainingProgress."""

    def on_start(self, progress: "TrainingProgress") -> None:
        """Before the first minibatch."""

    def on_group(self, progress: "TrainingProgress") -> None:
        """After every four minibatches."""

    def on_tick(self, progress: "TrainingProgress") -> None:
        """At the end of a tick, with its averages in `progress.means`."""

    def on_end(self, progress: "TrainingProgress") -> None:
        """After the last tick, or after a stop; not where an exception ends training."""

    def close(self) -> None:
        """End its threads and processes and close its files: the last call, whatever ended training, also before `on_start`."""


@dataclasses.dataclass
class TrainingProgress:
    """Where training stands, for callbacks; the counters proper are in `state.counters`."""

    state: TrainState
    config: TrainConfig
    tick: int = 0  # index of the tick that just ended
    done: bool = False  # the run reached its length
    stopped: Optional[str] = None  # why it ends early, or None
    means: Dict[str, float] = dataclasses.field(default_factory=dict)  # of the tick that just ended
    images_per_second: float = 0.0  # of the latest groups
    tick_s: float = 0.0  # seconds that the tick took, without maintenance
    tick_nimg: int = 0  # images of the tick
    maintenance_s: float = 0.0  # seconds between this tick's start and the end of the one before
    session_s: float = 0.0  # seconds since this process began to train


class Call(NamedTuple):
    """One call of a phase in a minibatch."""

    phase: Phase
    round: int
    inputs: tuple  # tensors on the device: seed and labels of fakes; what comes with the real images is not in it


class MinibatchCalls(NamedTuple):
    """The calls of one minibatch, in order."""

    generator: List[Call]
    discriminator: List[List[Call]]  # of each round; all of a round are shown the same reals
    validation: List[Call]

    def all(self) -> List[Call]:
        return self.generator + [call for calls in self.discriminator for call in calls] + self.validation


def planned_calls(index: int, phases: Phases, validates: bool = False) -> MinibatchCalls:
    """Return the calls of minibatch `index`, without their inputs.

    Args:
        index: Number of the minibatch.
        phases: Phases.
        validates: Whether D judges held-out images at the end of the minibatch.
    """
    rounds = phases.own_rounds
    due_g = [phase for phase in phases.generator if phase.is_due(index)]
    due_d = [phase for phase in phases.discriminator if phase.is_due(index)]
    by_phase = [Call(phase, r, ()) for phase in due_g for r in rounds]  # in which processes can take each step together
    return MinibatchCalls(
        by_phase if phases.config.schedule.shared_rounds else [Call(phase, r, ()) for r in rounds for phase in due_g],
        [[Call(phase, r, ()) for phase in due_d] for r in rounds],
        [Call(phases.validation, 0, ())] if validates else [],
    )


def draw_calls(
    indices: Iterable[int], phases: Phases, stream: TrainingStream, seed: int, validates: bool = False
) -> List[MinibatchCalls]:
    """Return the calls of each of the minibatches `indices`, with what they need on the device.

    A copy to a GPU waits until all work that was given to it is done, and then the GPU waits for the call that is prepared
    meanwhile, 3 ms of 100. So all seeds and labels of a group are copied together before its work begins.

    Args:
        phases, validates: As in `planned_calls`.
        stream: TrainingStream, for the labels of fakes.
        seed: Of the run.
    """
    plans = [planned_calls(index, phases, validates) for index in indices]
    drawn, labels = [], []
    for index, plan in zip(indices, plans):
        for phase, round_index, _ in plan.all():
            drawn.append(step_seed(seed, phase.name, index * phase.rounds + round_index))
            labels.append(stream.random_labels(phase.batch, drawn[-1]))
    seeds = iter(tf.unstack(tf.constant(np.stack(drawn), SEED_DTYPE)))
    parts = iter(tf.split(tf.constant(np.concatenate(labels)), [len(rows) for rows in labels]))

    def filled(calls):
        return [Call(phase, r, (next(seeds), next(parts))[: 2 if phase.batch else 1]) for phase, r, _ in calls]

    return [
        MinibatchCalls(filled(plan.generator), [filled(calls) for calls in plan.discriminator], filled(plan.validation))
        for plan in plans
    ]


def read_ahead(stream: TrainingStream, start: int, per_group: int, share: Callable = int) -> PrefetchedBatches:
    """Return an iterator over a stream's batches from `start` on, on the device, where they are copied a group at a time.

    Args:
        stream: TrainingStream.
        start: Number of the first batch.
        per_group: Batches that a group of minibatches takes; fewer are copied at once if they have more than COPY_BYTES.
        share: Function that gives the number in the stream of a process's batch k; `start` is such a k.
    """
    size = stream.batch_size * stream.dataset.height * stream.dataset.width * stream.dataset.channels
    together = max(1, min(per_group, COPY_BYTES // size))
    return stream.prefetch(start, max(together, PREFETCH), placed, together, share)


def own_batches(phases: Phases) -> Callable[[int], int]:
    """Return a function that gives the number in the stream of this process's batch k: those of its rounds."""
    first, own, rounds = phases.own_rounds[0], len(phases.own_rounds), phases.config.schedule.rounds
    return lambda k: k // own * rounds + first + k % own


class Batches(NamedTuple):
    """Iterators over what a process trains on, on the device, from the state's position on."""

    training: Iterator  # (images, labels) of each of its rounds
    held_out: Optional[Iterator]  # one batch a minibatch; None where D does not judge held-out images


def open_batches(
    state: TrainState, phases: Phases, stream: TrainingStream, validation: Optional[TrainingStream], to_close: ExitStack
) -> Batches:
    """Return the Batches of a process; `to_close` ends the threads that read ahead."""
    minibatch, own = state.counters.minibatch, len(phases.own_rounds)
    training = read_ahead(stream, minibatch * own, MINIBATCHES_PER_GROUP * own, own_batches(phases))
    to_close.callback(training.close)
    if validation is None:
        return Batches(training, None)
    held_out = read_ahead(validation, minibatch, MINIBATCHES_PER_GROUP)
    to_close.callback(held_out.close)
    return Batches(training, held_out)


def run_minibatch(
    state: TrainState, phases: Phases, calls: MinibatchCalls, batches: Batches, p: tf.Tensor, beta: tf.Tensor
) -> List[Result]:
    """Train on one minibatch: G main, G regularisation, moving average, D main, D regularisation (in rounds).

    Args:
        calls: What `draw_calls` returns for the state's minibatch.
        p: Augmentation strength.
        beta: Decay of the moving average.

    Returns:
        Results whose tensors are still on the device.
    """
    results, schedule = [], phases.config.schedule

    def run(call, *reals):
        results.append(Result(call.phase, *call.phase.run(call.round, *call.inputs, *reals, p)))

    for call in calls.generator:
        run(call)
    phases.update_average(beta)
    if schedule.shared_rounds:  # by phase, as in `planned_calls`
        reals = [next(batches.training) for _ in calls.discriminator]
        for calls_of_phase in zip(*calls.discriminator):
            for call, of_round in zip(calls_of_phase, reals):
                run(call, *of_round)
    for calls_of_round in [] if schedule.shared_rounds else calls.discriminator:
        reals = next(batches.training)
        for call in calls_of_round:
            run(call, *reals)
    for call in calls.validation:
        assert batches.held_out is not None, "D judges held-out images, and there are none"
        run(call, *next(batches.held_out))
    state.counters.minibatch += 1
    state.counters.nimg += schedule.minibatch_size
    return results


def run_group(state: TrainState, phases: Phases, stream: TrainingStream, batches: Batches) -> List[Result]:
    """Train on four minibatches, with the augmentation strength and the moving average's decay of where they begin.

    Returns:
        Results whose tensors are still on the device.
    """
    counters, controller, schedule = state.counters, state.controller, phases.config.schedule
    p = tf.constant(controller.p_float32 if controller is not None else 0.0, tf.float32)
    beta = tf.constant(ema_beta(schedule.minibatch_size, counters.nimg, schedule.ema_kimg, schedule.ema_rampup), tf.float32)
    indices = range(counters.minibatch, counters.minibatch + MINIBATCHES_PER_GROUP)
    results = []
    for calls in draw_calls(indices, phases, stream, phases.config.seed, batches.held_out is not None):
        results += run_minibatch(state, phases, calls, batches, p, beta)
    return results


def accumulate_reports(read: List[Result], means: RunningMeans, controller: Optional[AdaptiveController]) -> None:
    """Add the reports of a group to the means and feed the augmentation controller."""
    for phase, values, finite in read:
        for name, value in values.items():
            means.add(name, value)
        if finite is not None and phase.overflow_name is not None:
            means.add(phase.overflow_name, 0.0 if finite else 1.0)
        if controller is not None:
            controller.observe(
                {kind: values.get("Loss/scores/" + kind) for kind in ("real", "fake", "valid")}, values.get("Loss/signs/real")
            )


class _Clock:
    """The times of a session: of all of it, of the group and of the tick that are under way."""

    def __init__(self, progress: TrainingProgress) -> None:
        self.progress, self.counters = progress, progress.state.counters
        self.session_start, self.elapsed_before_s = time.time(), self.counters.elapsed_s

    def begin_tick(self, maintenance_start: float) -> None:
        """Begin a tick, after callbacks that were called from `maintenance_start` on."""
        self.tick_start = time.time()
        self.maintenance_s, self.tick_begin_nimg = self.tick_start - maintenance_start, self.counters.nimg

    def begin_group(self) -> None:
        self.group_start, self.group_begin_nimg = time.time(), self.counters.nimg

    def end_group(self) -> float:
        """Write what the group took into the progress and the counters; return the time."""
        now, progress = time.time(), self.progress
        progress.images_per_second = (self.counters.nimg - self.group_begin_nimg) / max(now - self.group_start, 1e-9)
        progress.session_s = now - self.session_start
        self.counters.elapsed_s = self.elapsed_before_s + progress.session_s
        return now

    def end_tick(self, now: float) -> None:
        """Write what the tick took, and its means, into the progress, and count it."""
        progress, counters = self.progress, self.counters
        progress.tick, progress.means = counters.tick, progress.state.means.take()
        progress.tick_s, progress.tick_nimg = now - self.tick_start, counters.nimg - self.tick_begin_nimg
        progress.maintenance_s = self.maintenance_s
        counters.tick += 1
        counters.tick_start_nimg = counters.nimg


def train(
    state: TrainState,
    phases: Phases,
    stream: TrainingStream,
    config: TrainConfig,
    callbacks: Sequence[Callback],
    stop: Callable[[], Optional[str]],
    validation: Optional[TrainingStream] = None,
) -> TrainingProgress:
    """Train until `config.schedule.total_kimg`, or until `stop()` gives a reason; return the progress at the end.

    Args:
        state: TrainState, fresh or restored; it is changed in place.
        phases: The compiled phases over that state.
        stream: TrainingStream of `minibatch_gpu` images a batch; batch k is a function of (seed, k).
        config: TrainConfig.
        callbacks: Called in order, and closed in reverse order, also where an exception ends training.
        stop: Asked after every four minibatches. Of several processes all stop where one has a reason.
        validation: TrainingStream of held-out images for the r_v heuristic, or None.
    """
    counters, controller, schedule = state.counters, state.controller, config.schedule
    progress, ranks = TrainingProgress(state, config), phases.ranks
    agreement = Agreement(ranks, phases.checksum) if ranks.count > 1 else None
    clock = _Clock(progress)
    with ExitStack() as to_close:
        for callback in callbacks:
            to_close.callback(callback.close)
        for callback in callbacks:
            callback.on_start(progress)
        clock.begin_tick(clock.session_start)

        batches = open_batches(state, phases, stream, validation, to_close)
        while not (progress.done or progress.stopped):
            clock.begin_group()
            results = run_group(state, phases, stream, batches)

            # Read what the phases report; this waits for the device, and for the other processes.
            reason = None
            if agreement is None:
                read = read_reports(results)
            else:
                read, reason = agreement.exchange(results, stop())
            accumulate_reports(read, state.means, controller)

            # Adapt the augmentation strength.
            if controller is not None:
                controller.update()

            # Look at the clock.
            now = clock.end_group()
            progress.done = counters.nimg >= schedule.total_kimg * 1000

            # End the tick: the first check of a run, then every kimg_per_tick.
            if progress.done or counters.tick == 0 or counters.nimg >= counters.tick_start_nimg + schedule.kimg_per_tick * 1000:
                clock.end_tick(now)
                for callback in callbacks:
                    callback.on_tick(progress)
                clock.begin_tick(now)
            for callback in callbacks:
                callback.on_group(progress)
            progress.stopped = None if progress.done else stop() if agreement is None else reason

        for callback in callbacks:
            callback.on_end(progress)
        return progress
