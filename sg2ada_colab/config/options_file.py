"""training_options.json: NVIDIA's keys in NVIDIA's order, and ours at the end: the whole config, and the run's identity."""

import json
import os
import re
import secrets
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..errors import UserError
from ..files import FilePath, with_retries
from ..json_files import Maybe, check_shape, read_json
from ..json_text import BadJson
from ..run_files import OPTIONS
from .metric_names import metric_definition
from .train_config import TrainConfig, in_this_version

OUR_KEY, RUN_ID_KEY = "sg2ada", "sg2ada_run_id"
RUN_ID = re.compile(r"[0-9a-f]{32}\Z")
_NETWORK_SHAPE = ("num_channels", "resolution", "init_res", "label_size")  # NVIDIA's program takes these from the dataset


def new_run_id() -> str:
    """Return an identity for a run that begins: 128 random bits, in hexadecimal digits."""
    return secrets.token_hex(16)


def training_options(config: TrainConfig, run_dir: FilePath, ours: bool = False, run_id: Optional[str] = None) -> Dict[str, Any]:
    """Return what NVIDIA's program writes for the same options, as a dictionary in its key order.

    Args:
        config: `TrainConfig`.
        run_dir: The run's folder, as it is to stand in the file.
        ours: Add the whole config under "sg2ada", which a resume reads; NVIDIA's tools pass it over.
        run_id: The run's identity, to be added, too.
    """
    data = {
        "path": config.data.path,
        "max_label_size": config.label_size,
        "resolution": config.resolution,
        "mirror_augment": config.data.mirror_x,
    }
    adam = {"beta1": config.optimizer.beta1, "beta2": config.optimizer.beta2}
    options = {
        "G_args": _network_args("training.networks.G_main", config.G),
        "D_args": _network_args("training.networks.D_main", config.D),
        "G_opt_args": dict(adam, learning_rate=config.optimizer.G_learning_rate),
        "D_opt_args": dict(adam, learning_rate=config.optimizer.D_learning_rate),
        "loss_args": _loss_args(config.losses),
        "augment_args": _augment_args(config),
        "num_gpus": config.schedule.num_gpus,
        "image_snapshot_ticks": config.snapshots.image_ticks,
        "network_snapshot_ticks": config.snapshots.network_ticks,
        "train_dataset_args": data,
        "metric_arg_list": [metric_definition(name) for name in config.metrics.names],
        "metric_dataset_args": dict(data, path=config.metrics.data_path),
        "total_kimg": config.schedule.total_kimg,
        "minibatch_size": config.schedule.minibatch_size,
        "minibatch_gpu": config.schedule.minibatch_gpu,
        "G_smoothing_kimg": config.schedule.ema_kimg,
        "G_smoothing_rampup": config.schedule.ema_rampup,
    }
    if not config.optimizer.lazy_regularization:
        options["lazy_regularization"] = False
    if config.start.network is not None:
        options["resume_pkl"] = config.start.network
    options["run_dir"] = run_dir
    if ours:
        options[OUR_KEY] = config.to_dict()
    if run_id is not None:
        options[RUN_ID_KEY] = run_id
    return options


def _network_args(func_name, kwargs):
    args = {"func_name": func_name}
    args.update((name, value) for name, value in kwargs.items() if name not in _NETWORK_SHAPE)
    return args


def _loss_args(losses):
    args: Dict[str, Any] = {"func_name": f"training.loss.{losses.name}"}
    if losses.name != "wgangp":
        args["r1_gamma"] = losses.r1_gamma
        if losses.pl_weight == 0:
            args["pl_weight"] = 0
    return dict(args, **losses.method_kwargs)


def _augment_args(config):
    args, augment = {"class_name": "training.augment.AdaptiveAugment"}, config.augment
    if augment.heuristic is not None:
        args.update(tune_heuristic=augment.heuristic, tune_target=augment.target)
    if augment.initial_p > 0 or (augment.pipe and augment.heuristic is None):
        args["initial_strength"] = augment.initial_p
    if augment.pipe is not None:
        args.update(apply_func="training.augment.augment_pipeline", apply_args=augment.pipe)
    if config.start.network is not None:
        args["tune_kimg"] = augment.tune_kimg
    return args


