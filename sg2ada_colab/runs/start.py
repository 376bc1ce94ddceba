"""Begin a run or go on with one: open the data, build or restore the state, train, save."""
import os
import signal
import sys
import threading
import time

from ..augment.adapt import AdaptConfig, AdaptiveController
from ..augment.config import AugmentConfig
from ..augment.pipeline import augment
from ..dataset import TrainingStream, open_dataset
from ..errors import UserError
from ..networks.summary import layer_table
from ..networks.variables import DiscriminatorConfig, GeneratorConfig
from ..snapshots.network_pickle import read_network_pickle
from ..snapshots.store import RunStore
from ..snapshots.training_state import load_state
from ..tf import VERSION
from ..training.loop import MINIBATCHES_PER_GROUP, Means, train
from ..training.options_file import FILE_NAME, options_text
from ..training.state import TrainState
from ..training.steps import Phases, StepSettings
from .callbacks import Grids, Snapshots
from .device import describe_device, half_precision_resolutions, prepare_device
from .log import Log, ProgressBar, StatsFile, TensorBoardEvents, TickLog

INTERRUPTED = 130


class StopFlag:
    """Turns SIGINT and SIGTERM into a wish that the loop sees after the minibatches in hand; a second one is obeyed at once."""

    def __init__(self):
        self.reason = None
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number, frame):
        if self.reason is not None:
            raise KeyboardInterrupt
        self.reason = "interrupted" if number == signal.SIGINT else "asked to end"

    def __call__(self):
        return self.reason


def open_training_data(config):
    """Return the Dataset of a config, as many of its images as it asks for."""
    dataset = open_dataset(config.data_path, resolution=config.resolution, max_label_size=config.label_size or 0,
                           max_images=config.max_images)
    if (dataset.channels, dataset.label_size) != (config.channels, config.label_size):
        raise UserError(
            "{} has {} channels and {} label components.".format(config.data_path, dataset.channels, dataset.label_size),
            "{} channels and {} label components, as when the run began".format(config.channels, config.label_size),
            "give the data that the run began with (--data), or begin a new run")
    return dataset


def build_state(config, snapshot=None):
    """Return the TrainState of a config: fresh, or with the networks of a NetworkSnapshot."""
    settings = {
        "G_lr": config.G_learning_rate, "D_lr": config.D_learning_rate, "beta1": config.beta1, "beta2": config.beta2,
        "g_reg_interval": config.G_reg_interval if config.lazy_regularization else None,
        "d_reg_interval": config.D_reg_interval if config.lazy_regularization else None,
        "freeze_layers": config.freeze_layers, "seed": config.seed,
        "num_fp16_res": half_precision_resolutions(config.precision, config.generator_kwargs["num_fp16_res"]),
    }
    values = None
    if snapshot is not None:
        values = {"G": snapshot.G.variables, "D": snapshot.D.variables, "Gs": snapshot.Gs.variables}
    return TrainState(GeneratorConfig.from_kwargs(config.generator_kwargs),
                      DiscriminatorConfig.from_kwargs(config.discriminator_kwargs), settings, values)


def build_phases(config, state):
    """Return the compiled phases of a config over a state."""
    return Phases(state, StepSettings(
        batch=config.minibatch_gpu, rounds=config.rounds, r1_gamma=config.r1_gamma or 0.0, pl_weight=config.pl_weight,
        pl_batch_shrink=config.pl_minibatch_shrink, style_mixing_prob=config.style_mixing_prob,
        w_avg_beta=state.G.config.w_avg_beta, g_reg_interval=config.G_reg_interval if config.pl_weight else None,
        d_reg_interval=config.D_reg_interval if config.r1_gamma else None, augment=augmentation(config), xla=config.xla))


def augmentation(config):
    """Return (images, p, seed) → images for the config's pipe, or None."""
    if config.aug_pipe is None or (config.aug_heuristic is None and config.aug_initial_p == 0):
        return None
    pipe = AugmentConfig(**config.aug_pipe)
    return lambda images, p, seed: augment(images, p, pipe, seed)


