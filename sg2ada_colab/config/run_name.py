"""The part of a run's name after its number: the dataset and the options that were given."""

from dataclasses import fields

from .options import TrainOptions
from .presets import RESUME_PRESETS, is_formula


def describe_run(options: TrainOptions, data_name: str) -> str:
    """Return the part of a run's name after its number: the dataset and every option that was given.

    Args:
        options: `TrainOptions`. NVIDIA's come first, in NVIDIA's order and form; ours follow.
        data_name: The dataset folder's own name.
    """
    cfg = options.cfg or "auto"
    parts = [data_name]
    parts += [f"res{options.res}"] if options.res is not None else []
    parts += ["mirror"] if options.mirror else []
    parts += [f"{cfg}{options.gpus or 1}" if is_formula(cfg) else cfg]
    parts += _given(options, ("gamma", "kimg"))
    parts += [options.aug] if options.aug is not None else []
    parts += _given(options, ("p", "target"))
    parts += _given(options, ("lecam",)) if options.lecam else []
    parts += [name for name in (options.augpipe, options.cmethod) if name is not None]
    parts += _given(options, ("dcap",))
    parts += _resume_part(options.resume)
    parts += _given(options, ("freezed",))
    parts += ["mirrory"] if options.mirrory else []
    parts += ["uncond"] if options.cond is False else []
    parts += _given(options, [f.name for f in fields(TrainOptions) if f.metadata["in_name"]])
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
