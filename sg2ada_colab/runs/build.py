"""From a TrainConfig to the objects that train: data, networks, controller, compiled phases."""

from ..augment.adapt import AdaptConfig, AdaptiveController
from ..augment.config import AugmentConfig
from ..augment.pipeline import augment
from ..dataset import open_dataset
from ..errors import UserError
from ..networks.variables import DiscriminatorConfig, GeneratorConfig
from ..training.cmethods.phases import METHODS, WITHOUT_PATH_LENGTH, ComparisonPhases
from ..training.loop import MINIBATCHES_PER_GROUP
from ..training.state import TrainState
from ..training.steps import Phases, StepSettings
from .device import half_precision_resolutions


def open_training_data(config):
    """Return the Dataset of a config, as many of its images as it asks for."""
    dataset = open_dataset(
        config.data_path, resolution=config.resolution, max_label_size=config.label_size or 0, max_images=config.max_images
    )
    if (dataset.channels, dataset.label_size) != (config.channels, config.label_size):
        raise UserError(
            "{} has {} channels and {} label components.".format(config.data_path, dataset.channels, dataset.label_size),
            "{} channels and {} label components, as when the run began".format(config.channels, config.label_size),
            "give the data that the run began with (--data), or begin a new run",
        )
    return dataset


def build_state(config, snapshot=None):
    """Return the TrainState of a config: fresh, or with the networks of a NetworkSnapshot."""
    settings = {
        "G_lr": config.G_learning_rate,
        "D_lr": config.D_learning_rate,
        "beta1": config.beta1,
        "beta2": config.beta2,
        "g_reg_interval": config.G_reg_interval if config.lazy_regularization else None,
        "d_reg_interval": config.D_reg_interval if config.lazy_regularization else None,
        "freeze_layers": config.freeze_layers,
        "seed": config.seed,
        "num_fp16_res": half_precision_resolutions(config.precision, config.generator_kwargs["num_fp16_res"]),
    }
    values = None
    if snapshot is not None:
        values = {"G": snapshot.G.variables, "D": snapshot.D.variables, "Gs": snapshot.Gs.variables}
    return TrainState(
        GeneratorConfig.from_kwargs(config.generator_kwargs),
        DiscriminatorConfig.from_kwargs(config.discriminator_kwargs),
        settings,
        values,
    )


def build_phases(config, state):
    """Return the compiled phases of a config over a state."""
    method = config.comparison_method if config.comparison_method in METHODS else None
    pl_weight = 0 if method in WITHOUT_PATH_LENGTH else config.pl_weight
    settings = StepSettings(
        batch=config.minibatch_gpu,
        rounds=config.rounds,
        r1_gamma=config.r1_gamma or 0.0,
        pl_weight=pl_weight,
        pl_batch_shrink=config.pl_minibatch_shrink,
        style_mixing_prob=config.style_mixing_prob,
        w_avg_beta=state.G.config.w_avg_beta,
        g_reg_interval=config.G_reg_interval if pl_weight else None,
        d_reg_interval=config.D_reg_interval if config.r1_gamma else None,
        augment=augmentation(config),
        xla=config.xla,
    )
    return ComparisonPhases(state, settings, method) if method else Phases(state, settings)


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
    return AdaptiveController(
        AdaptConfig(
            heuristic=config.aug_heuristic,
            target=config.aug_target,
            tune_kimg=config.aug_tune_kimg,
            images_per_tune=MINIBATCHES_PER_GROUP * config.minibatch_size,
            initial_p=config.aug_initial_p,
            max_p=config.aug_max_p,
        )
    )
