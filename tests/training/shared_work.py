"""What the processes of a RankPair, or one process by itself, do in the tests of shared rounds."""

import dataclasses
import os
import signal

import numpy as np

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo, TrainConfig
from sg2ada_colab.dataset import TrainingStream
from sg2ada_colab.draws import uniform
from sg2ada_colab.errors import UserError
from sg2ada_colab.runs.build import build_phases, build_state
from sg2ada_colab.tf import tf
from sg2ada_colab.training.loop import Callback, train

from .test_steps import REPORTS

LABELS = 2
SIZES = {"batch": 8, "cbase": 64, "cmax": 8, "augpipe": "noise", "no_xla": True, "metrics": [], "tick": 0.064, "seed": 4}
MINIBATCHES = 20


class RandomImages:
    """Images of 8x8 pixels with labels, in memory."""

    num_images, height, width, channels, label_size = 30, 8, 8, 3, LABELS

    def __init__(self, seed):
        random = np.random.RandomState(seed)
        self.images = random.randint(0, 255, [30, 8, 8, 3]).astype(np.uint8)
        self.labels = np.eye(LABELS, dtype=np.float32)[random.randint(0, LABELS, 30)]

    def __len__(self):
        return 30

    def read(self, indices, *flips):
        return self.images[indices]


class TickMeans(Callback):
    """Keeps the means of each tick, and does what a test asks for after each group."""

    def __init__(self, after_group=lambda progress: None):
        self.means, self.after_group = [], after_group

    def on_tick(self, progress):
        self.means.append(dict(progress.means))

    def on_group(self, progress):
        self.after_group(progress)


def config_of(shared=True, **options):
    data = DatasetInfo("d", "d", 8, 3, LABELS, 30, has_validation=True)
    config = resolve(TrainOptions(**dict(SIZES, **options)), data)
    kimg = MINIBATCHES * config.schedule.minibatch_size / 1000
    return dataclasses.replace(config, schedule=dataclasses.replace(config.schedule, total_kimg=kimg, shared_rounds=shared))


def with_light_steps(phases):
    """Give phases losses whose graphs are made in no time, which depend on all that a step is given, and move running values."""

    def lighten(phase):
        def light(seed, *inputs):
            means = [tf.reduce_mean(tf.cast(one, tf.float32)) for one in inputs] + [uniform(seed, phase.name, [])]
            scale = tf.reduce_mean(tf.stack(means))
            if phase.network == "G":
                phases.running.move("dlatent_avg", lambda: tf.fill(phases.state.G.variables["dlatent_avg"].shape, scale))
                phases.running.move("pl_mean", lambda: scale)
            loss = scale * tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in phase.trainable.values()])
            return loss, dict.fromkeys(REPORTS[phase.name], loss)

        phase.function = light

    for phase in phases.generator + phases.discriminator:
        lighten(phase)
    return phases


def trained(ranks, options, after_group=lambda progress: None, stop=lambda: None, light=False):
    """Train 20 minibatches; return what there is to compare: variables by name, means of ticks, counters and controller."""
    config = config_of(**options)
    state = build_state(config)
    phases = build_phases(config, state, ranks)
    if light:
        with_light_steps(phases)
    stream = TrainingStream(RandomImages(0), config.schedule.minibatch_gpu, config.seed)
    held_out = TrainingStream(RandomImages(1), config.schedule.minibatch_gpu, config.seed)
    ticks = TickMeans(after_group)
    train(state, phases, stream, config, [ticks], stop, held_out if config.augment.heuristic == "rv" else None)
    networks, arrays, meta = state.save()
    meta["counters"].pop("elapsed_s")
    values = {part + "/" + name: array for part, named in dict(networks, rest=arrays).items() for name, array in named.items()}
    return values, ticks.means, meta


def primitives(ranks, data):
    """Return what each process gets of sums, gatherings and shared bytes; those of process 0 alone count."""
    vector = np.float32([ranks.index + 1, 1e-30, np.inf if ranks.index else -2.5])
    own = data if ranks.index == 0 else [b"", b"other", b"x" * 99]
    total = ranks.sum(vector[:2] + np.float32([0, 1])).numpy()
    return total, ranks.gather(vector), [ranks.share(one) for one in own], ranks.leads, ranks.gather_bytes(b"abc"[ranks.index :])


