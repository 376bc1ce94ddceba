"""From options and a dataset to a `TrainConfig`: choose every setting, check them all, and start nothing."""

from dataclasses import replace
from typing import NamedTuple

from ..augment.adapt import DEFAULT_TARGETS
from ..augment.config import DEFAULT_PIPE, PIPES
from ..errors import UserError
from ..networks.variables import DiscriminatorConfig, GeneratorConfig
from .config import TrainConfig
from .presets import (
    BASE_CONFIGS,
    COMPARISON_METHODS,
    DEFAULT_METRICS,
    GAMMA_RULE,
    RESUME_PRESETS,
    SHALLOW_MAPPING_LAYERS,
    auto_config,
    auto_minibatch_per_gpu,
)
from .refusals import contradictions, data_refusals, metric_refusals, minibatch_refusals, range_refusals, together
from .run_name import describe_run

DEFAULT_SEED = 1000
ADA_KIMG, ADA_KIMG_TRANSFER = 500, 100  # kimg in which p can rise by 1, from scratch and from a trained network
HEURISTICS = {"ada": "rt", "adarv": "rv"}
SNAPSHOT_TICKS, SNAPSHOT_MINUTES, KEEP_LAST, KIMG_PER_TICK = 50, 10, 3, 4
METRICS_BUDGET = 5.0  # percent of the session
NUM_FP16_RES, CONV_CLAMP = 4, 256  # of mixed precision


class Minibatch(NamedTuple):
    """How many images make a step, how many go at once, how many share one minibatch standard deviation."""

    size: int
    per_gpu: int
    mbstd_group_size: int


def base_config(options, resolution):
    """Return the `BaseConfig` row that the options and the resolution (px) select."""
    if options.cfg in (None, "auto"):
        return auto_config(resolution, options.gpus or 1, options.batch)
    return BASE_CONFIGS[options.cfg]


