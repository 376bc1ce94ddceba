"""From options and a dataset to a `TrainConfig`: choose every setting, check them all, and start nothing."""

from dataclasses import fields, replace
from typing import List, NamedTuple, Optional

from ..augment.adapt import DEFAULT_TARGETS
from ..augment.config import DEFAULT_PIPE, PIPES
from ..errors import UserError
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..shape import NetworkShape, size_text
from .metric_names import DEFAULT_METRIC
from .options import KIMG_PER_TICK, TrainOptions
from .presets import (
    BASE_CONFIGS,
    COMPARISON_METHODS,
    GAMMA_RULE,
    PSEUDO_AUGMENTS,
    PSEUDO_MAX_P,
    RESUME_PRESETS,
    SHALLOW_MAPPING_LAYERS,
    BaseConfig,
    auto_minibatch_per_gpu,
    formula_config,
    gamma_factor,
    is_formula,
)
from .refusals import contradictions, data_refusals, metric_refusals, minibatch_refusals, range_refusals, together
from .run_name import describe_run
from .settings import (
    AugmentSettings,
    DataSettings,
    EngineSettings,
    LossSettings,
    MetricSettings,
    OptimizerSettings,
    ScheduleSettings,
    SnapshotSettings,
    StartSettings,
)
from .train_config import DatasetInfo, TrainConfig

ADA_KIMG, ADA_KIMG_TRANSFER = 500, 100  # kimg in which p can rise by 1, from scratch and from a trained network
HEURISTICS = {"ada": "rt", "adarv": "rv", "apa": "rt", "ada-apa": "rt"}
SNAPSHOT_TICKS, SNAPSHOT_MINUTES, KEEP_LAST = 50, 10, 3
METRICS_BUDGET = 5.0  # percent of the session
NUM_FP16_RES, CONV_CLAMP = 4, 256  # of mixed precision


class Minibatch(NamedTuple):
    """How many images make a step, how many go at once, how many share one minibatch standard deviation."""

    minibatch_size: int
    minibatch_gpu: int
    mbstd_group_size: int


def base_config(options: TrainOptions, resolution: int) -> BaseConfig:
    """Return the `BaseConfig` row that the options and the resolution (px) select."""
    if options.cfg is None or is_formula(options.cfg):
        return formula_config(options.cfg, resolution, options.gpus or 1, options.batch)
    return BASE_CONFIGS[options.cfg]


def choose_minibatch(options: TrainOptions, base: BaseConfig, resolution: int) -> Minibatch:
    """Return the `Minibatch`: the base configuration's, or what --batch, --batch-gpu and --mbstd-group make of it."""
    gpus, minibatch_size = options.gpus or 1, options.batch or base.minibatch
    minibatch_gpu = base.minibatch // base.ref_gpus
    if is_formula(options.cfg) and options.batch:
        minibatch_gpu = auto_minibatch_per_gpu(resolution)
    if options.batch:
        minibatch_gpu = _largest_divisor(max(minibatch_size // gpus, 1), minibatch_gpu)
    minibatch_gpu = options.batch_gpu or minibatch_gpu
    group = options.mbstd_group or base.mbstd
    if not options.mbstd_group and minibatch_gpu % min(group, minibatch_gpu):
        group = _largest_divisor(minibatch_gpu, group)
    return Minibatch(minibatch_size, minibatch_gpu, group)


def _largest_divisor(number, at_most):
    return max(n for n in range(1, min(number, max(at_most, 1)) + 1) if number % n == 0)


def option_refusals(options: TrainOptions) -> List[UserError]:
    """Return a UserError for everything that is wrong with the options by themselves."""
    problems = range_refusals(options) + metric_refusals(options.metrics)
    return problems or contradictions(options)


def resolve(options: TrainOptions, data: DatasetInfo, metric_data: Optional[DatasetInfo] = None) -> TrainConfig:
    """Check the options against each other and the data and return the `TrainConfig`; imports no TensorFlow.

    Args:
        options: `TrainOptions`.
        data: `DatasetInfo` of --data.
        metric_data: `DatasetInfo` of --metricdata; None where that is not given.

    Raises:
        UserError: Something is out of range, contradictory or does not fit the data; all of it in one error.
    """
    _refuse_any(option_refusals(options))
    _refuse_any(data_refusals(options, data))
    shape = NetworkShape(options.res or data.resolution, data.init_res)
    side = shape.resolution * shape.channel_factor  # of the square of the nearest area, whose settings are taken
    base = base_config(options, side)
    minibatch = choose_minibatch(options, base, side)
    _refuse_any(
        minibatch_refusals(*minibatch, options.gpus or 1)
        + _length_refusals(options, base)
        + _metric_data_refusals(shape, metric_data)
        + _alpha_refusals(data, metric_data)
    )
    networks = _networks(options, data, shape, base, minibatch)
    _refuse_any(_width_refusals(networks[1]))
    config = TrainConfig(
        run_description=describe_run(options, data.name),
        options={name: value for name, value in options.given().items() if name not in ("dry_run", "quiet")},
        data=_data_settings(options, data),
        G=networks[0],
        D=networks[1],
        optimizer=_optimizer_settings(options, base),
        losses=_loss_settings(options, base, minibatch, side),
        schedule=_schedule_settings(options, base, minibatch),
        augment=_augment_settings(options),
        snapshots=_snapshot_settings(options),
        metrics=_metric_settings(options, metric_data or data),
        start=StartSettings(network=_resume_source(options), **_plain(options, "start")),
        engine=_engine_settings(options),
        **_plain(options, ""),
    )
    return replace(config, notes=list(_notes(config, data, metric_data)))


def _refuse_any(problems):
    """Raise all of the UserErrors as one, if there are any."""
    if problems:
        raise together(problems)


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
            f"--start-kimg={start} leaves nothing of the {total} kimg to train.",
            "A total length (--kimg) above the start.",
            "Raise --kimg, which counts from 0, or lower --start-kimg.",
        )
    ]


