"""From a TrainConfig to the objects that train: data, state, compiled phases."""

from typing import Optional

from ..config.train_config import TrainConfig
from ..dataset import open_dataset
from ..dataset.reading import Dataset
from ..errors import UserError
from ..formats.network_data import NetworkSnapshot
from ..training.comparison_phases import METHODS, ComparisonPhases
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
    return TrainState(config, num_fp16_res, networks)


def build_phases(config: TrainConfig, state: TrainState, ranks: Ranks = ALONE) -> Phases:
    """Return the compiled phases of a config over a state, for one of the processes that train it."""
    kind = ComparisonPhases if config.losses.method in METHODS else Phases
    return kind(state, config, ranks)