def choose_minibatch(options, base, resolution):
    """Return the `Minibatch`: the base configuration's, or what --batch, --batch-gpu and --mbstd-group make of it."""
    gpus, size = options.gpus or 1, options.batch or base.minibatch
    at_once = base.minibatch // base.ref_gpus
    if options.cfg in (None, "auto") and options.batch:
        at_once = auto_minibatch_per_gpu(resolution)
    if options.batch:
        at_once = _largest_divisor(max(size // gpus, 1), at_once)
    at_once = options.batch_gpu or at_once
    group = options.mbstd_group or base.mbstd
    if not options.mbstd_group and at_once % min(group, at_once):
        group = _largest_divisor(at_once, group)
    return Minibatch(size, at_once, group)


def _largest_divisor(number, at_most):
    return max(n for n in range(1, min(number, max(at_most, 1)) + 1) if number % n == 0)


def option_refusals(options, check_metric=None):
    """Return a UserError for everything that is wrong with the options by themselves; `check_metric` as for `resolve`."""
    problems = range_refusals(options) + metric_refusals(options.metrics, check_metric)
    return problems or contradictions(options)


def resolve(options, data, metric_data=None, check_metric=None):
    """Check the options against each other and the data and return the `TrainConfig`; imports no TensorFlow.

    Args:
        options: `TrainOptions`.
        data: `DatasetInfo` of --data.
        metric_data: `DatasetInfo` of --metricdata; None where that is not given.
        check_metric: Function of a metric's name that raises UserError for one it does not know; None knows NVIDIA's names only.

    Raises:
        UserError: Something is out of range, contradictory or does not fit the data; all of it in one error.
    """
    problems = option_refusals(options, check_metric)
    if not problems:
        problems = data_refusals(options, data)
    if not problems:
        resolution = options.res or data.resolution
        base = base_config(options, resolution)
        minibatch = choose_minibatch(options, base, resolution)
        problems = minibatch_refusals(minibatch, options.gpus or 1) + _length_refusals(options, base)
    if not problems:
        networks = _networks(options, data, base, minibatch)
        problems = _width_refusals(networks[1])
    if problems:
        raise together(problems)
    settings = {}
    settings.update(_data_settings(options, data, metric_data))
    settings.update(generator_kwargs=networks[0], discriminator_kwargs=networks[1], freeze_layers=options.freezed or 0)
    settings.update(_loss_settings(options, base, minibatch, resolution))
    settings.update(_schedule_settings(options, base, minibatch))
    settings.update(_augment_settings(options))
    settings.update(_snapshot_settings(options))
    settings.update(
        seed=DEFAULT_SEED if options.seed is None else options.seed,
        precision={None: "auto", True: "fp32", False: "fp16"}[options.fp32],
        xla=not options.no_xla,
        deterministic=bool(options.deterministic),
        profile=bool(options.profile),
    )
    given = {name: value for name, value in options.given().items() if name not in ("dry_run", "quiet")}
    config = TrainConfig(run_description=describe_run(options, data.name), options=given, **settings)
    return replace(config, notes=list(_notes(config, options, metric_data)))


def _resume_source(options):
    """Return the path or URL of the network to begin with, or None."""
    if options.resume in (None, "noresume", "latest"):
        return None
    return RESUME_PRESETS.get(options.resume, options.resume)


def _length_refusals(options, base):
    total, start = options.kimg or base.kimg, options.start_kimg or 0
    if start < total:
        return []
    return [
        UserError(
            "--start-kimg={} leaves nothing of the {} kimg to train.".format(start, total),
            "A total length (--kimg) above the start.",
            "Raise --kimg, which counts from 0, or lower --start-kimg.",
        )
    ]


def _width_refusals(discriminator_kwargs):
    if min(discriminator_kwargs["fmap_base"], discriminator_kwargs["fmap_max"]) >= 1:
        return []
    return [
        UserError(
            "--dcap leaves the discriminator without channels.",
            "A capacity of at least one channel a layer.",
            "Raise --dcap, --cbase or --cmax.",
        )
    ]


def _networks(options, data, base, minibatch):
    """Return the static_kwargs of G and of D, keys in the order in which NVIDIA writes them."""
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    mixed = not (options.fp32 or method.float32)
    shape = {
        "num_channels": data.channels,
        "resolution": options.res or data.resolution,
        "label_size": 0 if options.cond is False else data.label_size,
    }
    fmap_base = options.cbase // 2 if options.cbase else int(base.fmaps * 16384)
    fmap_max = options.cmax or 512
    capacity = options.dcap or 1
    precision = {"num_fp16_res": NUM_FP16_RES if mixed else 0, "conv_clamp": CONV_CLAMP if mixed else None}
    layers = SHALLOW_MAPPING_LAYERS if options.cmethod == "shallowmap" else options.map_depth or base.mapping_layers
    generator = dict(shape, fmap_base=fmap_base, fmap_max=fmap_max, mapping_layers=layers, **precision)
    discriminator = dict(
        shape,
        mbstd_group_size=minibatch.mbstd_group_size,
        fmap_base=int(fmap_base * capacity),
        fmap_max=int(fmap_max * capacity),
        **precision,
    )
    if options.cfg == "cifar":
        generator["style_mixing_prob"] = None
        discriminator["architecture"] = "orig"
    discriminator.update(method.D_kwargs)
    if options.freezed:
        discriminator["freeze_layers"] = options.freezed
    return generator, discriminator


def _data_settings(options, data, metric_data):
    return {
        "data_path": data.path,
        "data_name": data.name,
        "data_digest": data.digest,
        "data_num_images": data.num_images,
        "max_images": options.subset,
        "mirror_x": bool(options.mirror),
        "mirror_y": bool(options.mirrory),
        "metric_data_path": (metric_data or data).path,
        "metrics": list(DEFAULT_METRICS if options.metrics is None else options.metrics),
        "metrics_every": options.metrics_every or 1,
        "metrics_budget": _metrics_budget(options) or None,
        "metrics_aside": bool(options.metrics_aside),
    }


def _metrics_budget(options):
    """Return the percentage of the session that metrics may take, 0: no limit; what is asked for by name is taken at its word."""
    if options.metrics_budget is None:
        return METRICS_BUDGET if options.metrics is None else 0
    return options.metrics_budget


def _loss_settings(options, base, minibatch, resolution):
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    wgangp = method.loss == "wgangp"
    gamma, rule = base.gamma, "--cfg={}".format(options.cfg)
    if options.cfg in (None, "auto"):
        rule = "--cfg=auto: " + GAMMA_RULE.format(resolution=resolution, minibatch=minibatch.size)
    if options.gamma is not None:
        gamma, rule = options.gamma, "--gamma"
    if wgangp:
        gamma, rule = None, "--cmethod=wgangp has no R1 penalty"
    learning_rate = options.lrate or method.learning_rate or base.learning_rate
    return {
        "comparison_method": None if options.cmethod == "nocmethod" else options.cmethod,
        "loss": method.loss,
        "loss_kwargs": dict(method.loss_kwargs),
        "r1_gamma": gamma,
        "gamma_rule": rule,
        "pl_weight": 0 if wgangp or options.cfg == "cifar" else 2,
        "pl_minibatch_shrink": 1 if minibatch.per_gpu == 1 else 2,  # half of one image would be none
        "G_learning_rate": options.glr or learning_rate,
        "D_learning_rate": options.dlr or learning_rate,
        "beta1": 0.0,
        "beta2": 0.99,
        "lazy_regularization": not wgangp,
        "G_reg_interval": 4,
        "D_reg_interval": 16,
    }


def _schedule_settings(options, base, minibatch):
    return {
        "num_gpus": options.gpus or 1,
        "minibatch_size": minibatch.size,
        "minibatch_gpu": minibatch.per_gpu,
        "total_kimg": options.kimg or base.kimg,
        "start_kimg": options.start_kimg or 0,
        "kimg_per_tick": options.tick or KIMG_PER_TICK,
        "ema_kimg": base.ema_kimg,
        "ema_rampup": None if _resume_source(options) else base.ema_rampup,
        "resume_pkl": _resume_source(options),
        "resume_partial": bool(options.resume_partial),
    }


def _augment_settings(options):
    aug = options.aug or "ada"
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    heuristic = HEURISTICS.get(aug, None if method.adapt_target is None else "rt")
    target = options.target if method.adapt_target is None else method.adapt_target
    target = DEFAULT_TARGETS.get(heuristic) if target is None else target
    pipe = None if aug == "noaug" else dict.fromkeys(PIPES[options.augpipe or DEFAULT_PIPE], 1)
    return {
        "aug_heuristic": heuristic,
        "aug_target": target,
        "aug_initial_p": options.p if aug == "fixed" else options.initstrength or 0.0,
        "aug_tune_kimg": ADA_KIMG_TRANSFER if _resume_source(options) else ADA_KIMG,
        "aug_max_p": options.max_p,
        "aug_pipe": pipe,
    }


def _snapshot_settings(options):
    ticks, kimg_per_tick = options.snap or SNAPSHOT_TICKS, options.tick or KIMG_PER_TICK
    minutes = options.snap_minutes
    if minutes is None:
        minutes = 0 if options.snap else SNAPSHOT_MINUTES
    # --snap alone means what it means to NVIDIA's program: snapshots by ticks, and all of them stay.
    keep_last = options.keep_last if options.keep_last is not None else 0 if options.snap and not minutes else KEEP_LAST
    every = options.keep_every_kimg
    if every is None:
        every = max(int(ticks * kimg_per_tick), 1) if keep_last else 0
    return {
        "image_snapshot_ticks": options.img_snap or ticks,
        "network_snapshot_ticks": ticks,
        "snapshot_seconds": minutes * 60 or None,
        "keep_last": keep_last or None,
        "keep_every_kimg": every or None,
        "keep_best": options.keep_best is not False,
    }


def _notes(config, options, metric_data):
    """Yield sentences on what is allowed but may surprise."""
    G = GeneratorConfig.from_kwargs(config.generator_kwargs)
    D = DiscriminatorConfig.from_kwargs(config.discriminator_kwargs)
    if config.num_gpus > 1:
        yield "--gpus={}: one device computes the work of all of them, {} images at a time.".format(
            config.num_gpus, config.minibatch_gpu
        )
    if config.resume_pkl is not None:
        yield "The networks take over the architecture of {}; where it differs, that of the options does not count.".format(
            options.resume
        )
    if metric_data and metric_data.resolution < config.resolution:
        yield "The metrics' dataset has {} pixels a side and the networks make {}: metrics that need it will fail.".format(
            metric_data.resolution, config.resolution
        )
    for name, network in (("generator", G), ("discriminator", D)):
        if network.fmap_base < 2 * network.fmap_max:
            yield "The {} has fewer than {} channels at 4x4, so NVIDIA's PyTorch programs cannot open its snapshots.".format(
                name, network.fmap_max
            )