def build_controller(config):
    """Return the controller of the augmentation strength, or None where images are not augmented."""
    if config.aug_heuristic is None and config.aug_initial_p == 0:
        return None
    return AdaptiveController(AdaptConfig(
        heuristic=config.aug_heuristic, target=config.aug_target, tune_kimg=config.aug_tune_kimg,
        images_per_tune=MINIBATCHES_PER_GROUP * config.minibatch_size, initial_p=config.aug_initial_p, max_p=config.aug_max_p))


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
            "begin a new run: sg2ada train")
    return candidate, store.skipped


def start(config, run_dir, resume=None, quiet=False, extra_callbacks=()):
    """Train a run to its end, or until it is interrupted; everything is saved either way.

    Args:
        config: TrainConfig, checked.
        run_dir: Folder of the run, made if missing.
        resume: None for a new run; True for the newest whole snapshot of `run_dir`; or a Candidate.
        quiet: No output but the log file.
        extra_callbacks: Further training.loop.Callback objects.

    Returns:
        Exit code: 0 when the run reached its length, 130 when it was interrupted after a clean save.
    """
    began = time.time()
    run_dir = str(run_dir)
    candidate, skipped = find_snapshot(run_dir) if resume is True else (resume or None, ())
    dataset = open_training_data(config)
    os.makedirs(run_dir, exist_ok=True)
    write_options(config, run_dir)
    log = Log(os.path.join(run_dir, "log.txt"), quiet)
    try:
        with StopFlag() as stop:
            return _train(config, run_dir, dataset, candidate, skipped, log, stop, quiet, extra_callbacks, began)
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


def _train(config, run_dir, dataset, candidate, skipped, log, stop, quiet, extra_callbacks, began):
    prepare_device(config.deterministic, config.seed)
    log("sg2ada_colab on TensorFlow {}, {}.".format(VERSION, describe_device()))
    log("Loading training set...")
    stream = TrainingStream(dataset, config.minibatch_gpu, config.seed, config.mirror_x, config.mirror_y)
    log("Image shape: {}".format([dataset.channels, dataset.resolution, dataset.resolution]))
    log("Label shape: {}".format([dataset.label_size]))

    log("Constructing networks...")
    for sentence in skipped:
        log("Passed over: " + sentence)
    means = None
    if candidate is not None:
        log("Going on from {}.".format(os.path.basename(candidate.pickle)))
        state = build_state(config, read_network_pickle(candidate.pickle))
    elif config.resume_pkl:
        log("Starting from {}.".format(config.resume_pkl))
        state = build_state(config, read_network_pickle(config.resume_pkl))
    else:
        state = build_state(config)
    state.controller = build_controller(config)
    state.counters.nimg = state.counters.tick_start_nimg = config.start_kimg * 1000
    state.counters.minibatch = state.counters.nimg // config.minibatch_size
    if candidate is not None:
        arrays, meta = load_state(candidate.state)
        state.restore(arrays, meta)
        means = Means(meta.get("means"))
    for name, network in (("G", state.G), ("D", state.D)):
        log(layer_table(name, network.config, network.specs.values()) + "\n")

    log("Training for {} kimg...".format(config.total_kimg))
    phases = build_phases(config, state)
    store = RunStore(run_dir)
    callbacks = [TickLog(log, state.controller), StatsFile(run_dir), TensorBoardEvents(run_dir), Grids(run_dir, stream, config, state),
                 Snapshots(store, config, log), ProgressBar(quiet or not sys.stderr.isatty() and not os.environ.get("SG2ADA_PROGRESS"))]
    callbacks += list(extra_callbacks)
    log("Start-up took {:.1f} s; the first minibatches also compile the network.".format(time.time() - began))
    progress = train(state, phases, stream, config, callbacks, stop, means)
    if progress.stopped:
        log("Stopped: {}. Go on with: sg2ada resume {}".format(progress.stopped, run_dir))
        return INTERRUPTED
    log("Done: {:.0f} kimg.".format(state.counters.nimg / 1000))
    return 0
