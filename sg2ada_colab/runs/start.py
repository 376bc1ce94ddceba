"""Begin a run or go on with one: open the data, build or restore the state, train, save."""

import functools
import os
import sys
import time
from contextlib import closing
from typing import Optional, Sequence, Tuple, Union

from ..compile import durations
from ..compile.cache import CompileCache
from ..compile.warm_up import warm_up, warm_up_together
from ..config.estimate import estimate
from ..config.options_file import options_text
from ..config.shared_rounds import share_rounds
from ..config.train_config import TrainConfig
from ..dataset import TrainingStream, open_dataset
from ..dataset.reading import Dataset
from ..errors import UserError
from ..files import FilePath, write_text
from ..formats.network_data import NetworkSnapshot
from ..formats.network_pickle import read_network_pickle
from ..metrics.report import measured_names
from ..metrics.schedule import measured_name
from ..metrics.snapshots import best_snapshots
from ..networks.summary import layer_table
from ..run_files import OPTIONS
from ..shape import size_words
from ..storage.choose import Candidate, RunFolder, newest_in
from ..storage.disk_space import space_report
from ..storage.keeper import RunKeeper
from ..storage.retention import Retention
from ..storage.store import RunStore
from ..storage.training_state import load_state
from ..storage.which_run import nothing_to_go_on_from
from ..tf import IS_TF1, VERSION, tf
from ..training.agreement import share_state
from ..training.loop import Callback, train
from ..training.ranks import ALONE, Ranks
from ..training.state import flat
from .alike import check_processes, share_config
from .build import build_phases, build_state, open_training_data
from .callbacks import Grids, Snapshots
from .compile_log import CompileLog
from .device import describe_device, prepare_device
from .log import ProgressBar, StatsFile, TensorBoardEvents, TickLog
from .log_file import Log
from .metrics import HelpMeasure, Metrics
from .new_folder import Start, no_folder_if_refused
from .profiler import Profiler
from .stop import StopFlag
from .transfer import adopt_architecture, fitted, starting_networks
from .weights_and_biases import WeightsAndBiases

INTERRUPTED = 130
KEEP_ALL = 10**9


# What a network or a state raises that reads, but is not of the networks that the run trains.
DOES_NOT_FIT = (UserError, KeyError, IndexError, ValueError, TypeError, AssertionError, tf.errors.InvalidArgumentError)


def find_snapshot(store: RunStore) -> Tuple[Candidate, Tuple[str, ...]]:
    """Return (Candidate, sentences about what was passed over) of the run in a `RunStore` to go on with.

    Raises:
        UserError: The run has no complete snapshot.
    """
    candidate = store.newest_good()
    if candidate is None:
        raise nothing_to_go_on_from(store.run_dir, store.skipped)
    return candidate, store.skipped


def start(
    config: TrainConfig,
    run_dir: FilePath,
    resume: Union[None, bool, Candidate] = None,
    quiet: bool = False,
    drive_dir: Optional[FilePath] = None,
    extra_callbacks: Sequence[Callback] = (),
    cache: Optional[CompileCache] = None,
    store: Optional[RunStore] = None,
    ranks: Ranks = ALONE,
) -> int:
    """Train a run to its end, or until it is interrupted; everything is saved either way.

    Args:
        config: TrainConfig, checked.
        run_dir: Folder of the run, made if missing.
        resume: None for a new run; True for the newest complete snapshot of `run_dir`; or a Candidate of it, which the caller has
            verified, and which is not verified again.
        quiet: No output but the log file.
        drive_dir: The run's folder on Drive, to which what is finished is copied in the background; None: none.
        extra_callbacks: Further training.loop.Callback objects, called before the run's own.
        cache: CompileCache that keeps what is compiled; None: nothing is kept.
        store: The `RunStore` of `run_dir`, where the caller has one.
        ranks: The processes that train this run together, which all call this. The first one does what is described here. The
            others write nothing, need no run folder, and are given the state that the first one begins with; `resume`,
            `drive_dir` and `store` do not count there.

    Returns:
        Exit code: 0 when the run reached its length, 130 when it was interrupted after a clean save; the same in all processes.

    Raises:
        OtherRankEnded: Another process of the run is gone.
    """
    run_dir = str(run_dir)
    given, sharing = share_rounds(config, ranks.count)
    if ranks.index:
        return follow(given, run_dir, extra_callbacks, cache, ranks)
    store = store or RunStore(run_dir, make=False)
    candidate, skipped = find_snapshot(store) if resume is True else (resume or None, ())
    config, snapshot = with_starting_networks(given) if candidate is None else (given, None)
    dataset = open_training_data(config)
    check_processes(ranks, given, dataset)
    with no_folder_if_refused(run_dir, drive_dir) as started:
        os.makedirs(run_dir, exist_ok=True)
        retention = Retention(config.snapshots.keep_last or KEEP_ALL, config.snapshots.keep_every_kimg)
        with closing(Log(run_dir, quiet)) as log, StopFlag() as stop:
            say = functools.partial(log.note, "storage")
            with RunKeeper(store, drive_dir, retention, say=say, known=candidate) as keeper:
                write_options(config, run_dir, store.run_id)  # by the holder of the lease
                if candidate is not None and not candidate.is_newest():  # another process ended meanwhile
                    candidate, skipped = find_snapshot(store)
                run = _Run(config, run_dir, dataset, log, quiet, cache, ranks)
                for sentence in sharing:
                    log.note("warning", sentence)
                code = run.train(candidate, skipped, snapshot, keeper, stop, [_Begun(started)] + list(extra_callbacks))
    _leave_together(ranks)  # now that all is saved, and copied to Drive
    return code


