"""From a TrainConfig to the objects that train: data, state, compiled phases."""

from typing import Optional

from ..augment.adapt import AdaptConfig
from ..config.train_config import TrainConfig
from ..dataset import open_dataset
from ..dataset.reading import Dataset
from ..errors import UserError
from ..formats.network_data import NetworkSnapshot
from ..training.comparison_phases import METHODS, ComparisonPhases
from ..training.loop import MINIBATCHES_PER_GROUP
from ..training.ranks import ALONE, Ranks
from ..training.state import NETWORKS, TrainState
from ..training.steps import Phases
from .device import half_precision_resolutions


def open_training_data(config: TrainConfig) -> Dataset:
    """Return the Dataset of a config, as many of its images as it asks for.

    Raises UserError where the dataset's images or labels are not as the config has them, or it cannot be read.
    """
    dataset = open_dataset(
        config.data.path, resolution=config.resolution, max_label_size=config.label_size or 0, max_images=config.data.max_images
    )
    if (dataset.channels, dataset.label_size) != (config.channels, config.label_size):
        raise UserError(
            f"{config.data.path} has {dataset.channels} channels and {dataset.label_size} label components.",
            f"{config.channels} channels and {config.label_size} label components, as when the run began",
            "give the data that the run began with (--data), or begin a new run",
        )
    return dataset


def build_state(config: TrainConfig, snapshot: Optional[NetworkSnapshot] = None) -> TrainState:
    """Return the TrainState of a config: fresh, or with the networks of a NetworkSnapshot."""
    num_fp16_res = half_precision_resolutions(config.engine.precision, config.G["num_fp16_res"])
    networks = None
    if snapshot is not None:
        networks = {name: getattr(snapshot, name).variables for name in NETWORKS}
    return TrainState(config, num_fp16_res, networks, adapt_config(config))


def build_phases(config: TrainConfig, state: TrainState, ranks: Ranks = ALONE) -> Phases:
    """Return the compiled phases of a config over a state, for one of the processes that train it."""
    kind = ComparisonPhases if config.losses.method in METHODS else Phases
    return kind(state, config, ranks)


def adapt_config(config: TrainConfig) -> Optional[AdaptConfig]:
    """Return how the augmentation strength moves, or None where images are not augmented."""
    settings = config.augment
    if settings.heuristic is None and settings.initial_p == 0:
        return None
    return AdaptConfig(
        heuristic=settings.heuristic,
        target=settings.target,
        tune_kimg=settings.tune_kimg,
        images_per_tune=MINIBATCHES_PER_GROUP * config.schedule.minibatch_size,
        initial_p=settings.initial_p,
        max_p=settings.max_p,
    )
