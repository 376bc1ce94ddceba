"""What may change when a run goes on: compare the settings it was begun with to those it is to go on with."""

import os
from dataclasses import fields, replace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from ..errors import UserError
from ..files import FilePath
from ..shape import size_text
from .options import TrainOptions, as_text, flag_of
from .resolve import resolve
from .settings import FIXED, FREE, INEXACT, TOLD
from .train_config import DatasetInfo, TrainConfig, resume_rule

NOT_EXACT = " (goes on, but not bit for bit as before)"


class OtherSettingsError(UserError):
    """An option that is given now would make another run of the one that is to go on.

    Attributes:
        run: Name of the run's folder.
        changed: (name of an option, value that the run was begun with or None, value now) of each option that may not change.
    """

    run = ""
    changed: Tuple[Tuple[str, Any, Any], ...] = ()


class Difference(NamedTuple):
    """One setting that the run was begun with and that is another now."""

    setting: str  # its place in TrainConfig, such as "schedule.total_kimg" or "G.fmap_base"
    old: Any
    new: Any
    kind: str  # FREE, INEXACT or FIXED

    def __str__(self) -> str:
        return f"{self.setting}: {self.old} before, {self.new} now" + NOT_EXACT * (self.kind == INEXACT)


def compare(old: TrainConfig, new: TrainConfig) -> List[Difference]:
    """Return the `Difference`s between two `TrainConfig`s, fixed ones first."""
    before, after = old.settings(), new.settings()
    if None in (before["data.digest"], after["data.digest"]):  # not known of one: the number of images must do
        before["data.digest"] = after["data.digest"] = None
    found = []
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name) and resume_rule(name) != TOLD:
            found.append(Difference(name, before.get(name), after.get(name), resume_rule(name)))
    return sorted(found, key=lambda difference: (FIXED, INEXACT, FREE).index(difference.kind))


def by_options(differences: List[Difference], begun: Dict[str, Any], given: Dict[str, Any]) -> List[str]:
    """Return differences in words: by the option that made them, such as "--kimg: 40 before, 80 now"; others by their setting.

    Args:
        differences: Of `check_resume`.
        begun, given: Options that the run was begun with, and those that are given now, by name.
    """
    lines: List[str] = []
    settings: Set[str] = set()
    for name in given:
        made = [one for one in differences if one.setting in _settings_of(name)]
        if made and given[name] != begun.get(name):
            alike = [(name, one.old) for one in made if one.new == given[name]]  # what it was although nobody gave it
            inexact = any(one.kind == INEXACT for one in made)
            lines.append(_option_difference(dict(alike, **begun), given, name) + NOT_EXACT * inexact)
            settings.update(one.setting for one in made)
    return lines + [str(one) for one in differences if one.setting not in settings]


def merge_resume(saved: TrainConfig, as_begun: TrainConfig, wished: TrainConfig) -> TrainConfig:
    """Return the config that a run goes on with.

    What the run took over from a network that it started from stays, unless an option that is given now says otherwise.

    Args:
        saved: `TrainConfig` of the run's file.
        as_begun: `TrainConfig` that the run's own options resolve to now.
        wished: `TrainConfig` that they resolve to with the options that are given now.
    """

    def merged(saved: dict, before: dict, now: dict) -> dict:
        return dict(saved, **{key: value for key, value in now.items() if before.get(key) != value})

    networks = merged(saved.G, as_begun.G, wished.G), merged(saved.D, as_begun.D, wished.D)
    alike = as_begun.schedule.minibatch_gpu == wished.schedule.minibatch_gpu  # lowered for several GPUs, it stays so
    at_once = (saved if alike else wished).schedule.minibatch_gpu
    schedule = replace(wished.schedule, minibatch_gpu=at_once, shared_rounds=saved.schedule.shared_rounds)
    return replace(wished, run_description=saved.run_description, G=networks[0], D=networks[1], schedule=schedule)


def check_resume(old: TrainConfig, new: TrainConfig, run_dir: FilePath) -> List[Difference]:
    """Return the differences that a resume makes if all are allowed.

    Args:
        old: `TrainConfig` that the run was begun with.
        new: `TrainConfig` that it is to go on with; its options are the old ones and those given now.
        run_dir: The run's folder, for the message.

    Raises:
        OtherSettingsError: A setting differs that would make another run of it; says which, and what to pass instead.
    """
    differences = compare(old, new)
    fixed = [difference for difference in differences if difference.kind == FIXED]
    if not fixed:
        return differences
    raise _refusal(run_dir, list(map(str, fixed)), old.options, new.options, _conversion(fixed, new))


