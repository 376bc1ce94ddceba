"""What `train` refuses before anything is started: options out of range, options that contradict each other or the data."""

import math
import re
from dataclasses import fields

from ..augment.config import PIPES, AugmentConfig
from ..errors import UserError
from .options import TrainOptions, as_text, flag_of
from .presets import BASE_CONFIGS, COMPARISON_METHODS, METRICS, SHALLOW_MAPPING_LAYERS

MIN_RESOLUTION = 8  # the networks begin at 4x4 and need one block above it

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")

_POSITIVE = (lambda x: x > 0, "a number above 0")
_FROM_0 = (lambda x: x >= 0, "a number from 0 up")
_FROM_1 = (lambda x: x >= 1, "a whole number from 1 up")
_UNIT = (lambda x: 0 <= x <= 1, "a number from 0 to 1")
RANGES = {
    "gpus": (lambda x: x >= 1 and x & (x - 1) == 0, "a power of two"),
    "seed": (lambda x: x >= 0, "a whole number from 0 up"),
    "desc": (_NAME.fullmatch, "letters, digits and _ . + - only, as it becomes part of a folder's name"),
    "snap": _FROM_1,
    "snap_minutes": _FROM_0,
    "img_snap": _FROM_1,
    "tick": _POSITIVE,
    "keep_last": _FROM_0,
    "keep_every_kimg": _FROM_0,
    "res": (lambda x: x >= MIN_RESOLUTION and x & (x - 1) == 0, "a power of two from {} up".format(MIN_RESOLUTION)),
    "subset": _FROM_1,
    "metrics_every": _FROM_1,
    "metrics_budget": (lambda x: 0 <= x < 100, "a percentage from 0 up, below 100"),
    "gamma": _FROM_0,
    "kimg": _FROM_1,
    "batch": _FROM_1,
    "batch_gpu": _FROM_1,
    "lrate": _POSITIVE,
    "glr": _POSITIVE,
    "dlr": _POSITIVE,
    "map_depth": _FROM_1,
    "cbase": (lambda x: x >= 2 and x % 2 == 0, "an even number from 2 up"),
    "cmax": _FROM_1,
    "mbstd_group": _FROM_1,
    "p": _UNIT,
    "target": _UNIT,
    "initstrength": _UNIT,
    "max_p": (lambda x: 0 < x <= 1, "a number above 0, at most 1"),
    "dcap": _POSITIVE,
    "freezed": _FROM_0,
    "start_kimg": _FROM_0,
}


def together(problems):
    """Return one UserError that says all of `problems` (UserErrors; at least one)."""
    if len(problems) == 1:
        return problems[0]

    def numbered(texts):
        return "".join("\n  {}. {}".format(i, text) for i, text in enumerate(texts, 1))

    return UserError(
        "{} things are wrong with the options:{}".format(len(problems), numbered(p.what for p in problems)),
        numbered(p.expected for p in problems),
        numbered(p.next_step for p in problems),
    )


def range_refusals(options):
    """Return a UserError for every option whose value alone is wrong: type, range or choice."""
    problems = []
    for f in fields(TrainOptions):
        value, flag = getattr(options, f.name), flag_of(f.name)
        if value is None:
            continue
        kind = f.metadata["kind"] if isinstance(f.metadata["kind"], type) else None
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind in (int, float) and not (numeric and math.isfinite(value) and (kind is float or value == int(value))):
            wanted = "a whole number" if kind is int else "a number"
        elif f.name in RANGES and not RANGES[f.name][0](value):
            wanted = RANGES[f.name][1]
        elif f.metadata["choices"] and value not in f.metadata["choices"]:
            wanted = "one of {}".format(", ".join(f.metadata["choices"]))
        else:
            continue
        default = f.metadata["help"].partition(" (default")[2].partition(")")[0]
        problems.append(
            UserError(
                "{} is {}.".format(flag, as_text(f.name, value).partition("=")[2] or "empty"),
                "{}{}.".format(wanted[0].upper(), wanted[1:]),
                "Correct it, or leave {} out{}.".format(flag, " (default" + default + ")" if default else ""),
            )
        )
    return problems


