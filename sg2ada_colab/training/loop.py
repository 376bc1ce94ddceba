"""The training loop: one function over one state; everything that is not training is a callback."""

import dataclasses
import time
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np

from ..draws import SEED_DTYPE
from ..seeds import step_seed
from ..tf import placed, tf
from .optimizer import ema_beta
from .steps import REPORTS

MINIBATCHES_PER_GROUP = 4  # between two looks at the clock, the augmentation controller and the stop flag
COPY_BYTES = 64 << 20
PREFETCH = 4  # batches that are kept ready, at least


class Callback:
    """What is done beside training; each method is given the Progress."""

    def on_start(self, progress):
        """Before the first minibatch."""

    def on_group(self, progress):
        """After every four minibatches."""

    def on_tick(self, progress):
        """At the end of a tick, with its averages in `progress.means`."""

    def on_end(self, progress):
        """After the last tick, or after a stop."""


@dataclasses.dataclass
class Progress:
    """Where training stands, for callbacks; the counters proper are in `state.counters`."""

    state: object  # TrainState
    config: object  # TrainConfig
    tick: int = 0  # index of the tick that just ended
    done: bool = False  # the run reached its length
    stopped: Optional[str] = None  # why it ends early, or None
    means: Dict[str, float] = dataclasses.field(default_factory=dict)  # of the tick that just ended
    unreported: Optional["Means"] = None  # of the tick that is under way
    images_per_second: float = 0.0  # of the latest groups
    tick_s: float = 0.0  # seconds that the tick took, without maintenance
    tick_nimg: int = 0  # images of the tick
    maintenance_s: float = 0.0  # seconds between this tick's start and the end of the one before
    session_s: float = 0.0  # seconds since this process began to train


class Means:
    """Mean of each reported value since the last tick; values that are not finite are left out. Its sums resume exactly."""

    def __init__(self, sums=None):
        self.sums = {name: list(pair) for name, pair in (sums or {}).items()}

    def add(self, name, value, count=1):
        if np.isfinite(value):
            pair = self.sums.setdefault(name, [0.0, 0])
            pair[0] += float(value)
            pair[1] += count

    def so_far(self):
        """Return a copy of the sums, name → [sum, count], from which `Means` goes on."""
        return {name: list(pair) for name, pair in self.sums.items()}

    def take(self):
        """Return the means and start again."""
        means = {name: total / count for name, (total, count) in self.sums.items() if count}
        self.sums = {}
        return means


class Call(NamedTuple):
    """One call of a phase in a minibatch."""

    phase: str
    round: int
    inputs: tuple  # tensors on the device: seed and labels of fakes; what comes with the real images is not in it