def with_a_changed_weight(ranks, options):
    """Train, and change a weight of process 1 a little after the second group; return when that was seen, and the text."""
    groups = []

    def after_group(progress):
        groups.append(progress.state.counters.minibatch)
        if len(groups) == 2 and ranks.index == 1:
            bias = progress.state.D.variables["Output/bias"]
            bias.assign_add(tf.ones_like(bias) * 2.0**-20)

    try:
        trained(ranks, options, after_group, light=True)
    except UserError as error:
        return groups, str(error)
    return groups, None


def stopped_by_one(ranks, options):
    """Train, with a wish to stop in process 1 alone, after its second group; return the counters and means at the stop."""
    groups = []

    def stop():
        return "asked to end" if ranks.index == 1 and len(groups) == 2 else None

    return trained(ranks, options, lambda progress: groups.append(progress.stopped), stop, light=True)[2]["counters"]


def end(ranks):
    """End process 1 without a word; process 0 returns how a gathering ends, and after how many seconds."""
    import time

    if ranks.index == 1:
        os._exit(9)
    began = time.time()
    try:
        for _ in range(1000):
            ranks.gather([1.0])
    except UserError as error:
        return type(error).__name__, time.time() - began
    return None


class StopAfter(Callback):
    """Asks for a stop after so many groups, as Ctrl-C does; with `kill` the process ends at once."""

    def __init__(self, groups, kill):
        self.left, self.number = groups, signal.SIGKILL if kill else signal.SIGINT

    def on_group(self, progress):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def started(ranks, config, run_dir, resume=None, groups=0, kill=False, programs=None):
    """Begin a run or go on with one, with light steps; return the exit code.

    Args:
        config: As JSON.
        groups: Of four minibatches, after which this process gets a signal; 0: never.
        programs: Folder that keeps what is compiled, or None.
    """
    from sg2ada_colab.compile.cache import CompileCache
    from sg2ada_colab.metrics import features
    from sg2ada_colab.runs import start as start_module

    from ..metrics.conftest import random_network

    heavy, start_module.build_phases = start_module.build_phases, lambda *args: with_light_steps(build_phases(*args))
    real, features.open_network = features.open_network, lambda name, path=None, cache_dir=None: random_network(name)
    try:
        callbacks = [StopAfter(groups, kill)]
        config = TrainConfig.from_json(config)
        cache = programs and CompileCache(programs, b"key", leads=ranks.leads)
        return start_module.start(config, run_dir, resume, quiet=True, extra_callbacks=callbacks, cache=cache, ranks=ranks)
    finally:
        start_module.build_phases, features.open_network = heavy, real


def ends(ranks, config, run_dir):
    """Train, where copying to Drive takes a while; return when that was done, None where nothing is copied, and when all was."""
    import time

    from sg2ada_colab.storage.keeper import RunKeeper

    finish, done = RunKeeper.finish, []

    def slow(self, *args):
        time.sleep(1.0)
        done.append(time.monotonic())
        return finish(self, *args)

    RunKeeper.finish = slow
    try:
        assert started(ranks, config, run_dir) == 0
    finally:
        RunKeeper.finish = finish
    return done[0] if done else None, time.monotonic()


def started_and_watched(ranks, config, run_dir, folder):
    """Begin a run whose programs are kept in a folder, and look at how they get ready before its first step.

    Returns:
        (exit code, (digests of what was traced, number of programs, files after each message)).
    """
    from pathlib import Path

    from sg2ada_colab.runs import start as start_module

    found, real = [], start_module.warm_up_together

    def watched(programs, variables, cache, leads, meet, tell):
        files = []

        def meet_and_look():
            meet()
            files.append({path.name: path.stat().st_ino for path in Path(folder).glob("*.pb")})

        ready = real(programs, variables, cache, leads, meet_and_look, tell)
        found.append((sorted(cache.programs), len(programs), files))
        return ready

    start_module.warm_up_together = watched
    try:
        return (started(ranks, config, run_dir, programs=folder), *found)
    finally:
        start_module.warm_up_together = real