def metric_refusals(names, check_metric=None):
    """Return a UserError for every metric name that cannot be computed.

    Args:
        names: Metric names, or None.
        check_metric: Function of a name that raises UserError for one it does not know; None knows NVIDIA's names only.
    """
    problems = []
    for name in names or []:
        if name == "ls":  # NVIDIA's program takes this name and then dies of it
            problems.append(
                UserError(
                    "--metrics: 'ls' cannot be computed.",
                    "Metrics without attribute classifiers; this one needs 40, trained on faces, that run in NVIDIA's code only.",
                    "Leave ls out; ppl2_wend also measures the smoothness of the latent space.",
                )
            )
            continue
        try:
            (check_metric or _check_nvidia_metric)(name)
        except UserError as problem:
            problems.append(UserError("--metrics: " + problem.what, problem.expected, problem.next_step))
    return problems


def _check_nvidia_metric(name):
    if name not in METRICS:
        raise UserError(
            "there is no metric {!r}".format(name),
            "none, or some of {}".format(", ".join(METRICS)),
            "correct the name; separate several by commas, without spaces",
        )


def contradictions(options):
    """Return a UserError for every pair of options that exclude each other, whatever the data are."""
    aug, method = options.aug or "ada", options.cmethod or "nocmethod"
    changes = COMPARISON_METHODS[method]
    adapts = aug in ("ada", "adarv") or changes.adapt_target is not None
    found = []

    def refuse(condition, *texts):
        if condition:
            found.append(UserError(*texts))

    refuse(
        options.p is not None and aug != "fixed",
        "--p is given, but the strength of --aug={} is not fixed.".format(aug),
        "--p together with --aug=fixed.",
        "Pass --aug=fixed, or --initstrength={:g} to begin the adaptation there.".format(options.p or 0),
    )
    refuse(
        aug == "fixed" and options.p is None,
        "--aug=fixed is given without a strength.",
        "A strength from 0 to 1.",
        "Pass --p too, such as --p=0.2.",
    )
    refuse(
        options.target is not None and aug not in ("ada", "adarv"),
        "--target is given, but --aug={} adapts nothing.".format(aug),
        "--target together with --aug=ada or --aug=adarv.",
        "Leave --target out, or pass --aug=ada.",
    )
    refuse(
        options.augpipe is not None and aug == "noaug",
        "--augpipe={} is given together with --aug=noaug.".format(options.augpipe),
        "Transforms only where there is augmentation.",
        "Leave --augpipe out, or pass --aug=ada.",
    )
    for name in ("initstrength", "max_p"):
        refuse(
            getattr(options, name) is not None and not adapts,
            "{} is given, but --aug={} adapts nothing.".format(flag_of(name), aug),
            "{} together with --aug=ada or --aug=adarv.".format(flag_of(name)),
            "Leave {} out, or pass --aug=ada.".format(flag_of(name)),
        )
    refuse(
        options.initstrength is not None and options.max_p is not None and options.initstrength > options.max_p,
        "--initstrength={0.initstrength} lies above --max-p={0.max_p}.".format(options),
        "A strength to begin with that the bound allows.",
        "Lower --initstrength or raise --max-p.",
    )
    refuse(
        changes.needs_noaug and aug != "noaug",
        "--cmethod={} takes the place of augmentation, but --aug={} is on{}.".format(
            method, aug, "" if options.aug else " by default"
        ),
        "--cmethod={} together with --aug=noaug.".format(method),
        "Pass --aug=noaug, or another --cmethod.",
    )
    refuse(
        method == "wgangp" and options.gamma is not None,
        "--gamma is given together with --cmethod=wgangp, which has a gradient penalty of its own.",
        "--gamma only with losses that have the R1 penalty.",
        "Leave --gamma out.",
    )
    deep = [name for name, base in BASE_CONFIGS.items() if base.mapping_layers > SHALLOW_MAPPING_LAYERS]
    refuse(
        method == "shallowmap" and options.cfg not in deep,
        "--cmethod=shallowmap changes nothing with --cfg={}.".format(options.cfg or "auto"),
        "A configuration whose mapping network has more than {} layers.".format(SHALLOW_MAPPING_LAYERS),
        "Leave --cmethod out, or pass --cfg as one of {}.".format(", ".join(deep)),
    )
    refuse(
        method == "shallowmap" and options.map_depth is not None,
        "--map-depth={} is given together with --cmethod=shallowmap, which sets the depth.".format(options.map_depth),
        "One of the two.",
        "Leave --map-depth or --cmethod out.",
    )
    refuse(
        options.lrate is not None and options.glr is not None and options.dlr is not None,
        "--lrate is given together with --glr and --dlr, which leave it nothing to set.",
        "--lrate for both networks, or --glr and --dlr for one each.",
        "Leave --lrate out.",
    )
    refuse(
        options.fp32 is False and changes.float32,
        "--fp32=0 is given together with --cmethod={}, which needs float32.".format(method),
        "float32 for this method.",
        "Leave --fp32 out.",
    )
    return found