def planned_calls(index, settings, config, validates=False):
    """Return (phase, round, number of fakes) of each call of minibatch `index`, in order.

    Args:
        index: Number of the minibatch.
        settings: StepSettings.
        config: TrainConfig.
        validates: Whether D judges held-out images at the end of the minibatch.
    """
    regularize_g = settings.pl_weight and settings.g_reg_interval and index % settings.g_reg_interval == 0
    regularize_d = settings.d_reg_interval and index % settings.d_reg_interval == 0
    batch, calls = config.minibatch_gpu, []
    for r in range(config.rounds):
        calls.append(("G_main", r, batch))
        if regularize_g:
            calls.append(("G_reg", r, max(batch // settings.pl_batch_shrink, 1)))
    for r in range(config.rounds):
        calls.append(("D_main", r, batch))
        if regularize_d:
            calls.append(("D_reg", r, 0))
    return calls + [("D_valid", 0, 0)] * bool(validates)


def draw_calls(indices, settings, stream, config, validates=False):
    """Return a list of Calls for each of the minibatches `indices`, with what they need on the device.

    A copy to a GPU waits until all work that was given to it is done, and then the GPU waits for the call that is prepared
    meanwhile, 3 ms of 100. So all seeds and labels of a group are copied together before its work begins.

    Args:
        stream: TrainingStream, for the labels of fakes.
        settings, config, validates: As in `planned_calls`.
    """
    plans = [planned_calls(index, settings, config, validates) for index in indices]
    seeds, labels = [], []
    for index, plan in zip(indices, plans):
        for phase, round_index, fakes in plan:
            seeds.append(step_seed(config.seed, phase, index * (1 if phase == "D_valid" else config.rounds) + round_index))
            labels.append(stream.random_labels(fakes, seeds[-1]))
    seeds = iter(tf.unstack(tf.constant(np.stack(seeds), SEED_DTYPE)))
    labels = iter(tf.split(tf.constant(np.concatenate(labels)), [len(rows) for rows in labels]))
    return [[Call(phase, r, (next(seeds), next(labels))[: 2 if fakes else 1]) for phase, r, fakes in plan] for plan in plans]


def read_ahead(stream, start, per_group):
    """Return an iterator over a stream's batches from `start` on, on the device, where they are copied a group at a time.

    Args:
        stream: TrainingStream.
        start: Number of the first batch.
        per_group: Batches that a group of minibatches takes; fewer are copied at once if they have more than COPY_BYTES.
    """
    size = stream.batch_size * stream.dataset.resolution**2 * stream.dataset.channels
    together = max(1, min(per_group, COPY_BYTES // size))
    return stream.prefetch(start, max(together, PREFETCH), placed, together)


def run_minibatch(state, phases, calls, batches, held_out, config, p, beta):
    """Train on one minibatch: G main, G regularisation, moving average, D main, D regularisation (in rounds).

    Args:
        calls: What `draw_calls` returns for the state's minibatch.
        batches: Iterator over the stream's batches, on the device, from the state's position on.
        held_out: The same over held-out images, one batch a minibatch; None where D does not judge them.
        p: Augmentation strength, a tensor.
        beta: Decay of the moving average, a tensor.

    Returns:
        List of (phase name, report, finite), tensors still on the device.
    """
    results = []

    def run(call, *reals):
        results.append((call.phase,) + phases.run(call.phase, call.round, *call.inputs, *reals, p))

    for call in calls:
        if call.phase.startswith("G"):
            run(call)
    phases.update_average(beta)
    for call in calls:
        if call.phase == "D_main":
            reals = next(batches)  # of a round; its regularisation uses them again
        if call.phase == "D_valid":
            results.append((call.phase, phases.validate(*call.inputs, *next(held_out), p), None))
        elif call.phase.startswith("D"):
            run(call, *reals)
    state.counters.minibatch += 1
    state.counters.nimg += config.minibatch_size
    return results


def fetch(results):
    """Return (phase, report as a dict, finite or None) of each of a group's results, with one copy from the device."""
    parts = []
    for _, report, finite in results:
        parts += [report] + ([] if finite is None else [tf.reshape(tf.cast(finite, tf.float32), [1])])
    numbers, fetched = iter(tf.concat(parts, axis=0).numpy().astype(np.float64)), []
    for phase, _, finite in results:
        report = {name: next(numbers) for name in REPORTS[phase]}
        fetched.append((phase, report, None if finite is None else bool(next(numbers))))
    return fetched


def collect(fetched, means, controller):
    """Add the reports of a group to the means and feed the augmentation controller."""
    for phase, values, finite in fetched:
        for name, value in values.items():
            means.add(name, value)
        if finite is not None:
            network = "Reg" if phase.endswith("reg") else "Train"
            means.add(network + phase[0] + "/overflow_frequency", 0.0 if finite else 1.0)
        if controller is not None:
            controller.observe(
                {kind: values.get("Loss/scores/" + kind) for kind in ("real", "fake", "valid")}, values.get("Loss/signs/real")
            )


def train(
    state, phases, stream, config, callbacks: List[Callback], stop: Callable[[], Optional[str]], means=None, validation=None
):
    """Train until `config.total_kimg`, or until `stop()` gives a reason; return the Progress at the end.

    Args:
        state: TrainState, fresh or restored; it is changed in place.
        phases: The compiled phases over that state.
        stream: TrainingStream of `minibatch_gpu` images a batch; batch k is a function of (seed, k).
        config: TrainConfig.
        callbacks: Called in order.
        stop: Asked after every four minibatches.
        means: Means of the unfinished tick that a resume goes on with.
        validation: TrainingStream of held-out images for the r_v heuristic, or None.
    """
    counters, controller = state.counters, state.controller
    progress = Progress(state, config)
    progress.unreported = means = means or Means()
    session_start = group_start = tick_start = time.time()
    began_elapsed_s, tick_begin_nimg = counters.elapsed_s, counters.nimg
    for callback in callbacks:
        callback.on_start(progress)
    maintenance_s, tick_start = time.time() - session_start, time.time()

    batches = read_ahead(stream, counters.minibatch * config.rounds, MINIBATCHES_PER_GROUP * config.rounds)
    held_out = read_ahead(validation, counters.minibatch, MINIBATCHES_PER_GROUP) if validation is not None else None
    while not (progress.done or progress.stopped):
        # Train on four minibatches. The decay of the average is that of the count before them.
        group_start, begin_nimg = time.time(), counters.nimg
        p = tf.constant(controller.p_float32 if controller is not None else 0.0, tf.float32)
        beta = tf.constant(ema_beta(config.minibatch_size, counters.nimg, config.ema_kimg, config.ema_rampup), tf.float32)
        indices = range(counters.minibatch, counters.minibatch + MINIBATCHES_PER_GROUP)
        results = []
        for calls in draw_calls(indices, phases.settings, stream, config, held_out is not None):
            results += run_minibatch(state, phases, calls, batches, held_out, config, p, beta)

        # Fetch what the phases report; this waits for the device.
        collect(fetch(results), means, controller)

        # Adapt the augmentation strength.
        if controller is not None:
            controller.update()

        # Look at the clock.
        now = time.time()
        progress.images_per_second = (counters.nimg - begin_nimg) / max(now - group_start, 1e-9)
        progress.session_s = now - session_start
        counters.elapsed_s = began_elapsed_s + progress.session_s
        progress.done = counters.nimg >= config.total_kimg * 1000

        # End the tick: the first check of a run, then every kimg_per_tick.
        if progress.done or counters.tick == 0 or counters.nimg >= counters.tick_start_nimg + config.kimg_per_tick * 1000:
            progress.tick, progress.means = counters.tick, means.take()
            progress.tick_s, progress.tick_nimg = now - tick_start, counters.nimg - tick_begin_nimg
            progress.maintenance_s = maintenance_s
            counters.tick += 1
            counters.tick_start_nimg = tick_begin_nimg = counters.nimg
            for callback in callbacks:
                callback.on_tick(progress)
            maintenance_s, tick_start = time.time() - now, time.time()
        for callback in callbacks:
            callback.on_group(progress)
        progress.stopped = None if progress.done else stop()

    batches.close()
    if held_out is not None:
        held_out.close()
    for callback in callbacks:
        callback.on_end(progress)
    return progress
