"""How a run's folder is called, which number it gets, and which run of a folder is the newest."""

import os
import re

from .presets import RESUME_PRESETS


def describe_run(options, data_name):
    """Return the part of a run's name after its number: the dataset and every option that was given.

    Args:
        options: `TrainOptions`. NVIDIA's come first, in NVIDIA's order and form; ours follow.
        data_name: The dataset folder's own name.
    """
    cfg = options.cfg or "auto"
    parts = [data_name]
    parts += ["res{}".format(options.res)] if options.res is not None else []
    parts += ["mirror"] if options.mirror else []
    parts += ["auto{}".format(options.gpus or 1) if cfg == "auto" else cfg]
    parts += _given(options, ("gamma", "kimg"))
    parts += [options.aug] if options.aug is not None else []
    parts += _given(options, ("p", "target"))
    parts += [name for name in (options.augpipe, options.cmethod) if name is not None]
    parts += _given(options, ("dcap",))
    parts += _resume_part(options.resume)
    parts += _given(options, ("freezed",))
    parts += ["mirrory"] if options.mirrory else []
    parts += ["uncond"] if options.cond is False else []
    parts += _given(options, ("subset", "batch", "lrate", "glr", "dlr"))
    parts += [options.desc] if options.desc is not None else []
    return "-".join(parts)


def _given(options, names):
    values = [(name, getattr(options, name)) for name in names]
    return [_with_value(name, value) for name, value in values if value is not None]


def _with_value(name, value):
    return name + ("{}" if isinstance(value, int) else "{:g}").format(value)


def _resume_part(resume):
    if resume in (None, "latest"):  # "latest" begins a run only where there is none to go on with
        return []
    if resume == "noresume":
        return [resume]
    return ["resume" + (resume if resume in RESUME_PRESETS else "custom")]


def next_run_number(outdir):
    """Return one more than the highest number that begins the name of a folder in `outdir`; 0 without any."""
    return max((number for number, _ in _numbered(outdir)), default=-1) + 1


def run_folder(outdir, description):
    """Return the path of the next run in `outdir`, such as "runs/00003-faces-auto1"; nothing is made."""
    return os.path.join(outdir, "{:05d}-{}".format(next_run_number(outdir), description))


def latest_run(outdir, file_name):
    """Return the path of the run with the highest number in `outdir` that has the file `file_name`; None without any."""
    runs = [(number, path) for number, path in _numbered(outdir) if os.path.isfile(os.path.join(path, file_name))]
    return max(runs)[1] if runs else None


def _numbered(outdir):
    """Yield (number, path) of the folders in `outdir` whose names begin with digits."""
    if not os.path.isdir(outdir):
        return
    for name in os.listdir(outdir):
        match, path = re.match(r"\d+", name), os.path.join(outdir, name)
        if match and os.path.isdir(path):
            yield int(match.group()), path
