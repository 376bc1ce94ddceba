"""What may change when a run goes on: compare the settings it was begun with to those it is to go on with."""

from typing import Any, NamedTuple

from ..errors import UserError
from .options import as_text

FREE = "free"  # changes nothing in the networks
INEXACT = "inexact"  # the run goes on, but not bit for bit as it would have
FIXED = "fixed"  # would make another run of it

# Settings whose change is allowed; all others are fixed. The value is the option that sets them.
_FREE = {
    "data_path": "data",
    "metric_data_path": "metricdata",
    "metrics": "metrics",
    "total_kimg": "kimg",
    "kimg_per_tick": "tick",
    "image_snapshot_ticks": "img_snap",
    "network_snapshot_ticks": "snap",
    "snapshot_seconds": "snap_minutes",
    "keep_last": "keep_last",
    "keep_every_kimg": "keep_every_kimg",
    "keep_best": "keep_best",
}
_INEXACT = {
    "minibatch_gpu": "batch_gpu",
    "pl_minibatch_shrink": "batch_gpu",
    "discriminator_kwargs.mbstd_group_size": "mbstd_group",
    "precision": "fp32",
    "generator_kwargs.num_fp16_res": "fp32",
    "generator_kwargs.conv_clamp": "fp32",
    "discriminator_kwargs.num_fp16_res": "fp32",
    "discriminator_kwargs.conv_clamp": "fp32",
    "xla": "no_xla",
    "deterministic": "deterministic",
}
# The option to pass so that a fixed setting stays what it was; where there is none the data decide.
_FIXED = {
    "max_images": "subset",
    "mirror_x": "mirror",
    "mirror_y": "mirrory",
    "generator_kwargs.resolution": "res",
    "generator_kwargs.mapping_layers": "map_depth",
    "generator_kwargs.fmap_max": "cmax",
    "freeze_layers": "freezed",
    "comparison_method": "cmethod",
    "G_learning_rate": "glr",
    "D_learning_rate": "dlr",
    "r1_gamma": "gamma",
    "num_gpus": "gpus",
    "minibatch_size": "batch",
    "start_kimg": "start_kimg",
    "aug_target": "target",
    "aug_max_p": "max_p",
    "resume_pkl": "resume",
    "seed": "seed",
}
_NOT_SETTINGS = ("run_description", "options", "data_name", "gamma_rule", "notes", "version")


class Difference(NamedTuple):
    """One setting that the run was begun with and that is another now."""

    setting: str  # field of TrainConfig; "generator_kwargs.fmap_base" within a dictionary
    old: Any
    new: Any
    kind: str  # FREE, INEXACT or FIXED

    def __str__(self):
        return "{}: {} before, {} now".format(self.setting, self.old, self.new)


def compare(old, new):
    """Return the `Difference`s between two `TrainConfig`s, fixed ones first."""
    before, after = _flat(old.to_dict()), _flat(new.to_dict())
    if before["data_digest"] is None or after["data_digest"] is None:  # not known: count the images instead
        before["data_digest"] = after["data_digest"] = None
    found = []
    for name in sorted(set(before) | set(after)):
        if name.split(".")[0] not in _NOT_SETTINGS and before.get(name) != after.get(name):
            kind = FREE if name in _FREE else INEXACT if name in _INEXACT else FIXED
            found.append(Difference(name, before.get(name), after.get(name), kind))
    return sorted(found, key=lambda difference: (FIXED, INEXACT, FREE).index(difference.kind))


def _flat(settings):
    """Return the settings with those of the networks' dictionaries beside the others, as "generator_kwargs.fmap_base"."""
    flat = {}
    for name, value in settings.items():
        if name.endswith("_kwargs"):
            flat.update(("{}.{}".format(name, key), inner) for key, inner in value.items())
        else:
            flat[name] = value
    return flat


def check_resume(old, new, run_dir):
    """Return the differences that a resume makes if all are allowed.

    Args:
        old: `TrainConfig` that the run was begun with.
        new: `TrainConfig` that it is to go on with.
        run_dir: Its folder, for the message.

    Raises:
        UserError: A setting differs that would make another run of it; says which, and what to pass instead.
    """
    differences = compare(old, new)
    fixed = [difference for difference in differences if difference.kind == FIXED]
    if not fixed:
        return differences
    raise UserError(
        "The run {} was begun with other settings: {}.".format(run_dir, "; ".join(map(str, fixed))),
        "The settings that it was begun with; only {} may change.".format(_changeable()),
        _what_to_pass(old, new, fixed),
    )


def _changeable():
    names = list(_FREE.values()) + list(_INEXACT.values())
    return ", ".join(as_text(name, "").rstrip("=") for name in dict.fromkeys(names))


def _what_to_pass(old, new, fixed):
    """Return the next step: the options to pass or leave out, or how a new run is begun from this one's weights."""
    changed = [name for name in new.options if new.options[name] != old.options.get(name) and not _may_change(name)]
    steps = []
    if changed:
        put_back = [as_text(name, old.options[name]) for name in changed if name in old.options]
        leave = [as_text(name, new.options[name]) for name in changed if name not in old.options]
        steps += ["pass {}".format(" ".join(put_back))] if put_back else []
        steps += ["leave out {}".format(" ".join(leave))] if leave else []
    elif any(difference.setting.startswith("data_") or difference.setting == "channels" for difference in fixed):
        steps += ["pass --data as the dataset that the run was begun with"]
    else:
        values = [(_FIXED.get(difference.setting), difference.old) for difference in fixed]
        put_back = [as_text(name, value) for name, value in values if name and value is not None]
        steps += ["pass {}".format(" ".join(put_back))] if put_back else []
    steps += ["for a new run from this one's weights pass --resume=<its newest network-snapshot> --start-kimg=<its kimg>"]
    text = "; ".join(steps)
    return text[0].upper() + text[1:] + "."


def _may_change(option):
    return option in _FREE.values() or option in _INEXACT.values() or option in ("outdir", "resume")