def _alpha_refusals(data, metric_data):
    if metric_data is None or (data.channels == 4) == (metric_data.channels == 4):
        return []
    has, how = ("has no transparency", "with") if data.channels == 4 else ("has transparency", "without")
    return [
        UserError(
            f"The metrics' dataset {has}, unlike the dataset that is trained on.",
            "Datasets of the same channels.",
            f"Leave --metricdata out, or prepare those images {how} `--alpha keep`.",
        )
    ]


def _metric_data_refusals(shape, metric_data):
    if metric_data is None or tuple(metric_data.init_res) == shape.init_res:
        return []
    other = NetworkShape(metric_data.resolution, tuple(metric_data.init_res))
    return [
        UserError(
            f"The metrics' dataset has images of {size_text(other.height, other.width)} pixels, of another shape than "
            f"the {shape.width}x{shape.height} (width x height) of the networks.",
            "A dataset of the same shape.",
            "Leave --metricdata out, or prepare those images in the same size.",
        )
    ]


def _width_refusals(discriminator_kwargs):
    if min(discriminator_kwargs["fmap_base"], discriminator_kwargs["fmap_max"]) >= 1:
        return []
    return [
        UserError(
            "--dcap leaves the discriminator without channels.",
            "A capacity of at least one channel in each layer.",
            "Raise --dcap, --cbase or --cmax.",
        )
    ]


