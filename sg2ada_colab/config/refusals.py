"""What `train` refuses before anything is started: options out of range, options that contradict each other or the data."""

import math
from dataclasses import fields
from typing import Iterable, List, Optional, Tuple

from ..augment.config import PIPES, AugmentConfig
from ..errors import UserError
from ..networks.settings import MIN_RESOLUTION
from ..shape import NetworkShape, size_text
from .metric_names import parse_metric
from .options import TrainOptions, as_text, flag_of
from .presets import (
    ADAPTIVE_AUGMENTS,
    BASE_CONFIGS,
    COMPARISON_METHODS,
    PSEUDO_AUGMENTS,
    SHALLOW_MAPPING_LAYERS,
)
from .train_config import DatasetInfo


def together(problems: List[UserError]) -> UserError:
    """Return one UserError that says all of `problems` (UserErrors; at least one)."""
    if len(problems) == 1:
        return problems[0]

    def numbered(texts):
        return "".join(f"\n  {i}. {text}" for i, text in enumerate(texts, 1))

    return UserError(
        f"{len(problems)} things are wrong with the options:{numbered(p.what for p in problems)}",
        numbered(p.expected for p in problems),
        numbered(p.next_step for p in problems),
    )


def range_refusals(options: TrainOptions) -> List[UserError]:
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
        elif f.metadata["allowed"] and not f.metadata["allowed"][0](value):
            wanted = f.metadata["allowed"][1]
        elif f.metadata["choices"] and value not in f.metadata["choices"]:
            wanted = "one of {}".format(", ".join(f.metadata["choices"]))
        else:
            continue
        default = f.metadata["help"].partition(" (default")[2].partition(")")[0]
        problems.append(
            UserError(
                "{} is {}.".format(flag, as_text(f.name, value).partition("=")[2] or "empty"),
                f"{wanted[0].upper()}{wanted[1:]}.",
                "Correct it, or leave {} out{}.".format(flag, " (default" + default + ")" if default else ""),
            )
        )
    return problems


def metric_refusals(names: Optional[List[str]]) -> List[UserError]:
    """Return a UserError for every metric name that cannot be computed.

    Args:
        names: Metric names, or None.
    """
    problems = []
    for name in names or []:
        try:
            parse_metric(name)
        except UserError as problem:
            problems.append(UserError("--metrics: " + problem.what, problem.expected, problem.next_step))
    return problems


def contradictions(options: TrainOptions) -> List[UserError]:
    """Return a UserError for every pair of options that exclude each other, whatever the data are."""
    return _refused(_of_augmentation(options), _of_method(options), _of_rates(options))


def _refused(*tables: Iterable[Tuple]) -> List[UserError]:
    """Return the UserErrors of rows (condition, its three parts) whose condition holds."""
    return [UserError(*texts) for rows in tables for condition, *texts in rows if condition]


