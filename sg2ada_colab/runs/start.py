"""Begin a run or go on with one: open the data, build or restore the state, train, save."""

import os
import sys
import time

from ..dataset import TrainingStream, open_dataset
from ..errors import UserError
from ..metrics.report import measured_names
from ..metrics.schedule import standing_for
from ..metrics.snapshots import best_snapshots
from ..networks.summary import layer_table
from ..snapshots.keeper import RunKeeper
from ..snapshots.network_pickle import read_network_pickle
from ..snapshots.retention import Retention
from ..snapshots.room import room_report
from ..snapshots.store import RunStore
from ..snapshots.training_state import load_state
from ..tf import IS_TF1, VERSION, tf
from ..training.estimate import estimate
from ..training.loop import Means, train
from ..training.options_file import FILE_NAME, options_text
from ..training.warm_up import warm_up
from . import compile_cache
from .build import build_controller, build_phases, build_state, open_training_data
from .callbacks import Grids, Snapshots
from .device import describe_device, prepare_device
from .log import Log, ProgressBar, StatsFile, TensorBoardEvents, TickLog
from .metrics import Metrics
from .profiler import Profiler
from .stop import StopFlag
from .transfer import adopt_architecture, starting_networks, take_over_partly

INTERRUPTED = 130
KEEP_ALL = 10**9


def find_snapshot(run_dir):
    """Return (Candidate, sentences about what was passed over) of a run to go on with.

    Raises:
        UserError: The run has no snapshot that is whole.
    """
    store = RunStore(run_dir)
    candidate = store.newest_good(read_network_pickle)
    if candidate is None:
        raise UserError(
            "{} has no snapshot to go on from.{}".format(run_dir, "".join("\n    " + s for s in store.skipped)),
            "a network-snapshot-NNNNNN.pkl with its training-state-NNNNNN.npz, both whole",
            "begin a new run: sg2ada train",
        )
    return candidate, store.skipped


def start(config, run_dir, resume=None, quiet=False, drive_dir=None, extra_callbacks=()):
    """Train a run to its end, or until it is interrupted; everything is saved either way.

    Args:
        config: TrainConfig, checked.
        run_dir: Folder of the run, made if missing.
        resume: None for a new run; True for the newest whole snapshot of `run_dir`; or a Candidate.
        quiet: No output but the log file.
        drive_dir: The run's folder on Drive, to which what is finished is copied in the background; None: none.
        extra_callbacks: Further training.loop.Callback objects.

    Returns:
        Exit code: 0 when the run reached its length, 130 when it was interrupted after a clean save.
    """
    run_dir = str(run_dir)
    candidate, skipped = find_snapshot(run_dir) if resume is True else (resume or None, ())
    snapshot = None
    if candidate is None and config.resume_pkl:
        snapshot = starting_networks(config.resume_pkl)
        config = adopt_architecture(config, snapshot)
    dataset = open_training_data(config)
    os.makedirs(run_dir, exist_ok=True)
    write_options(config, run_dir)
    log = Log(os.path.join(run_dir, "log.txt"), quiet)
    retention = Retention(config.keep_last or KEEP_ALL, config.keep_every_kimg)
    try:
        with StopFlag() as stop, RunKeeper(run_dir, drive_dir, retention, say=log, read_pickle=read_network_pickle) as keeper:
            run = _Run(config, run_dir, dataset, log, quiet)
            return run.train(candidate, skipped, snapshot, keeper, stop, extra_callbacks)
    finally:
        log.close()


def write_options(config, run_dir):
    """Write training_options.json of a run."""
    path = os.path.join(run_dir, FILE_NAME)
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        file.write(options_text(config, run_dir, ours=True))
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


def out_of_memory(config, store):
    """Return the UserError of a GPU whose memory was not enough, with the setting that needs half of it."""
    at_once = config.minibatch_gpu
    again = "go on (sg2ada resume {}".format(store.run_dir) if store.snapshots() else "begin again (sg2ada train"
    if at_once > 1 and at_once % 2 == 0:
        remedy = "set --batch-gpu {} (batch_gpu in a notebook) and {}, or the cell again): the minibatch of {} stays".format(
            at_once // 2, again, config.minibatch_size
        )
    else:
        remedy = "choose a smaller --res, or fewer channels: --cbase, --cmax"
    return UserError(
        "The memory of {} was not enough for {} images of {} pixels at once.".format(
            describe_device(), at_once, config.resolution
        ),
        "about {:.1f} GiB free, and no other program on the same GPU".format(estimate(config).memory_bytes / 2**30),
        remedy,
    )


