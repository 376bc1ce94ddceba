"""The parts of a `TrainConfig`, one for each stage of a run: plain data, with what a resume may change beside each setting."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

# What a setting may do when a run goes on, as metadata of its field; a field without it is fixed.
FREE = "free"  # changes nothing in the networks
INEXACT = "inexact"  # the run goes on, but not bit for bit as it would have
FIXED = "fixed"  # would make another run of it
TOLD = "told"  # no setting: it only tells about the others

IS_FREE, IS_INEXACT, IS_TOLD = {"resume": FREE}, {"resume": INEXACT}, {"resume": TOLD}  # metadata of a field


def fixed_but(*inexact: str) -> Dict[str, Any]:
    """Return the metadata of a dictionary of settings that are fixed but for some, which are inexact."""
    return {"resume": FIXED, "inexact": inexact}


# A field that came after version 2 has a default that means "as before", so that older runs can be resumed.
# fmt: off
@dataclass(frozen=True)
class DataSettings:
    """The images that D is shown as real."""

    path: str = field(metadata=IS_FREE)            # folder of the TFRecords
    name: str = field(metadata=IS_TOLD)            # of the dataset, for the run's name
    digest: Optional[str]                          # tells datasets apart wherever they lie; None: not known
    num_images: int                                # in the dataset, before max_images
    max_images: Optional[int]                      # train on a random subset of N images; None: all
    mirror_x: bool                                 # flip left-right at random
    mirror_y: bool                                 # flip upside down at random


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam, lazy regularisation, and what is not trained."""

    G_learning_rate: float                         # before the correction for lazy regularisation
    D_learning_rate: float
    beta1: float                                   # of Adam
    beta2: float
    lazy_regularization: bool                      # False: regularisation is part of every step
    G_reg_interval: int                            # minibatches between path length steps
    D_reg_interval: int                            # minibatches between R1 steps
    freeze_layers: int                             # Freeze-D: the first N layers of D are not trained


@dataclass(frozen=True)
class LossSettings:
    """What is minimised."""

    name: str                                      # stylegan2, cmethods or wgangp: the original's function
    method: Optional[str]                          # comparison method: bcr, zcr …; None: none
    method_kwargs: dict                            # weights of its terms, by NVIDIA's names
    r1_gamma: Optional[float]                      # None: no R1
    gamma_rule: str = field(metadata=IS_TOLD)      # where r1_gamma came from, in words
    pl_weight: float                               # of path length; 0: none
    pl_minibatch_shrink: int = field(metadata=IS_INEXACT)  # path length takes minibatch_gpu over this
    lecam_weight: float                            # of the LeCam regularisation; 0: none


@dataclass(frozen=True)
class ScheduleSettings:
    """How many images, how many of them at once, and how long."""

    num_gpus: int                                  # that the formulas assumed; see runs/cluster.py
    minibatch_size: int                            # images per optimiser step
    minibatch_gpu: int = field(metadata=IS_INEXACT)  # images at once; a divisor of minibatch_size
    total_kimg: int = field(metadata=IS_FREE)      # counted from 0, also where the run starts later
    kimg_per_tick: float = field(metadata=IS_FREE)
    ema_kimg: float                                # half-life of Gs
    ema_rampup: Optional[float]                    # None: no ramp-up
    shared_rounds: bool = field(default=False, metadata=IS_INEXACT)  # all rounds of a step begin from the same running means

    @property
    def rounds(self) -> int:
        """Number of shares whose gradients make one optimiser step."""
        return self.minibatch_size // self.minibatch_gpu


@dataclass(frozen=True)
class AugmentSettings:
    """What D is shown in place of the images, and how its strength p moves."""

    heuristic: Optional[str]                       # rt, rv; None: p does not change
    target: Optional[float]                        # of the heuristic; None where there is none
    initial_p: float
    tune_kimg: float                               # kimg in which p can rise by 1
    max_p: Optional[float]                         # None: no bound
    pipe: Optional[dict]                           # transform → multiplier of p; None: images are not transformed
    pseudo: bool                                   # fakes are shown to D as real with probability p (APA)


@dataclass(frozen=True)
class SnapshotSettings:
    """What is saved, when, and what of it stays."""

    image_ticks: int = field(metadata=IS_FREE)     # ticks between grids of images
    network_ticks: int = field(metadata=IS_FREE)   # ticks between network snapshots
    seconds: Optional[float] = field(metadata=IS_FREE)  # also after N seconds; None: by ticks only
    keep_last: Optional[int] = field(metadata=IS_FREE)  # newest network snapshots to keep; None: all
    keep_every_kimg: Optional[int] = field(metadata=IS_FREE)  # also one every N kimg; None: none
    keep_best: bool = field(metadata=IS_FREE)      # also the best by the first metric


@dataclass(frozen=True)
class MetricSettings:
    """What is measured of the snapshots."""

    names: List[str] = field(metadata=IS_FREE)
    data_path: str = field(metadata=IS_FREE)       # folder of the TFRecords with the reals
    every: int = field(metadata=IS_FREE)           # measure every N-th of the snapshots that fall on a snapshot tick
    budget_percent: Optional[float] = field(metadata=IS_FREE)  # of the session for metrics; None: no limit
    aside: bool = field(metadata=IS_FREE)          # in a separate process, while training goes on


@dataclass(frozen=True)
class StartSettings:
    """What a run begins with."""

    network: Optional[str]                         # path or URL of a network pickle; None: from scratch
    partial: bool                                  # take over only the layers of it that fit
    kimg: int                                      # counters begin here


@dataclass(frozen=True)
class EngineSettings:
    """How it is computed, and who is told of it."""

    precision: str = field(metadata=IS_INEXACT)    # auto (float16 on GPUs), fp16, fp32
    xla: bool = field(metadata=IS_INEXACT)         # compile with XLA where TensorFlow can
    deterministic: bool = field(metadata=IS_INEXACT)  # operations whose results are the same in every run
    profile: bool = field(metadata=IS_FREE)        # trace some minibatches, report the slowest kernels
    wandb: Optional[str] = field(metadata=IS_FREE)  # project of Weights & Biases to send to; None: none
# fmt: on
