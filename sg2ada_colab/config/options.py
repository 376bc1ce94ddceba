"""Command-line options of `train`: one field a flag, with its help; None means "not given"."""

import argparse
import re
from dataclasses import dataclass, field, fields
from typing import Any, Dict, List, Optional

from ..augment.config import PIPES
from ..networks.settings import MIN_RESOLUTION
from .presets import COMPARISON_METHODS, CONFIG_NAMES, RESUME_PRESETS

GROUPS = (
    ("general", "General", None),
    ("snapshots", "Snapshots and images", "A tick is 4 kimg: 4,000 images shown to the discriminator."),
    ("data", "Training dataset", None),
    ("metrics", "Metrics", None),
    ("base", "Base configuration", "What is not given follows --cfg; gamma is printed with the rule that it came from."),
    ("augment", "Discriminator augmentation (ADA)", None),
    ("methods", "Comparison methods of the ADA paper", None),
    ("transfer", "Starting from a trained network", None),
    ("engine", "Engine", None),
)
KIMG_PER_TICK = 4

# What an option's value must be: a test, and the words for it.
_POSITIVE = (lambda x: x > 0, "a number above 0")
_FROM_0 = (lambda x: x >= 0, "a number from 0 up")
_FROM_1 = (lambda x: x >= 1, "a whole number from 1 up")
_WHOLE_FROM_0 = (lambda x: x >= 0, "a whole number from 0 up")
_UNIT = (lambda x: 0 <= x <= 1, "a number from 0 to 1")
_UNIT_ABOVE_0 = (lambda x: 0 < x <= 1, "a number above 0, at most 1")
_EVEN = (lambda x: x >= 2 and x % 2 == 0, "an even number from 2 up")
_PERCENT = (lambda x: 0 <= x < 100, "a percentage from 0 up, below 100")
_RESOLUTION = (lambda x: x >= MIN_RESOLUTION and x & (x - 1) == 0, f"a power of two from {MIN_RESOLUTION} up")
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_FOLDER_NAME = (_NAME.fullmatch, "letters, digits and _ . + - only, as it becomes part of a folder's name")


def boolean(text: str) -> bool:
    """Return the truth value of yes/true/t/y/1 or no/false/f/n/0, in any case; for argparse."""
    if text.lower() in ("yes", "true", "t", "y", "1"):
        return True
    if text.lower() in ("no", "false", "f", "n", "0"):
        return False
    raise argparse.ArgumentTypeError("Boolean value expected.")


def name_list(text: str) -> List[str]:
    """Return the names of a comma-separated list; "none" and "" are the empty list; for argparse."""
    return [] if text.lower() in ("none", "") else text.split(",")


def switch(text: str) -> bool:
    """Return the value of a boolean flag that may also stand alone, which means true; for argparse."""
    return boolean(text)


def _flag(
    group, kind, metavar, help_text, default=None, choices=None, names=(), *, nvidia=False,
    allowed=None, setting="", usual=None, sets="", in_name=False,
):  # fmt: skip
    """Describe one flag.

    Args:
        kind: Its type.
        names: More spellings.
        allowed: What its value must be, as above; None: anything of its type.
        setting: Place in TrainConfig of the setting that is its value and nothing else, `usual` where it is not given.
        sets: Places of the other settings that it makes, where it may change when a run goes on.
        in_name: Whether it stands in the run's name.
    """
    flag = {"group": group, "kind": kind, "help": help_text, "metavar": metavar, "choices": choices, "names": names}
    flag.update(nvidia=nvidia, allowed=allowed, setting=setting, usual=usual, in_name=in_name)
    return field(default=default, metadata=dict(flag, sets=tuple(setting.split()) + tuple(sets.split())))


def _nvidia(*args, **more):
    return _flag(*args, nvidia=True, **more)