def follow(
    config: TrainConfig, run_dir: str, extra_callbacks: Sequence[Callback], cache: Optional[CompileCache], ranks: Ranks
) -> int:
    """Train in a process that is not the first of its run: as `start`."""
    dataset = open_training_data(config)
    check_processes(ranks, config, dataset)
    with StopFlag() as stop:
        run = _Run(config, run_dir, dataset, Log(None, quiet=True), True, cache, ranks)
        code = run.follow(stop, list(extra_callbacks))
        _leave_together(ranks)
    return code


def _leave_together(ranks):
    """Wait for all processes: TensorFlow would take one that has ended before the first is done for one that has failed."""
    if ranks.count > 1:
        ranks.gather([0.0])


def with_starting_networks(config: TrainConfig) -> Tuple[TrainConfig, Optional[NetworkSnapshot]]:
    """Return (config with the architecture of the networks that a run starts from, those networks); None: it starts fresh."""
    if not config.start.network:
        return config, None
    snapshot = starting_networks(config.start.network)
    return adopt_architecture(config, snapshot), snapshot


def write_options(config: TrainConfig, run_dir: str, run_id: Optional[str]) -> None:
    """Write training_options.json of a run, with the run's identity."""
    write_text(os.path.join(run_dir, OPTIONS), options_text(config, run_dir, ours=True, run_id=run_id))


def out_of_memory(config: TrainConfig, store: RunStore) -> UserError:
    """Return the UserError of a GPU whose memory was not enough, with the setting that needs half of it."""
    at_once = config.schedule.minibatch_gpu
    again = f"go on (sg2ada resume {store.run_dir}" if store.snapshots() else "begin again (sg2ada train"
    if at_once > 1 and at_once % 2 == 0:
        remedy = (
            f"set --batch-gpu {at_once // 2} (batch_gpu in a notebook) and {again}, or the cell "
            f"again): the minibatch of {config.schedule.minibatch_size} stays"
        )
    else:
        remedy = "choose a smaller --res, or fewer channels: --cbase, --cmax"
    return UserError(
        f"The memory of {describe_device()} was not enough for {at_once} images of {size_words(config.size)} pixels at once.",
        f"about {estimate(config).memory_bytes / 2**30:.1f} GiB free, and no other program on the same GPU",
        remedy,
    )


class _Begun(Callback):
    def __init__(self, start: Start) -> None:
        self.start = start

    def on_group(self, progress):
        self.start.begun = True