def _of_augmentation(options):
    aug = options.aug or "ada"
    adapts = aug in ADAPTIVE_AUGMENTS or COMPARISON_METHODS[options.cmethod or "nocmethod"].adapt_target is not None
    yield (
        options.p is not None and aug != "fixed",
        f"--p is given, but the strength of --aug={aug} is not fixed.",
        "--p together with --aug=fixed.",
        f"Pass --aug=fixed, or --initstrength={options.p or 0:g} to begin the adaptation there.",
    )
    yield (
        aug == "fixed" and options.p is None,
        "--aug=fixed is given without a strength.",
        "A strength from 0 to 1.",
        "Pass --p too, such as --p=0.2.",
    )
    yield (
        options.target is not None and aug not in ADAPTIVE_AUGMENTS,
        f"--target is given, but --aug={aug} adapts nothing.",
        "--target together with --aug=ada or --aug=adarv.",
        "Leave --target out, or pass --aug=ada.",
    )
    yield (
        options.augpipe is not None and aug in ("noaug", "apa"),
        f"--augpipe={options.augpipe} is given together with --aug={aug}.",
        "Transforms only where there is augmentation.",
        "Leave --augpipe out, or pass --aug=ada.",
    )
    for name in ("initstrength", "max_p"):
        yield (
            getattr(options, name) is not None and not adapts,
            f"{flag_of(name)} is given, but --aug={aug} adapts nothing.",
            f"{flag_of(name)} together with --aug=ada or --aug=adarv.",
            f"Leave {flag_of(name)} out, or pass --aug=ada.",
        )
    yield (
        options.initstrength is not None and options.max_p is not None and options.initstrength > options.max_p,
        f"--initstrength={options.initstrength} lies above --max-p={options.max_p}.",
        "A strength to begin with that the bound allows.",
        "Lower --initstrength or raise --max-p.",
    )
    yield (
        options.max_p is not None and aug in PSEUDO_AUGMENTS and options.max_p >= 1,
        f"--max-p={options.max_p:g} is given together with --aug={aug}." if options.max_p is not None else "",
        "A bound below 1: at 1, every image that D is shown as real would be a fake.",
        "Lower --max-p, or leave it out (0.8).",
    )


def _of_method(options):
    aug, method = options.aug or "ada", options.cmethod or "nocmethod"
    changes = COMPARISON_METHODS[method]
    yield (
        changes.needs_noaug and aug != "noaug",
        "--cmethod={} takes the place of augmentation, but --aug={} is on{}.".format(
            method, aug, "" if options.aug else " by default"
        ),
        f"--cmethod={method} together with --aug=noaug.",
        "Pass --aug=noaug, or another --cmethod.",
    )
    for flag, given in (("--lecam", bool(options.lecam)), (f"--aug={aug}", aug in PSEUDO_AUGMENTS)):
        yield (
            given and method != "nocmethod",
            f"{flag} is given together with --cmethod={method}.",
            "One change to the training at a time: the comparison methods are those of the paper.",
            "Leave one of them out.",
        )
    yield (
        method == "wgangp" and options.gamma is not None,
        "--gamma is given together with --cmethod=wgangp, which has a gradient penalty of its own.",
        "--gamma only with losses that have the R1 penalty.",
        "Leave --gamma out.",
    )
    deep = [name for name, base in BASE_CONFIGS.items() if base.mapping_layers > SHALLOW_MAPPING_LAYERS]
    yield (
        method == "shallowmap" and options.cfg not in deep,
        "--cmethod=shallowmap changes nothing with --cfg={}.".format(options.cfg or "auto"),
        f"A configuration whose mapping network has more than {SHALLOW_MAPPING_LAYERS} layers.",
        "Leave --cmethod out, or pass --cfg as one of {}.".format(", ".join(deep)),
    )
    yield (
        method == "shallowmap" and options.map_depth is not None,
        f"--map-depth={options.map_depth} is given together with --cmethod=shallowmap, which sets the depth.",
        "One of the two.",
        "Leave --map-depth or --cmethod out.",
    )
    yield (
        options.fp32 is False and changes.float32,
        f"--fp32=0 is given together with --cmethod={method}, which needs float32.",
        "float32 for this method.",
        "Leave --fp32 out.",
    )


def _of_rates(options):
    yield (
        options.lrate is not None and options.glr is not None and options.dlr is not None,
        "--lrate is given together with --glr and --dlr, which leave it nothing to set.",
        "--lrate for both networks, or --glr and --dlr for one each.",
        "Leave --lrate out.",
    )


def data_refusals(options: TrainOptions, data: DatasetInfo) -> List[UserError]:
    """Return a UserError for everything in the options that does not fit the dataset (a `DatasetInfo`)."""
    shape = NetworkShape(options.res or data.resolution, data.init_res)
    found = _refused(_of_images(options, data, shape), _of_ways_to_train(options, data, shape))
    if options.aug != "noaug" and options.augpipe in PIPES:
        try:
            AugmentConfig.from_pipe(options.augpipe).check_images(shape.height, shape.width, data.channels)
        except UserError as problem:
            found.append(problem)
    return found


