"""What a person may ask of `train`: one field a flag, with its help; None means "not given"."""

import argparse
from dataclasses import dataclass, field, fields
from typing import List, Optional

from ..augment.config import PIPES
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


def boolean(text):
    """Return the truth value of yes/true/t/y/1 or no/false/f/n/0, in any case; for argparse."""
    if text.lower() in ("yes", "true", "t", "y", "1"):
        return True
    if text.lower() in ("no", "false", "f", "n", "0"):
        return False
    raise argparse.ArgumentTypeError("Boolean value expected.")


def name_list(text):
    """Return the names of a comma-separated list; "none" and "" are the empty list; for argparse."""
    return [] if text.lower() in ("none", "") else text.split(",")


def switch(text):
    """Return the value of a boolean flag that may also stand alone, which means true; for argparse."""
    return boolean(text)


def _flag(group, kind, metavar, help_text, default=None, choices=None, names=(), nvidia=False, resumable=False):
    """Describe one flag; `kind` is its type, `names` more spellings, `resumable` that it may change when a run goes on."""
    flag = {"group": group, "kind": kind, "help": help_text, "metavar": metavar, "choices": choices, "names": names}
    return field(default=default, metadata=dict(flag, nvidia=nvidia, resumable=resumable))


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
        "number of GPUs that the formulas assume, a power of two (default: 1). Training runs on one device and accumulates "
        "the gradients that N GPUs would have computed")
    seed: Optional[int] = _nvidia("general", int, "INT", "random seed (default: 1000)")
    dry_run: bool = _nvidia("general", bool, None,
        "print the options and an estimate of time, memory and disk, then stop; nothing is "
        "written", default=False, names=("-n",))
    quiet: bool = _flag("general", bool, None, "print nothing; the log file has it all", default=False)
    desc: Optional[str] = _flag("general", str, "TEXT", "text at the end of the run's name")

    snap: Optional[int] = _nvidia("snapshots", int, "TICKS",
        "ticks between snapshots of images and networks (default: 50, and every 10 minutes besides; given alone, by ticks "
        "only)", resumable=True)
    snap_minutes: Optional[float] = _flag("snapshots", float, "MIN",
        "minutes between network snapshots, besides --snap; 0: by ticks only (default: 10, or 0 where --snap "
        "is given)", resumable=True)
    img_snap: Optional[int] = _flag("snapshots", int, "TICKS", "ticks between image grids (default: as --snap)", resumable=True)
    tick: Optional[float] = _flag("snapshots", float, "KIMG", "length of a tick (default: 4)", resumable=True)
    keep_last: Optional[int] = _flag("snapshots", int, "N",
        "newest network snapshots to keep; 0: all (default: 3, or all where --snap is given without "
        "--snap-minutes)", resumable=True)
    keep_every_kimg: Optional[int] = _flag("snapshots", int, "KIMG",
        "besides, keep one snapshot of every so many kimg; 0: none (default: as many as --snap ticks are)", resumable=True)
    keep_best: Optional[bool] = _flag("snapshots", boolean, "BOOL",
        "besides, keep the best snapshot by the first metric (default: true)", resumable=True)

    data: Optional[str] = _nvidia("data", str, "DIR", "folder of the dataset's *.tfrecords (required)", resumable=True)
    res: Optional[int] = _nvidia("data", int, "PX",
        "resolution to train at, a power of two (default: the highest of the dataset)")
    mirror: Optional[bool] = _nvidia("data", boolean, "BOOL", "flip training images left-right at random (default: false)")
    mirrory: Optional[bool] = _flag("data", boolean, "BOOL", "flip training images upside down at random (default: false)")
    cond: Optional[bool] = _flag("data", boolean, "BOOL", "train on labels (default: true if the dataset has any)")
    subset: Optional[int] = _flag("data", int, "N", "train on N images picked at random, always the same ones (default: all)")

    metrics: Optional[List[str]] = _nvidia("metrics", name_list, "LIST",
        "metrics to compute with the snapshots, separated by commas, or none (default: fid50k_full; without Inception's weights "
        "kid_efflite0 takes its place)", resumable=True)
    metricdata: Optional[str] = _nvidia("metrics", str, "DIR",
        "dataset to compute the metrics on (default: the training dataset)", resumable=True)
    metrics_every: Optional[int] = _flag("metrics", int, "N",
        "compute them for every N-th of the snapshots that --snap asks for (default: 1)", resumable=True)
    metrics_budget: Optional[float] = _flag("metrics", float, "PERCENT",
        "share of the session's time that they may take; chooses how many fakes, and the metric's name says it (fid10k_full); "
        "0: no limit (default: 5, or 0 where --metrics is given)", resumable=True)
    metrics_aside: Optional[bool] = _flag("metrics", switch, "BOOL",
        "compute them in a process of their own while training goes on, which takes memory for both, and not between ticks "
        "(default: false)", resumable=True)

    cfg: Optional[str] = _nvidia("base", str, None, "base configuration (default: auto)", choices=CONFIG_NAMES)
    gamma: Optional[float] = _nvidia("base", float, "FLOAT",
        "weight of the R1 penalty (default: by --cfg; auto: 0.0002 * resolution^2 / batch)")
    kimg: Optional[int] = _nvidia("base", int, "KIMG",
        "total length of the training in thousands of images (default: by --cfg, 25000 for auto)", resumable=True)
    batch: Optional[int] = _flag("base", int, "N", "images per training step (default: by --cfg)")
    batch_gpu: Optional[int] = _flag("base", int, "N",
        "images that the GPU takes at once; the rest of --batch is accumulated. Lower it when memory is short (default: as "
        "many as this GPU's memory should hold; without a GPU by --cfg)", resumable=True)
    lrate: Optional[float] = _flag("base", float, "FLOAT", "learning rate of G and D (default: by --cfg)")
    glr: Optional[float] = _flag("base", float, "FLOAT", "learning rate of G (default: as --lrate)")
    dlr: Optional[float] = _flag("base", float, "FLOAT", "learning rate of D (default: as --lrate)")
    map_depth: Optional[int] = _flag("base", int, "N", "layers of the mapping network (default: by --cfg)")
    cbase: Optional[int] = _flag("base", int, "N", "channels times resolution, 2 * fmap_base (default: by --cfg, 16384 or 32768)")
    cmax: Optional[int] = _flag("base", int, "N", "most channels of a layer, fmap_max (default: 512)")
    mbstd_group: Optional[int] = _flag("base", int, "N",
        "images per group of D's minibatch standard deviation (default: by --cfg)")

    aug: Optional[str] = _nvidia("augment", str, None,
        "augmentation: none, adapted to the training or the validation set, or "
        "of a fixed strength (default: ada)", choices=("noaug", "ada", "fixed", "adarv"))
    p: Optional[float] = _nvidia("augment", float, "FLOAT", "strength for --aug=fixed, 0 to 1")
    target: Optional[float] = _nvidia("augment", float, "FLOAT",
        "target of the adaptation, 0 to 1 (default: 0.6 for ada, 0.5 for adarv)")
    augpipe: Optional[str] = _nvidia("augment", str, None, "transforms (default: bgc)", choices=tuple(PIPES))
    initstrength: Optional[float] = _flag("augment", float, "FLOAT", "strength to begin the adaptation at, 0 to 1 (default: 0)")
    max_p: Optional[float] = _flag("augment", float, "FLOAT",
        "strength that the adaptation never exceeds, above 0 to 1 (default: no bound)")

    cmethod: Optional[str] = _nvidia("methods", str, None,
        "comparison method (default: nocmethod)", choices=tuple(COMPARISON_METHODS))
    dcap: Optional[float] = _nvidia("methods", float, "FLOAT",
        "capacity of the discriminator: multiplies its channels (default: 1)")

    resume: Optional[str] = _nvidia("transfer", str, "PKL",
        "network to begin with: a .pkl file, a URL or one of {}. latest: go on with the newest run in "
        "--outdir, or begin one if there is none; options that are not given are the run's. noresume: begin "
        "from scratch (default)".format(", ".join(RESUME_PRESETS)))
    resume_partial: Optional[bool] = _flag("transfer", switch, "BOOL",
        "take over from --resume's network what fits, layer by layer, where resolution, colours or labels differ; the rest "
        "starts anew (default: false)")
    freezed: Optional[int] = _nvidia("transfer", int, "N",
        "Freeze-D: number of discriminator layers to leave untrained (default: 0)")
    start_kimg: Optional[int] = _flag("transfer", int, "KIMG",
        "count kimg from here, for a network that was trained that long already (default: 0)", names=("--nkimg",))

    fp32: Optional[bool] = _flag("engine", boolean, "BOOL",
        "true: float32 everywhere; false: float16 in the highest resolutions on any device (default: float16 on GPUs, float32 "
        "on CPUs)", resumable=True)
    no_xla: Optional[bool] = _flag("engine", switch, "BOOL", "do not compile with XLA (default: false)", resumable=True)
    deterministic: Optional[bool] = _flag("engine", switch, "BOOL",
        "use slower operations whose results are the same in every run with the same settings, TensorFlow and kind of device, on "
        "GPUs too (default: false; TF 1.14 has none)", resumable=True)
    profile: Optional[bool] = _flag("engine", switch, "BOOL",
        "trace some minibatches for TensorBoard and tell the costliest kernels of the GPU (default: false)", resumable=True)
    # fmt: on

    @classmethod
    def from_args(cls, args):
        """Return the options in an argparse namespace; what it lacks is not given."""
        return cls(**{f.name: getattr(args, f.name) for f in fields(cls) if hasattr(args, f.name)})

    def given(self):
        """Return the options that were given, as a dictionary that JSON can hold."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def flag_of(name):
    """Return the spelling of a field on the command line, such as "--batch-gpu"."""
    return "--" + name.replace("_", "-")


def as_text(name, value):
    """Return how to give an option on the command line, such as "--mirror=1" or "--metrics=none"."""
    if isinstance(value, (list, tuple)):
        value = ",".join(value) or "none"
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, float):
        value = "{:.12g}".format(value)
    return "{}={}".format(flag_of(name), value)