class _Run:
    """One process's share of a run."""

    def __init__(
        self,
        config: TrainConfig,
        run_dir: str,
        dataset: Dataset,
        log: Log,
        quiet: bool,
        cache: Optional[CompileCache] = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.config, self.run_dir, self.dataset, self.log, self.quiet = config, run_dir, dataset, log, quiet
        self.cache, self.ranks = cache, ranks
        self.began = time.time()

    def train(self, candidate, skipped, snapshot, keeper, stop, extra_callbacks):
        """Set everything up, in the order that the log tells, and train; return the exit code."""
        config, log = self.config, self.log
        self.open_device()
        stream = self.open_stream()
        state = self.open_state(candidate, skipped, snapshot, keeper)
        if state.counters.nimg >= config.schedule.total_kimg * 1000 and candidate is not None:
            log(f"The run has trained for its {config.schedule.total_kimg:g} kimg; to train longer, pass a larger --kimg.")
            return 0
        self.report_room(keeper.drive_dir)

        log(f"Training for {config.schedule.total_kimg} kimg...")
        grids = Grids(self.run_dir, stream, config, state, log)
        # Those of the caller come first: a launcher is told that a tick has ended before a metric takes its time.
        callbacks = list(extra_callbacks) + self.callbacks(state, grids, keeper, stop)
        phases = build_phases(config, state, self.ranks)
        try:
            self.compile(state, phases, grids.sampler.programs)
            log(f"Start-up took {time.time() - self.began:.1f} s.")
            log.event("stage", "training on the first images")
            progress = train(state, phases, stream, config, callbacks, stop, self.validation())
        except tf.errors.ResourceExhaustedError as error:
            raise out_of_memory(config, keeper.store) from error
        if progress.stopped:
            log(f"Stopped: {progress.stopped}. Go on with: sg2ada resume {self.run_dir}")
            return INTERRUPTED
        log(f"Done: {state.counters.nimg / 1000:.0f} kimg.")
        return 0

    def open_device(self):
        """Set the device up and log what it is."""
        log, settings = self.log, self.config.engine
        prepare_device(settings.deterministic, self.config.seed)
        device = describe_device() if self.ranks.count == 1 else f"{self.ranks.count} processes, each on {describe_device()}"
        log(f"sg2ada_colab on TensorFlow {VERSION}, {device}.")
        log.event("device", device)

    def open_stream(self):
        """Return the stream of the run's images, and log what they are."""
        self.log("Loading training set...")
        self.log.event("stage", "reading the dataset")
        stream = self.stream()
        self.log(f"Image shape: {[self.dataset.channels, self.dataset.height, self.dataset.width]}")
        self.log(f"Label shape: {[self.dataset.label_size]}")
        return stream

    def open_state(self, candidate, skipped, snapshot, keeper):
        """Return the TrainState that training begins with, the same in all processes, and log its networks."""
        config, log = self.config, self.log
        log("Constructing networks...")
        log.event("stage", "building the networks")
        for note in config.notes:
            log("Note: " + note)
        for sentence in skipped:
            log.note("warning", "Passed over: " + sentence)
        state = self.restore(candidate, keeper) if candidate else self.build(snapshot)
        share_config(self.ranks, config, candidate is not None)
        share_state(self.ranks, state)
        for name, network in (("G", state.G), ("D", state.D)):
            log(layer_table(name, network.config, network.specs.values()) + "\n")
        if candidate is not None and config.snapshots.keep_best:  # measured since, by `sg2ada metrics`
            metric = measured_name(config.metrics.names[0], measured_names(self.run_dir)) if config.metrics.names else None
            best = best_snapshots(self.run_dir, [metric]) if metric else {}
            keeper.store.adopt_best({name: found[:2] for name, found in best.items()})
        return state

    def report_room(self, drive_dir):
        """Log what the run needs of the disks, where its folder is copied to Drive."""
        if drive_dir:
            cost = estimate(self.config)
            for sentence in space_report(cost.disk_bytes, cost.snapshot_bytes + cost.state_bytes, self.run_dir, drive_dir):
                self.log(sentence)

    def follow(self, stop, callbacks):
        """Set up what trains, with the config and the state of the run's first process, and train; return the exit code."""
        prepare_device(self.config.engine.deterministic, self.config.seed)
        self.config, is_resumed = share_config(self.ranks, self.config)
        config, state = self.config, build_state(self.config)
        share_state(self.ranks, state)
        if state.counters.nimg >= config.schedule.total_kimg * 1000 and is_resumed:
            return 0
        phases = build_phases(config, state, self.ranks)
        try:
            self.compile(state, phases)
            callbacks = [*callbacks, HelpMeasure(self.dataset, config, self.ranks)]
            progress = train(state, phases, self.stream(), config, callbacks, stop, self.validation())
        except tf.errors.ResourceExhaustedError as error:
            raise out_of_memory(config, RunStore(self.run_dir, make=False)) from error
        return INTERRUPTED if progress.stopped else 0

    def compile(self, state, phases, more=list):
        """Compile what training calls, side by side, or find it among what was compiled before.

        Of several processes the first of each machine compiles, and the others find it there.

        Args:
            more: Function that returns further Programs.
        """
        if not self.config.engine.xla or IS_TF1:
            return
        cache = self.cache
        self.log("Compiling the networks...")
        self.log.event("stage", "compiling the networks")
        if cache:
            self.log(cache.sentence())
        programs = phases.programs()
        programs[2:2] = more()  # not last: it would be compiled alone, after all that is not timed any more
        known, ranks = durations.beside(None if self.ranks.index else cache), self.ranks
        variables = flat(state.variables()) + phases.variables()
        with CompileLog(self.log, known, f"{size_words(self.config.size)} px", self.hides_bar()) as tell:
            if ranks.count > 1:
                ready = warm_up_together(programs, variables, cache, ranks.leads, lambda: ranks.gather([0.0]), tell)
            else:
                ready = warm_up(programs, variables, cache, tell)
        if cache:
            cache.keep()
        self.log(", ".join(f"{name} {seconds:.1f} s" for name, seconds in ready.items()))

    def stream(self):
        """Return the stream of the run's images."""
        config = self.config
        return TrainingStream(
            self.dataset, config.schedule.minibatch_gpu, config.seed, config.data.mirror_x, config.data.mirror_y
        )

    def restore(self, candidate, keeper):
        """Return the TrainState of a snapshot; of an older one where it does not fit the run."""
        skipped = []
        while candidate is not None:
            try:
                snapshot = read_network_pickle(candidate.pickle)
                arrays, meta = load_state(candidate.state)
                state = build_state(self.config, snapshot)
                state.load(arrays, meta)
                self.log(f"Going on from {os.path.basename(candidate.pickle)}.")
                return state
            except DOES_NOT_FIT as error:
                why = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
                skipped.append(f"{candidate.state} does not fit this run ({' '.join(str(why).split())[:300]}).")
                self.log.note("warning", "Passed over: " + skipped[-1])
            folders = [RunFolder(place) for place in (self.run_dir, keeper.drive_dir) if place]
            candidate = newest_in(folders, before=candidate.name).candidate
        raise nothing_to_go_on_from(self.run_dir, skipped)

    def build(self, snapshot):
        """Return a TrainState with another run's networks, or a fresh one."""
        config = self.config
        lines: Sequence[str] = ()
        if snapshot is not None:
            self.log(f"Starting from the networks of {config.start.network}.")
            snapshot, lines = fitted(config, snapshot)
        for line in lines if config.start.partial else ():
            self.log("  " + line)
        state = build_state(config, snapshot)
        state.counters.nimg = state.counters.tick_start_nimg = config.start.kimg * 1000
        state.counters.minibatch = state.counters.nimg // config.schedule.minibatch_size
        return state

    def callbacks(self, state, grids, keeper, stop):
        config = self.config
        snapshots = Snapshots(keeper.store, config, self.log)
        callbacks = [
            TickLog(self.log),
            StatsFile(self.run_dir, functools.partial(self.log.note, "warning")),
            TensorBoardEvents(self.run_dir),
            grids,
            snapshots,
            Metrics(self.dataset, config, keeper.store, snapshots, self.log, stop, self.ranks),
            ProgressBar(disable=self.hides_bar()),
        ]
        if config.engine.profile:
            callbacks.append(Profiler(self.run_dir, self.log))
        if config.engine.wandb:
            callbacks.append(WeightsAndBiases(self.run_dir, keeper.store.run_id, config, self.log))
        return callbacks

    def hides_bar(self):
        """Return whether no bar is shown: it needs a terminal, or the variable SG2ADA_PROGRESS."""
        return self.quiet or not (sys.stderr.isatty() or os.environ.get("SG2ADA_PROGRESS"))

    def validation(self):
        """Return the stream of validation images for the r_v heuristic, or None."""
        config = self.config
        if config.augment.heuristic != "rv":
            return None
        held_out = open_dataset(
            config.data.path, resolution=config.resolution, max_label_size=config.label_size or 0, validation=True
        )
        return TrainingStream(held_out, config.schedule.minibatch_gpu, config.seed)