def data_refusals(options, data):
    """Return a UserError for everything in the options that does not fit the dataset (a `DatasetInfo`)."""
    found = []

    def refuse(condition, *texts):
        if condition:
            found.append(UserError(*texts))

    where = "The dataset {}".format(data.path)
    refuse(
        options.res is not None and options.res > data.resolution,
        "--res={} exceeds the dataset, whose largest images have {} pixels a side.".format(options.res, data.resolution),
        "A resolution that the dataset has: at most {}.".format(data.resolution),
        "Pass --res={} or leave it out; for larger images prepare the dataset anew.".format(data.resolution),
    )
    refuse(
        options.res is None and data.resolution < MIN_RESOLUTION,
        "{0} has images of {1}x{1} pixels.".format(where, data.resolution),
        "At least {0}x{0} pixels.".format(MIN_RESOLUTION),
        "Prepare the dataset at a larger size.",
    )
    refuse(
        data.num_images < 1,
        "{} has no images.".format(where),
        "At least one image; a few hundred for results.",
        "Prepare the dataset anew: sg2ada prepare.",
    )
    refuse(
        options.subset is not None and options.subset > data.num_images > 0,
        "--subset={} exceeds the {} images of the dataset.".format(options.subset, data.num_images),
        "At most {}.".format(data.num_images),
        "Lower --subset or leave it out.",
    )
    refuse(
        options.cond is True and data.label_size == 0,
        "--cond=1 is given, but {} has no labels.".format(data.path),
        "A dataset with labels, one class or vector an image.",
        "Leave --cond out, or prepare the dataset with labels.",
    )
    refuse(
        options.cmethod == "auxrot" and data.label_size > 0 and options.cond is not False,
        "--cmethod=auxrot is given, but the dataset has labels ({} classes).".format(data.label_size),
        "A dataset without labels for this method.",
        "Pass --cond=0 to leave the labels aside, or another --cmethod.",
    )
    refuse(
        options.aug == "adarv" and not data.has_validation,
        "--aug=adarv is given, but {} has no validation set.".format(data.path),
        "Files named validation-*.tfrecords beside the training set.",
        "Prepare a validation set (sg2ada dataset pack --help), or pass --aug=ada.",
    )
    if options.aug != "noaug" and options.augpipe in PIPES:
        try:
            AugmentConfig.from_pipe(options.augpipe).check_images(options.res or data.resolution, data.channels)
        except UserError as problem:
            found.append(problem)
    return found


def minibatch_refusals(minibatch, gpus):
    """Return a UserError where a minibatch (`config.Minibatch`) cannot be divided among GPUs, rounds and groups."""
    size, per_gpu, group = minibatch.size, minibatch.per_gpu, minibatch.mbstd_group_size
    found = []
    if size % (gpus * per_gpu):
        shares = [n for n in range(1, size // gpus + 1) if size % (gpus * n) == 0]
        found.append(
            UserError(
                "A minibatch of {} images cannot be divided into shares of {} for --gpus={}.".format(size, per_gpu, gpus),
                "--batch as a multiple of --gpus times --batch-gpu.",
                "Pass --batch-gpu as one of {}.".format(", ".join(map(str, shares)))
                if shares
                else "Pass --batch={} or fewer --gpus.".format(gpus * per_gpu),
            )
        )
    if per_gpu % min(group, per_gpu):
        found.append(
            UserError(
                "--mbstd-group={} does not divide the {} images that the GPU takes at once.".format(group, per_gpu),
                "Groups of equal size.",
                "Leave --mbstd-group out, or pass a divisor of {}.".format(per_gpu),
            )
        )
    return found