@dataclass(frozen=True)
class TrainOptions:
    """The flags of `sg2ada train`, as given: NVIDIA's by their names and meanings, and ours.

    Every field but `dry_run` and `quiet` is None when not given; `resolve.resolve` turns them into what training needs. The
    texts are the help texts of the command line; they state units and defaults.
    """

    # fmt: off
    outdir: Optional[str] = _nvidia("general", str, "DIR", "folder for runs; this one becomes a numbered folder in it (required)")
    gpus: Optional[int] = _nvidia("general", int, "N",
        "number of GPUs, which the formulas assume (default: 1). A process trains on each; where fewer are there, as many as "
        "divide the work evenly, which is the same work. sg2ada resume takes another N",
        allowed=_FROM_1, setting="schedule.num_gpus", usual=1)
    seed: Optional[int] = _nvidia("general", int, "INT", "random seed (default: 1000)",
        allowed=_WHOLE_FROM_0, setting="seed", usual=1000)
    dry_run: bool = _nvidia("general", bool, None,
        "print the options and an estimate of time, memory and disk, then stop; nothing is "
        "written", default=False, names=("-n",))
    quiet: bool = _flag("general", bool, None, "print nothing; the log file has it all", default=False)
    desc: Optional[str] = _flag("general", str, "TEXT", "text at the end of the run's name", allowed=_FOLDER_NAME)

    snap: Optional[int] = _nvidia("snapshots", int, "TICKS",
        "ticks between snapshots of images and networks (default: 50, and also every 10 minutes; given alone, by ticks "
        "only)", sets="snapshots.image_ticks snapshots.network_ticks snapshots.seconds snapshots.keep_last "
        "snapshots.keep_every_kimg", allowed=_FROM_1)
    snap_minutes: Optional[float] = _flag("snapshots", float, "MIN",
        "minutes between network snapshots, in addition to --snap; 0: by ticks only (default: 10, or 0 where --snap "
        "is given)", sets="snapshots.seconds snapshots.keep_last snapshots.keep_every_kimg", allowed=_FROM_0)
    img_snap: Optional[int] = _flag("snapshots", int, "TICKS", "ticks between image grids (default: as --snap)",
        sets="snapshots.image_ticks", allowed=_FROM_1)
    tick: Optional[float] = _flag("snapshots", float, "KIMG", "length of a tick (default: 4)",
        sets="snapshots.keep_every_kimg", allowed=_POSITIVE, setting="schedule.kimg_per_tick", usual=KIMG_PER_TICK)
    keep_last: Optional[int] = _flag("snapshots", int, "N",
        "newest network snapshots to keep; 0: all (default: 3, or all where --snap is given without "
        "--snap-minutes)", sets="snapshots.keep_last snapshots.keep_every_kimg", allowed=_FROM_0)
    keep_every_kimg: Optional[int] = _flag("snapshots", int, "KIMG",
        "also keep one snapshot every KIMG; 0: none (default: as many as --snap ticks are)",
        sets="snapshots.keep_every_kimg", allowed=_FROM_0)
    keep_best: Optional[bool] = _flag("snapshots", boolean, "BOOL",
        "also keep the best snapshot by the first metric (default: true)", setting="snapshots.keep_best", usual=True)

    data: Optional[str] = _nvidia("data", str, "DIR", "folder of the dataset's *.tfrecords (required)",
        sets="data.path metrics.data_path")
    res: Optional[int] = _nvidia("data", int, "PX",
        "resolution to train at, a power of two (default: the highest of the dataset)", allowed=_RESOLUTION)
    mirror: Optional[bool] = _nvidia("data", boolean, "BOOL", "flip training images left-right at random (default: false)",
        setting="data.mirror_x", usual=False)
    mirrory: Optional[bool] = _flag("data", boolean, "BOOL", "flip training images upside down at random (default: false)",
        setting="data.mirror_y", usual=False)
    cond: Optional[bool] = _flag("data", boolean, "BOOL", "train on labels (default: true if the dataset has any)")
    subset: Optional[int] = _flag("data", int, "N", "train on N images picked at random, always the same ones (default: all)",
        allowed=_FROM_1, setting="data.max_images", in_name=True)

    metrics: Optional[List[str]] = _nvidia("metrics", name_list, "LIST",
        "metrics to compute with the snapshots, separated by commas, or none (default: fid50k_full; without Inception's weights "
        "kid_efflite0 takes its place)", sets="metrics.names metrics.budget_percent")
    metricdata: Optional[str] = _nvidia("metrics", str, "DIR",
        "dataset to compute the metrics on (default: the training dataset)", sets="metrics.data_path")
    metrics_every: Optional[int] = _flag("metrics", int, "N",
        "compute them for every N-th of the snapshots that --snap asks for (default: 1)",
        allowed=_FROM_1, setting="metrics.every", usual=1)
    metrics_budget: Optional[float] = _flag("metrics", float, "PERCENT",
        "share of the session's time that they may take; chooses how many fakes, and the metric's name says it (fid10k_full); "
        "0: no limit (default: 5, or 0 where --metrics is given)", sets="metrics.budget_percent", allowed=_PERCENT)
    metrics_aside: Optional[bool] = _flag("metrics", switch, "BOOL",
        "compute them in a separate process while training goes on, which takes memory for both, and not between ticks "
        "(default: false)", setting="metrics.aside", usual=False)

    cfg: Optional[str] = _nvidia("base", str, None,
        "base configuration; small is ours: auto with a larger gamma up to 256x256, for small collections (default: auto)",
        choices=CONFIG_NAMES)
    gamma: Optional[float] = _nvidia("base", float, "FLOAT",
        "weight of R1 (default: by --cfg; auto: 0.0002 * resolution^2 / batch; small: eight times that up to 256x256)",
        allowed=_FROM_0)
    kimg: Optional[int] = _nvidia("base", int, "KIMG",
        "total length of the training in thousands of images (default: by --cfg, 25000 for auto)", sets="schedule.total_kimg",
        allowed=_FROM_1)
    batch: Optional[int] = _flag("base", int, "N", "images per training step (default: by --cfg)",
        allowed=_FROM_1, in_name=True)
    batch_gpu: Optional[int] = _flag("base", int, "N",
        "images that the GPU takes at once; the rest of --batch is accumulated. Lower it when memory is short (default: as "
        "many as this GPU's memory should hold; without a GPU by --cfg)",
        sets="schedule.minibatch_gpu losses.pl_minibatch_shrink D.mbstd_group_size", allowed=_FROM_1)
    lrate: Optional[float] = _flag("base", float, "FLOAT", "learning rate of G and D (default: by --cfg)",
        allowed=_POSITIVE, in_name=True)
    glr: Optional[float] = _flag("base", float, "FLOAT", "learning rate of G (default: as --lrate)",
        allowed=_POSITIVE, in_name=True)
    dlr: Optional[float] = _flag("base", float, "FLOAT", "learning rate of D (default: as --lrate)",
        allowed=_POSITIVE, in_name=True)
    map_depth: Optional[int] = _flag("base", int, "N", "layers of the mapping network (default: by --cfg)", allowed=_FROM_1)
    cbase: Optional[int] = _flag("base", int, "N", "channels times resolution, 2 * fmap_base (default: by --cfg, 16384 or 32768)",
        allowed=_EVEN)
    cmax: Optional[int] = _flag("base", int, "N", "most channels of a layer, fmap_max (default: 512)", allowed=_FROM_1)
    mbstd_group: Optional[int] = _flag("base", int, "N",
        "images per group of D's minibatch standard deviation (default: by --cfg)", allowed=_FROM_1)

    aug: Optional[str] = _nvidia("augment", str, None,
        "augmentation: none, adapted to the training or the validation set, of a fixed strength; apa: fakes are shown "
        "to D as real with the adapted probability, in place of transforms or with them (default: ada)",
        choices=("noaug", "ada", "fixed", "adarv", "apa", "ada-apa"))
    p: Optional[float] = _nvidia("augment", float, "FLOAT", "strength for --aug=fixed, 0 to 1", allowed=_UNIT)
    target: Optional[float] = _nvidia("augment", float, "FLOAT",
        "target of the adaptation, 0 to 1 (default: 0.6 for ada, 0.5 for adarv)", allowed=_UNIT)
    augpipe: Optional[str] = _nvidia("augment", str, None, "transforms (default: bgc)", choices=tuple(PIPES))
    initstrength: Optional[float] = _flag("augment", float, "FLOAT", "strength to begin the adaptation at, 0 to 1 (default: 0)",
        allowed=_UNIT)
    max_p: Optional[float] = _flag("augment", float, "FLOAT",
        "strength that the adaptation never exceeds, above 0 to 1 (default: no bound; 0.8 with apa)", allowed=_UNIT_ABOVE_0)
    lecam: Optional[float] = _flag("augment", float, "FLOAT",
        "weight of the LeCam regularisation: D's scores are held near running means of the other kind's (default: 0, off)",
        allowed=_FROM_0, setting="losses.lecam_weight", usual=0.0)

    cmethod: Optional[str] = _nvidia("methods", str, None,
        "comparison method (default: nocmethod)", choices=tuple(COMPARISON_METHODS))
    dcap: Optional[float] = _nvidia("methods", float, "FLOAT",
        "capacity of the discriminator: multiplies its channels (default: 1)", allowed=_POSITIVE)

    resume: Optional[str] = _nvidia("transfer", str, "PKL",
        "network to begin with: a .pkl file, a URL or one of {}. latest: go on with the run in --outdir that "
        "wrote the newest snapshot on this dataset, or begin one if there is none; options that are not given are the "
        "run's. noresume: begin from scratch (default)".format(", ".join(RESUME_PRESETS)))
    resume_partial: Optional[bool] = _flag("transfer", switch, "BOOL",
        "take over from --resume's network what fits, layer by layer, where resolution, colours or labels differ; the rest "
        "starts anew (default: false)", setting="start.partial", usual=False)
    freezed: Optional[int] = _nvidia("transfer", int, "N",
        "Freeze-D: number of discriminator layers to leave untrained (default: 0)",
        allowed=_FROM_0, setting="optimizer.freeze_layers", usual=0)
    start_kimg: Optional[int] = _flag("transfer", int, "KIMG",
        "count kimg from here, for a network that was trained that long already (default: 0)", names=("--nkimg",),
        allowed=_FROM_0, setting="start.kimg", usual=0)

    fp32: Optional[bool] = _flag("engine", boolean, "BOOL",
        "true: float32 everywhere; false: float16 in the highest resolutions on any device (default: float16 on GPUs, float32 "
        "on CPUs)",
        sets="engine.precision G.num_fp16_res G.conv_clamp D.num_fp16_res D.conv_clamp")
    no_xla: Optional[bool] = _flag("engine", switch, "BOOL", "do not compile with XLA (default: false)", sets="engine.xla")
    deterministic: Optional[bool] = _flag("engine", switch, "BOOL",
        "use slower operations whose results are the same in every run with the same settings, TensorFlow and kind of device, on "
        "GPUs too (default: false; TF 1.14 has none)", setting="engine.deterministic", usual=False)
    profile: Optional[bool] = _flag("engine", switch, "BOOL",
        "trace some minibatches for TensorBoard and report the slowest kernels of the GPU (default: false)",
        setting="engine.profile", usual=False)
    wandb: Optional[str] = _flag("engine", str, "PROJECT",
        "also send losses, metrics and grids to this project of Weights & Biases; needs the package wandb and `wandb login`; "
        "none: send nothing (default: none)", sets="engine.wandb")
    # fmt: on

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "TrainOptions":
        """Return the options in an argparse namespace; what it lacks is not given."""
        return cls(**{f.name: getattr(args, f.name) for f in fields(cls) if hasattr(args, f.name)})

    def given(self) -> Dict[str, Any]:
        """Return the options that were given, as a dictionary that JSON can hold."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def flag_of(name: str) -> str:
    """Return the spelling of a field on the command line, such as "--batch-gpu"."""
    return "--" + name.replace("_", "-")


def as_text(name: str, value: Any) -> str:
    """Return how to give an option on the command line, such as "--mirror=1" or "--metrics=none"."""
    if isinstance(value, (list, tuple)):
        value = ",".join(value) or "none"
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, float):
        value = f"{value:.12g}"
    return f"{flag_of(name)}={value}"