class _Run:
    """One process's share of a run."""

    def __init__(self, config, run_dir, dataset, log, quiet):
        self.config, self.run_dir, self.dataset, self.log, self.quiet = config, run_dir, dataset, log, quiet
        self.began = time.time()

    def train(self, candidate, skipped, snapshot, keeper, stop, extra_callbacks):
        """Set everything up, in the order that the log tells, and train; return the exit code."""
        config, log = self.config, self.log
        prepare_device(config.deterministic, config.seed)
        log("sg2ada_colab on TensorFlow {}, {}.".format(VERSION, describe_device()))

        log("Loading training set...")
        stream = TrainingStream(self.dataset, config.minibatch_gpu, config.seed, config.mirror_x, config.mirror_y)
        log("Image shape: {}".format([self.dataset.channels, self.dataset.resolution, self.dataset.resolution]))
        log("Label shape: {}".format([self.dataset.label_size]))

        log("Constructing networks...")
        for note in config.notes:
            log("Note: " + note)
        for sentence in skipped:
            log("Passed over: " + sentence)
        state, means = self.build(candidate, snapshot)
        for name, network in (("G", state.G), ("D", state.D)):
            log(layer_table(name, network.config, network.specs.values()) + "\n")

        if candidate is not None and config.keep_best:  # measured since, by `sg2ada metrics`
            name = standing_for(config.metrics[0], measured_names(self.run_dir)) if config.metrics else None
            best = best_snapshots(self.run_dir, [name]) if name else {}
            keeper.store.adopt_best({metric: found[:2] for metric, found in best.items()})

        if state.counters.nimg >= config.total_kimg * 1000 and candidate is not None:
            log("The run has its {:g} kimg already; for more, give a larger --kimg.".format(config.total_kimg))
            return 0
        if keeper.drive_dir:
            cost = estimate(config)
            snapshot_bytes = cost.snapshot_bytes + cost.state_bytes
            for sentence in room_report(cost.disk_bytes, snapshot_bytes, self.run_dir, keeper.drive_dir):
                log(sentence)

        log("Training for {} kimg...".format(config.total_kimg))
        grids = Grids(self.run_dir, stream, config, state, log)
        callbacks = self.callbacks(state, grids, keeper, stop) + list(extra_callbacks)
        if config.profile:
            callbacks.append(Profiler(self.run_dir, log))
        phases = build_phases(config, state)
        try:
            self.compile(state, phases, grids)
            log("Start-up took {:.1f} s.".format(time.time() - self.began))
            progress = train(state, phases, stream, config, callbacks, stop, means, self.validation())
        except tf.errors.ResourceExhaustedError as error:
            raise out_of_memory(config, keeper.store) from error
        if progress.stopped:
            log("Stopped: {}. Go on with: sg2ada resume {}".format(progress.stopped, self.run_dir))
            return INTERRUPTED
        log("Done: {:.0f} kimg.".format(state.counters.nimg / 1000))
        return 0

    def compile(self, state, phases, grids):
        """Compile what training calls, side by side, or find it among what was compiled before."""
        if not self.config.xla or IS_TF1:
            return
        self.log("Compiling the networks...")
        cache = compile_cache.current()
        if cache:
            self.log(cache.sentence())
        programs = phases.programs()
        programs[2:2] = grids.sampler.programs()  # not last: it would be compiled alone, after all that is not timed any more
        ready = warm_up(programs, state.variables() + phases.variables(), cache)
        if cache:
            cache.keep()
        self.log(", ".join("{} {:.1f} s".format(name, seconds) for name, seconds in ready.items()))

    def build(self, candidate, snapshot):
        """Return (TrainState, Means of the unfinished tick or None): restored, with another run's networks, or fresh."""
        config = self.config
        if candidate is not None:
            self.log("Going on from {}.".format(os.path.basename(candidate.pickle)))
            snapshot = read_network_pickle(candidate.pickle)
        elif snapshot is not None:
            self.log("Starting from the networks of {}.".format(config.resume_pkl))
        partial = candidate is None and config.resume_partial and snapshot is not None
        state = build_state(config, None if partial else snapshot)
        for line in take_over_partly(state, snapshot) if partial else ():
            self.log("  " + line)
        state.controller = build_controller(config)
        state.counters.nimg = state.counters.tick_start_nimg = config.start_kimg * 1000
        state.counters.minibatch = state.counters.nimg // config.minibatch_size
        if candidate is None:
            return state, None
        arrays, meta = load_state(candidate.state)
        state.restore(arrays, meta)
        return state, Means(meta.get("means"))

    def callbacks(self, state, grids, keeper, stop):
        config = self.config
        snapshots = Snapshots(keeper.store, config, self.log)
        bar = sys.stderr.isatty() or os.environ.get("SG2ADA_PROGRESS")
        return [
            TickLog(self.log, state.controller),
            StatsFile(self.run_dir),
            TensorBoardEvents(self.run_dir),
            grids,
            snapshots,
            Metrics(self.dataset, config, keeper.store, snapshots, self.log, stop),
            ProgressBar(disable=self.quiet or not bar),
        ]

    def validation(self):
        """Return the stream of validation images for the r_v heuristic, or None."""
        config = self.config
        if config.aug_heuristic != "rv":
            return None
        held_out = open_dataset(
            config.data_path, resolution=config.resolution, max_label_size=config.label_size or 0, validation=True
        )
        return TrainingStream(held_out, config.minibatch_gpu, config.seed)
