"""Saved options of version 1, which was flat: where each of its settings stands now."""

from typing import Any, Dict

# fmt: off
PLACES = {
    "run_description": "run_description", "options": "options", "notes": "notes", "seed": "seed",
    "generator_kwargs": "G", "discriminator_kwargs": "D",

    "data_path": "data.path", "data_name": "data.name", "data_digest": "data.digest", "data_num_images": "data.num_images",
    "max_images": "data.max_images", "mirror_x": "data.mirror_x", "mirror_y": "data.mirror_y",

    "G_learning_rate": "optimizer.G_learning_rate", "D_learning_rate": "optimizer.D_learning_rate",
    "beta1": "optimizer.beta1", "beta2": "optimizer.beta2", "lazy_regularization": "optimizer.lazy_regularization",
    "G_reg_interval": "optimizer.G_reg_interval", "D_reg_interval": "optimizer.D_reg_interval",
    "freeze_layers": "optimizer.freeze_layers",

    "loss": "losses.name", "comparison_method": "losses.method", "loss_kwargs": "losses.method_kwargs",
    "r1_gamma": "losses.r1_gamma", "gamma_rule": "losses.gamma_rule", "pl_weight": "losses.pl_weight",
    "pl_minibatch_shrink": "losses.pl_minibatch_shrink", "lecam_weight": "losses.lecam_weight",

    "num_gpus": "schedule.num_gpus", "minibatch_size": "schedule.minibatch_size", "minibatch_gpu": "schedule.minibatch_gpu",
    "total_kimg": "schedule.total_kimg", "kimg_per_tick": "schedule.kimg_per_tick",
    "ema_kimg": "schedule.ema_kimg", "ema_rampup": "schedule.ema_rampup",

    "aug_heuristic": "augment.heuristic", "aug_target": "augment.target", "aug_initial_p": "augment.initial_p",
    "aug_tune_kimg": "augment.tune_kimg", "aug_max_p": "augment.max_p", "aug_pipe": "augment.pipe",
    "aug_pseudo": "augment.pseudo",

    "image_snapshot_ticks": "snapshots.image_ticks", "network_snapshot_ticks": "snapshots.network_ticks",
    "snapshot_seconds": "snapshots.seconds", "keep_last": "snapshots.keep_last",
    "keep_every_kimg": "snapshots.keep_every_kimg", "keep_best": "snapshots.keep_best",

    "metrics": "metrics.names", "metric_data_path": "metrics.data_path", "metrics_every": "metrics.every",
    "metrics_budget": "metrics.budget_percent", "metrics_aside": "metrics.aside",

    "resume_pkl": "start.network", "resume_partial": "start.partial", "start_kimg": "start.kimg",

    "precision": "engine.precision", "xla": "engine.xla", "deterministic": "engine.deterministic",
    "profile": "engine.profile", "wandb": "engine.wandb",
}
# Settings that came while the form was flat, with the value that means "as before" to a run that has none.
CAME_LATER = {"notes": [], "profile": False, "wandb": None, "aug_pseudo": False, "lecam_weight": 0.0}
# fmt: on


def nested(saved: Dict[str, Any]) -> Dict[str, Any]:
    """Return the settings of a saved config of version 1 in their places of version 2.

    What version 1 does not know stays at the top, where the reader of version 2 judges it; what is missing stays missing.
    """
    found: Dict[str, Any] = {}
    for name, value in dict(CAME_LATER, **saved).items():
        if name in PLACES:
            part, _, leaf = PLACES[name].rpartition(".")
            (found.setdefault(part, {}) if part else found)[leaf] = value
    now = {place.partition(".")[0] for place in PLACES.values()}
    for name, value in saved.items():
        if name not in PLACES:
            found[f"{name} of version 1" if name in now else name] = value
    return dict(found, version=2)