def _networks(options, data, shape, base, minibatch):
    """Return the static_kwargs of G and of D, keys in the order in which NVIDIA writes them."""
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    mixed = not (options.fp32 or method.float32)
    images = {
        "num_channels": data.channels,
        "resolution": shape.resolution,
        "label_size": 0 if options.cond is False else data.label_size,
    }
    fmap_base = options.cbase // 2 if options.cbase else int(base.fmaps * 16384)
    fmap_base = max(fmap_base // shape.channel_factor, 1)
    fmap_max = options.cmax or 512
    capacity = options.dcap or 1
    precision = {"num_fp16_res": NUM_FP16_RES if mixed else 0, "conv_clamp": CONV_CLAMP if mixed else None}
    layers = SHALLOW_MAPPING_LAYERS if options.cmethod == "shallowmap" else options.map_depth or base.mapping_layers
    generator = dict(images, fmap_base=fmap_base, fmap_max=fmap_max, mapping_layers=layers, **precision)
    discriminator = dict(
        images,
        mbstd_group_size=minibatch.mbstd_group_size,
        fmap_base=int(fmap_base * capacity),
        fmap_max=int(fmap_max * capacity),
        **precision,
    )
    if shape.init_res != (4, 4):
        generator["init_res"], discriminator["init_res"] = list(shape.init_res), list(shape.init_res)
    if options.cfg == "cifar":
        generator["style_mixing_prob"] = None
        discriminator["architecture"] = "orig"
    discriminator.update(method.D_kwargs)
    if options.freezed:
        discriminator["freeze_layers"] = options.freezed
    return generator, discriminator


def _plain(options, part):
    """Return the settings of a part of TrainConfig ("": of none) that are an option's value and nothing else."""
    found = {}
    for option in fields(TrainOptions):
        place, _, name = option.metadata["setting"].rpartition(".")
        if name and place == part:
            value, usual = getattr(options, option.name), option.metadata["usual"]
            value = usual if value is None else value
            found[name] = bool(value) if isinstance(usual, bool) else value
    return found


def _data_settings(options, data):
    return DataSettings(
        path=data.path,
        name=data.name,
        digest=data.digest,
        num_images=data.num_images,
        **_plain(options, "data"),
    )


def _metric_settings(options, data):
    return MetricSettings(
        names=[DEFAULT_METRIC] if options.metrics is None else list(options.metrics),
        data_path=data.path,
        budget_percent=_metrics_budget(options) or None,
        **_plain(options, "metrics"),
    )


def _metrics_budget(options):
    """Return the percentage of the session that metrics may take, 0: no limit; what is asked for by name is taken at its word."""
    if options.metrics_budget is None:
        return METRICS_BUDGET if options.metrics is None else 0
    return options.metrics_budget


def _loss_settings(options, base, minibatch, side):
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    wgangp = method.loss == "wgangp"
    cfg = options.cfg or "auto"
    gamma, rule = base.gamma, f"--cfg={cfg}"
    if is_formula(cfg):
        words = GAMMA_RULE.format(factor=gamma_factor(cfg, side), resolution=side, minibatch=minibatch.minibatch_size)
        rule = f"{rule}: {words}"
    if options.gamma is not None:
        gamma, rule = options.gamma, "--gamma"
    if wgangp:
        gamma, rule = None, "--cmethod=wgangp has no R1 penalty"
    return LossSettings(
        name=method.loss,
        method=None if options.cmethod == "nocmethod" else options.cmethod,
        method_kwargs=dict(method.loss_kwargs),
        r1_gamma=gamma,
        gamma_rule=rule,
        pl_weight=0 if wgangp or options.cfg == "cifar" else 2,
        pl_minibatch_shrink=1 if minibatch.minibatch_gpu == 1 else 2,  # half of one image would be none
        **_plain(options, "losses"),
    )


def _optimizer_settings(options, base):
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    learning_rate = options.lrate or method.learning_rate or base.learning_rate
    return OptimizerSettings(
        G_learning_rate=options.glr or learning_rate,
        D_learning_rate=options.dlr or learning_rate,
        beta1=0.0,
        beta2=0.99,
        lazy_regularization=method.loss != "wgangp",
        G_reg_interval=4,
        D_reg_interval=16,
        **_plain(options, "optimizer"),
    )


def _schedule_settings(options, base, minibatch):
    return ScheduleSettings(
        minibatch_size=minibatch.minibatch_size,
        minibatch_gpu=minibatch.minibatch_gpu,
        total_kimg=options.kimg or base.kimg,
        ema_kimg=base.ema_kimg,
        ema_rampup=None if _resume_source(options) else base.ema_rampup,
        **_plain(options, "schedule"),
    )


def _engine_settings(options):
    return EngineSettings(
        precision={None: "auto", True: "fp32", False: "fp16"}[options.fp32],
        xla=not options.no_xla,
        wandb=None if options.wandb in (None, "", "none") else options.wandb,
        **_plain(options, "engine"),
    )


def _augment_settings(options):
    aug = options.aug or "ada"
    method = COMPARISON_METHODS[options.cmethod or "nocmethod"]
    heuristic = HEURISTICS.get(aug, None if method.adapt_target is None else "rt")
    target = options.target if method.adapt_target is None else method.adapt_target
    target = DEFAULT_TARGETS.get(heuristic or "") if target is None else target
    pseudo = aug in PSEUDO_AUGMENTS
    pipe = None if aug in ("noaug", "apa") else dict.fromkeys(PIPES[options.augpipe or DEFAULT_PIPE], 1)
    return AugmentSettings(
        heuristic=heuristic,
        target=target,
        initial_p=options.p if aug == "fixed" else options.initstrength or 0.0,
        tune_kimg=ADA_KIMG_TRANSFER if _resume_source(options) else ADA_KIMG,
        max_p=PSEUDO_MAX_P if pseudo and options.max_p is None else options.max_p,
        pipe=pipe,
        pseudo=pseudo,
        **_plain(options, "augment"),
    )


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
    return SnapshotSettings(
        image_ticks=options.img_snap or ticks,
        network_ticks=ticks,
        seconds=minutes * 60 or None,
        keep_last=keep_last or None,
        keep_every_kimg=every or None,
        **_plain(options, "snapshots"),
    )


def _size_at(resolution, config):
    shape = NetworkShape(resolution, config.shape.init_res)
    return size_text(shape.height, shape.width)


def _notes(config, data, metric_data):
    """Yield sentences on what is allowed but may surprise."""
    G, D = GeneratorConfig.from_kwargs(config.G), DiscriminatorConfig.from_kwargs(config.D)
    if metric_data and metric_data.resolution < config.resolution:
        yield (
            f"The metrics' dataset has images of {_size_at(metric_data.resolution, config)} pixels and the networks make "
            f"{_size_at(config.resolution, config)}: metrics that need it will fail."
        )
    if data.is_flattened:
        yield (
            f"The images of {data.path} have transparency, which is put on white. To train on it: "
            f"sg2ada prepare {data.path} FOLDER --alpha keep."
        )
    if config.shape.height != config.shape.width and (config.augment.pipe or {}).get("rotate90"):
        yield (
            f"Images of {_size_at(config.resolution, config)} pixels (width x height) are no squares: where the augmentation "
            "turns squares by quarters, it turns these upside down."
        )
    for name, network in (("generator", G), ("discriminator", D)):
        if network.fmap_base < 2 * network.fmap_max:
            yield (
                f"The {name} has fewer than {network.fmap_max} channels at 4x4, so NVIDIA's PyTorch "
                "programs cannot open its snapshots."
            )
