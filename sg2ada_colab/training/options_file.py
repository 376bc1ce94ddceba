"""training_options.json: NVIDIA's keys in NVIDIA's order, and ours under one key at the end."""

import json
import os

from ..errors import UserError
from .config import TrainConfig
from .presets import metric_definition

FILE_NAME = "training_options.json"
OUR_KEY = "sg2ada"
_NETWORK_SHAPE = ("num_channels", "resolution", "label_size")  # NVIDIA's program takes these from the dataset


def training_options(config, run_dir, ours=False):
    """Return what NVIDIA's program writes for the same options, as a dictionary in its key order.

    Args:
        config: `TrainConfig`.
        run_dir: The run's folder, as it is to stand in the file.
        ours: Add the whole config under "sg2ada", which a resume reads; NVIDIA's tools pass it over.
    """
    data = {
        "path": config.data_path,
        "max_label_size": config.label_size,
        "resolution": config.resolution,
        "mirror_augment": config.mirror_x,
    }
    adam = {"beta1": config.beta1, "beta2": config.beta2}
    options = {
        "G_args": _network_args("training.networks.G_main", config.generator_kwargs),
        "D_args": _network_args("training.networks.D_main", config.discriminator_kwargs),
        "G_opt_args": dict(adam, learning_rate=config.G_learning_rate),
        "D_opt_args": dict(adam, learning_rate=config.D_learning_rate),
        "loss_args": _loss_args(config),
        "augment_args": _augment_args(config),
        "num_gpus": config.num_gpus,
        "image_snapshot_ticks": config.image_snapshot_ticks,
        "network_snapshot_ticks": config.network_snapshot_ticks,
        "train_dataset_args": data,
        "metric_arg_list": [metric_definition(name) for name in config.metrics],
        "metric_dataset_args": dict(data, path=config.metric_data_path),
        "total_kimg": config.total_kimg,
        "minibatch_size": config.minibatch_size,
        "minibatch_gpu": config.minibatch_gpu,
        "G_smoothing_kimg": config.ema_kimg,
        "G_smoothing_rampup": config.ema_rampup,
    }
    if not config.lazy_regularization:
        options["lazy_regularization"] = False
    if config.resume_pkl is not None:
        options["resume_pkl"] = config.resume_pkl
    options["run_dir"] = run_dir
    if ours:
        options[OUR_KEY] = config.to_dict()
    return options


def _network_args(func_name, kwargs):
    args = {"func_name": func_name}
    args.update((name, value) for name, value in kwargs.items() if name not in _NETWORK_SHAPE)
    return args


def _loss_args(config):
    args = {"func_name": "training.loss.{}".format(config.loss)}
    if config.loss != "wgangp":
        args["r1_gamma"] = config.r1_gamma
        if config.pl_weight == 0:
            args["pl_weight"] = 0
    return dict(args, **config.loss_kwargs)


def _augment_args(config):
    args = {"class_name": "training.augment.AdaptiveAugment"}
    if config.aug_heuristic is not None:
        args.update(tune_heuristic=config.aug_heuristic, tune_target=config.aug_target)
    if config.aug_initial_p > 0 or (config.aug_pipe and config.aug_heuristic is None):
        args["initial_strength"] = config.aug_initial_p
    if config.aug_pipe is not None:
        args.update(apply_func="training.augment.augment_pipeline", apply_args=config.aug_pipe)
    if config.resume_pkl is not None:
        args["tune_kimg"] = config.aug_tune_kimg
    return args


def options_text(config, run_dir, ours=False):
    """Return the file's text: `training_options` as JSON with an indent of 2."""
    return json.dumps(training_options(config, run_dir, ours), indent=2)


def read_config(run_dir):
    """Return the `TrainConfig` that a run was begun with.

    Raises:
        UserError: The folder has no such file, or none of ours.
    """
    path = os.path.join(run_dir, FILE_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
    except OSError as problem:
        raise UserError(
            "{} cannot be read: {}.".format(path, problem.strerror),
            "The folder of a run that sg2ada began.",
            "Name a run's folder, such as runs/00000-faces-auto1.",
        ) from problem
    except ValueError as problem:
        raise UserError(
            "{} is damaged: {}.".format(path, problem),
            "JSON as it was written when the run began.",
            "Begin a new run with --resume=<the newest network-snapshot of {}>.".format(run_dir),
        ) from problem
    if not isinstance(saved, dict) or not isinstance(saved.get(OUR_KEY), dict):
        raise UserError(
            "The run {} was not made by sg2ada, so it has no state to go on from.".format(run_dir),
            "A training_options.json with the key {!r}.".format(OUR_KEY),
            "Begin a new run with its network: sg2ada train --resume=<its newest network-snapshot> --start-kimg=<its kimg>.",
        )
    return TrainConfig.from_dict(saved[OUR_KEY])