def options_text(config: TrainConfig, run_dir: FilePath, ours: bool = False, run_id: Optional[str] = None) -> str:
    """Return the file's text: `training_options` as JSON with an indent of 2."""
    return json.dumps(training_options(config, run_dir, ours, run_id), indent=2)


def read_run_id(run_dir: FilePath) -> Optional[str]:
    """Return the identity in a run's training_options.json; None where it has none, or the file cannot be read."""
    try:
        path = os.path.join(str(run_dir), OPTIONS)
        run_id = with_retries(lambda: read_json(path, {RUN_ID_KEY: Maybe(str)})).get(RUN_ID_KEY)
    except (OSError, ValueError):
        return None
    return run_id if run_id is not None and RUN_ID.match(run_id) else None


def read_options(run_dir: FilePath) -> Dict[str, Any]:
    """Return a run folder's training_options.json as a dictionary, whichever program wrote it; empty where it cannot be read."""
    try:
        return read_json(os.path.join(str(run_dir), OPTIONS), dict)
    except (OSError, ValueError):
        return {}


def read_config(run_dir: FilePath) -> TrainConfig:
    """Return the `TrainConfig` that a run was begun with.

    Raises:
        UserError: The folder has no such file, or none of ours.
    """
    path = os.path.join(run_dir, OPTIONS)
    try:
        saved = with_retries(lambda: read_json(path))
    except OSError as problem:
        raise UserError(
            f"{path} cannot be read: {problem.strerror}.",
            "The folder of a run that sg2ada began.",
            "Name a run's folder, such as runs/00000-faces-auto1.",
        ) from problem
    except BadJson as problem:
        raise _damaged(path, run_dir, problem) from problem
    if not isinstance(saved, dict) or not isinstance(saved.get(OUR_KEY), dict):
        raise UserError(
            f"The run {run_dir} was not made by sg2ada, so it has no state to go on from.",
            f"A training_options.json with the key {OUR_KEY!r}.",
            "Begin a new run with its network: sg2ada train --resume=<its newest network-snapshot> --start-kimg=<its kimg>.",
        )
    try:
        return saved_in(saved[OUR_KEY])
    except BadJson as problem:
        raise _damaged(path, run_dir, problem) from problem


def saved_in(saved: Dict[str, Any]) -> TrainConfig:
    """Return the `TrainConfig` of a dictionary in a run's files, as `TrainConfig.to_dict` made it, in this or an older version.

    Raises:
        BadJson: A value is of another type.
        UserError: A later version of the program made it.
    """
    config = in_this_version(saved)
    check_shape(config, _shape_of(TrainConfig).shape, OUR_KEY)
    return TrainConfig.from_dict(config)


def read_first_config(folders: Iterable[FilePath]) -> Tuple[TrainConfig, str]:
    """Return (`TrainConfig`, its folder) of a run that lies in several places: of the nearest whose options can be read.

    Raises:
        UserError: They can be read in none; as of the nearest that has them.
    """
    problems = []
    for folder in map(str, folders):
        try:
            return read_config(folder), folder
        except UserError as problem:
            problems.append(problem)
    # A file that is there and cannot be read says more than one that is not there.
    raise next((one for one in problems if not isinstance(one.__cause__, FileNotFoundError)), problems[0])


def _shape_of(annotation):
    """Return the shape of a saved field with this annotation, as far as JSON tells kinds apart; None is judged by `from_dict`."""
    if is_dataclass(annotation):
        return Maybe({field.name: _shape_of(field.type) for field in fields(annotation)})
    for kind, shape in ((str, str), (dict, dict), (List[str], [str]), (bool, bool)):
        if annotation in (kind, Optional[kind]):
            return Maybe(shape)
    return Maybe(float)


def _damaged(path, run_dir, problem):
    return UserError(
        f"{path} {problem}.",
        "JSON as it was written when the run began.",
        f"Begin a new run with --resume=<the newest network-snapshot of {run_dir}>.",
    )
