"""What may change when a run goes on: compare the settings it was begun with to those it is to go on with."""

from dataclasses import fields, replace
from typing import Any, NamedTuple

from ..errors import UserError
from .options import TrainOptions, as_text, flag_of

FREE = "free"  # changes nothing in the networks
INEXACT = "inexact"  # the run goes on, but not bit for bit as it would have
FIXED = "fixed"  # would make another run of it

# All settings that are in neither list are fixed.
FREE_SETTINGS = frozenset([
    "data_path", "metric_data_path", "metrics", "total_kimg", "kimg_per_tick", "image_snapshot_ticks", "network_snapshot_ticks",
    "snapshot_seconds", "keep_last", "keep_every_kimg", "keep_best", "metrics_every", "metrics_budget", "metrics_aside",
    "profile",
])  # fmt: skip
INEXACT_SETTINGS = frozenset([
    "minibatch_gpu", "pl_minibatch_shrink", "discriminator_kwargs.mbstd_group_size", "precision", "xla", "deterministic",
    "generator_kwargs.num_fp16_res", "generator_kwargs.conv_clamp",
    "discriminator_kwargs.num_fp16_res", "discriminator_kwargs.conv_clamp",
])  # fmt: skip
_NOT_SETTINGS = frozenset(["run_description", "options", "data_name", "gamma_rule", "notes", "version"])


class Difference(NamedTuple):
    """One setting that the run was begun with and that is another now."""

    setting: str  # field of TrainConfig; "generator_kwargs.fmap_base" within a dictionary
    old: Any
    new: Any
    kind: str  # FREE, INEXACT or FIXED

    def __str__(self):
        text = "{}: {} before, {} now".format(self.setting, self.old, self.new)
        return text + " (goes on, but not bit for bit as before)" if self.kind == INEXACT else text


def compare(old, new):
    """Return the `Difference`s between two `TrainConfig`s, fixed ones first."""
    before, after = _flat(old.to_dict()), _flat(new.to_dict())
    if None in (before["data_digest"], after["data_digest"]):  # not known of one: the number of images must do
        before["data_digest"] = after["data_digest"] = None
    found = []
    for name in sorted(set(before) | set(after)):
        if name not in _NOT_SETTINGS and before.get(name) != after.get(name):
            kind = FREE if name in FREE_SETTINGS else INEXACT if name in INEXACT_SETTINGS else FIXED
            found.append(Difference(name, before.get(name), after.get(name), kind))
    return sorted(found, key=lambda difference: (FIXED, INEXACT, FREE).index(difference.kind))


def _flat(settings):
    """Return the settings with those inside the networks' dictionaries beside the others, as "generator_kwargs.fmap_base"."""
    flat = {}
    for name, value in settings.items():
        if name.endswith("_kwargs"):
            flat.update(("{}.{}".format(name, key), inner) for key, inner in value.items())
        else:
            flat[name] = value
    return flat


def continued(saved, as_begun, wished):
    """Return the config that a run goes on with.

    What the run took over from a network that it started from stays, unless an option that is given now says otherwise.

    Args:
        saved: `TrainConfig` of the run's file.
        as_begun: `TrainConfig` that the run's own options resolve to now.
        wished: `TrainConfig` that they resolve to with the options that are given now.
    """
    networks = {}
    for name in ("generator_kwargs", "discriminator_kwargs"):
        before, now = getattr(as_begun, name), getattr(wished, name)
        changed = {key: value for key, value in now.items() if before.get(key) != value}
        networks[name] = dict(getattr(saved, name), **changed)
    return replace(wished, run_description=saved.run_description, **networks)


def check_resume(old, new, run_dir):
    """Return the differences that a resume makes if all are allowed.

    Args:
        old: `TrainConfig` that the run was begun with.
        new: `TrainConfig` that it is to go on with; its options are the old ones and what was given besides.
        run_dir: The run's folder, for the message.

    Raises:
        UserError: A setting differs that would make another run of it; says which, and what to pass instead.
    """
    differences = compare(old, new)
    fixed = [difference for difference in differences if difference.kind == FIXED]
    if not fixed:
        return differences
    changeable = [flag_of(f.name) for f in fields(TrainOptions) if f.metadata["resumable"]]
    raise UserError(
        "The run {} was begun with other settings: {}.".format(run_dir, "; ".join(map(str, fixed))),
        "The settings that it was begun with; only these options may change: {}.".format(", ".join(changeable)),
        _what_to_pass(old.options, new.options),
    )


def _what_to_pass(old, new):
    """Return the next step: the options to pass or to leave out, or how a new run is begun from this one's weights."""
    may_change = {f.name for f in fields(TrainOptions) if f.metadata["resumable"]}
    changed = [name for name in new if new[name] != old.get(name) and name not in may_change]
    put_back = [as_text(name, old[name]) for name in changed if name in old]
    leave_out = [as_text(name, new[name]) for name in changed if name not in old]
    steps = []
    if put_back:
        steps.append("pass {} instead".format(" ".join(put_back)))
    if leave_out:
        steps.append("leave out {}".format(" ".join(leave_out)))
    if not changed:
        steps.append("pass --data as the dataset that the run was begun with")
    steps.append("for a new run from this one's weights pass --resume=<its newest network-snapshot> --start-kimg=<its kimg>")
    text = "; ".join(steps)
    return text[0].upper() + text[1:] + "."