def resumed(
    saved: TrainConfig,
    given: Dict[str, Any],
    open_data: Callable[[TrainOptions], Tuple[DatasetInfo, Optional[DatasetInfo]]],
    run_dir: FilePath,
) -> Tuple[TrainConfig, List[Difference]]:
    """Return (the config that a run goes on with, its `Difference`s from the saved one).

    Args:
        saved: `TrainConfig` of the run's file.
        given: Options that are given now, by name.
        open_data: Function of the `TrainOptions` that returns the `DatasetInfo`s of the training data and of the metrics' data.
        run_dir: The run's folder, for messages.

    Raises:
        OtherSettingsError: As `check_resume`, also where an option that may not change makes no sense with those of the run.
    """
    wished = TrainOptions(**dict(saved.options, **given))
    fixed = [name for name in given if not resumable(name) and given[name] != saved.options.get(name)]
    try:
        opened = open_data(wished)
        new = resolve(wished, *opened)
    except UserError as problem:
        if fixed:
            raise _refusal(
                run_dir, [_option_difference(saved.options, given, name) for name in fixed], saved.options, given
            ) from problem
        raise
    if "desc" in fixed:  # it would change nothing but the run's name
        raise _refusal(run_dir, [_option_difference(saved.options, given, "desc")], saved.options, given)
    config = merge_resume(saved, resolve(TrainOptions(**saved.options), *opened), new)
    return config, check_resume(saved, config, run_dir)


def resumable(name: str) -> bool:
    """Whether an option of `TrainOptions` may change when a run goes on: every setting that it makes may."""
    settings = _settings_of(name)
    return bool(settings) and all(resume_rule(setting) in (FREE, INEXACT) for setting in settings)


def _settings_of(name):
    """Return the places of the settings that an option of `TrainOptions` makes."""
    return TrainOptions.__dataclass_fields__[name].metadata["sets"]


def _option_difference(old, new, name):
    before = as_text(name, old[name]).partition("=")[2] if name in old else "not given"
    return "{}: {} before, {} now".format(flag_of(name), before, as_text(name, new[name]).partition("=")[2])


def _conversion(fixed, new):
    """Return the flags with which `sg2ada convert` makes a network for the images of `new`, where they are of another form."""
    settings, flags = {difference.setting: difference.old for difference in fixed}, ""
    channels: Any = (settings.get("G.num_channels"), new.channels)
    flags += {(3, 4): " --alpha", (4, 3): " --no-alpha"}.get(channels, "")
    if "G.resolution" in settings or "G.init_res" in settings:
        flags += " --resolution " + size_text(new.shape.height, new.shape.width)
    return flags


def _refusal(run_dir, differences, old, new, conversion=""):
    changeable = [flag_of(f.name) for f in fields(TrainOptions) if resumable(f.name)]
    error = OtherSettingsError(
        "The run {} was begun with other settings: {}.".format(run_dir, "; ".join(differences)),
        "The settings that it was begun with; only these options may change: {}.".format(", ".join(changeable)),
        _what_to_pass(old, new, conversion),
    )
    error.run = os.path.basename(str(run_dir).rstrip(os.sep))
    error.changed = tuple((name, old.get(name), new[name]) for name in _changed(old, new))
    return error


def _changed(old, new):
    """Return the names of the options that are others than the run was begun with, and may not be."""
    return [name for name in new if new[name] != old.get(name) and not resumable(name)]


def _what_to_pass(old, new, conversion):
    """Return the next step: the options to pass or to leave out, or how a new run is begun from this one's weights."""
    changed = _changed(old, new)
    put_back = [as_text(name, old[name]) for name in changed if name in old]
    leave_out = [as_text(name, new[name]) for name in changed if name not in old]
    steps = []
    if put_back:
        steps.append("pass {} instead".format(" ".join(put_back)))
    if leave_out:
        steps.append("leave out {}".format(" ".join(leave_out)))
    if not changed:
        steps.append("pass --data as the dataset that the run was begun with")
    network = "<its newest network-snapshot>"
    if conversion:
        steps.append(f"for a new run on these images convert its network, sg2ada convert {network} NEW.pkl{conversion}")
        network = "NEW.pkl"
    steps.append(f"for a new run from this one's weights pass --resume={network} --start-kimg=<its kimg>")
    text = "; ".join(steps)
    return text[0].upper() + text[1:] + "."