def _of_images(options, data, shape):
    where, size = f"The dataset {data.path}", size_text(shape.height, shape.width)
    largest = NetworkShape(data.resolution, data.init_res)
    sides = f"{data.resolution} pixels a side"
    if data.init_res != (4, 4):
        sides = f"{size_text(largest.height, largest.width)} pixels (width x height), resolution {data.resolution}"
    yield (
        options.res is not None and options.res > data.resolution,
        f"--res={options.res} exceeds the dataset, whose largest images have {sides}.",
        f"A resolution that the dataset has: at most {data.resolution}.",
        f"Pass --res={data.resolution} or leave it out; for larger images prepare the dataset anew.",
    )
    yield (
        options.res is None and data.resolution < MIN_RESOLUTION,
        f"{where} has images of {size} pixels.",
        f"At least {MIN_RESOLUTION}x{MIN_RESOLUTION} pixels.",
        "Prepare the dataset at a larger size.",
    )
    yield (
        data.num_images < 1,
        f"{where} has no images.",
        "At least one image; a few hundred for results.",
        "Prepare the dataset anew: sg2ada prepare.",
    )
    yield (
        options.subset is not None and options.subset > data.num_images > 0,
        f"--subset={options.subset} exceeds the {data.num_images} images of the dataset.",
        f"At most {data.num_images}.",
        "Lower --subset or leave it out.",
    )
    yield (
        options.cond is True and data.label_size == 0,
        f"--cond=1 is given, but {data.path} has no labels.",
        "A dataset with labels, one class or vector an image.",
        "Leave --cond out, or prepare the dataset with labels.",
    )


def _of_ways_to_train(options, data, shape):
    size = size_text(shape.height, shape.width)
    yield (
        options.cmethod == "auxrot" and data.label_size > 0 and options.cond is not False,
        f"--cmethod=auxrot is given, but the dataset has labels ({data.label_size} classes).",
        "A dataset without labels for this method.",
        "Pass --cond=0 to leave the labels aside, or another --cmethod.",
    )
    yield (
        options.cmethod == "auxrot" and shape.height != shape.width,
        f"--cmethod=auxrot is given, but the dataset has images of {size} pixels.",
        "Square images, which can be turned by 90 degrees.",
        "Pass another --cmethod, or prepare squares.",
    )
    yield (
        options.aug == "adarv" and not data.has_validation,
        f"--aug=adarv is given, but {data.path} has no validation set.",
        "Files named validation-*.tfrecords beside the training set.",
        "Prepare a validation set (sg2ada dataset pack --help), or pass --aug=ada.",
    )


def minibatch_refusals(size: int, per_gpu: int, group: int, gpus: int) -> List[UserError]:
    """Return a UserError where a minibatch cannot be divided among GPUs, rounds and groups.

    Args:
        size: Images of a minibatch.
        per_gpu: Images at once.
        group: Images that share one minibatch standard deviation.
        gpus: --gpus.
    """
    found = []
    if size % (gpus * per_gpu):
        shares = [n for n in range(1, size // gpus + 1) if size % (gpus * n) == 0]
        found.append(
            UserError(
                f"A minibatch of {size} images cannot be divided into shares of {per_gpu} for --gpus={gpus}.",
                "--batch as a multiple of --gpus times --batch-gpu.",
                "Pass --batch-gpu as one of {}.".format(", ".join(map(str, shares)))
                if shares
                else f"Pass --batch={gpus * per_gpu} or fewer --gpus.",
            )
        )
    if per_gpu % min(group, per_gpu):
        found.append(
            UserError(
                f"--mbstd-group={group} does not divide the {per_gpu} images that the GPU takes at once.",
                "Groups of equal size.",
                f"Leave --mbstd-group out, or pass a divisor of {per_gpu}.",
            )
        )
    return found
