"""What a training run is: checked settings in plain data, saved with the run and read back when it goes on."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from typing import List, Optional

from ..dataset.reading import open_dataset, record_files
from ..errors import UserError
from ..networks.variables import GeneratorConfig

VERSION = 1  # of the saved form


@dataclass(frozen=True)
class DatasetInfo:
    """What the options are checked against."""

    path: str
    name: str  # the folder's own name, for the run's name
    resolution: int  # of its largest level, px
    channels: int  # 1 or 3
    label_size: int  # 0: no labels
    num_images: int
    has_validation: bool = False
    digest: Optional[str] = None  # tells datasets apart wherever they lie; None: not known

    @classmethod
    def open(cls, path):
        """Return what there is to know about the dataset in the folder `path`; raises UserError for what is no dataset."""
        dataset = open_dataset(path)
        has_validation = os.path.isdir(path) and bool(record_files(path, validation=True))
        shape = (dataset.resolution, dataset.channels, dataset.label_size, dataset.num_images)
        return cls(path, dataset.name, *shape, has_validation=has_validation, digest=dataset.digest())


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, in plain data that JSON holds exactly."""

    # fmt: off
    run_description: str                    # the run's folder is this after its number
    options: dict                           # the options that were given, by name; a resume starts from them

    data_path: str                          # folder of the TFRecords
    data_name: str
    data_digest: Optional[str]              # tells datasets apart wherever they lie
    data_num_images: int                    # in the dataset, before max_images
    max_images: Optional[int]               # train on a random subset of so many; None: all
    mirror_x: bool                          # flip left-right at random
    mirror_y: bool                          # flip upside down at random
    metric_data_path: str
    metrics: List[str]                      # names

    generator_kwargs: dict                  # static_kwargs of G, as in a network pickle
    discriminator_kwargs: dict              # static_kwargs of D
    freeze_layers: int                      # Freeze-D: so many of D's layers are not trained
    comparison_method: Optional[str]        # bcr, zcr …; None: none

    G_learning_rate: float                  # before the correction for lazy regularisation
    D_learning_rate: float
    beta1: float                            # of Adam
    beta2: float
    lazy_regularization: bool               # False: regularisation is part of every step
    G_reg_interval: int                     # minibatches between path length steps
    D_reg_interval: int                     # minibatches between R1 steps

    loss: str                               # stylegan2, cmethods or wgangp
    loss_kwargs: dict                       # of the comparison method
    r1_gamma: Optional[float]               # None: no R1
    gamma_rule: str                         # where r1_gamma came from, in words
    pl_weight: float                        # of path length; 0: none
    pl_minibatch_shrink: int                # path length takes minibatch_gpu over this

    num_gpus: int                           # that the formulas assumed; training runs on one device
    minibatch_size: int                     # images per optimiser step
    minibatch_gpu: int                      # images at once; a divisor of minibatch_size
    total_kimg: int
    start_kimg: int                         # counters begin here
    kimg_per_tick: float
    ema_kimg: float                         # half-life of Gs
    ema_rampup: Optional[float]             # None: no ramp-up

    aug_heuristic: Optional[str]            # rt, rv; None: p does not change
    aug_target: Optional[float]
    aug_initial_p: float
    aug_tune_kimg: float                    # kimg in which p can rise by 1
    aug_max_p: Optional[float]              # None: no bound
    aug_pipe: Optional[dict]                # transform → multiplier of p; None: images are not augmented

    image_snapshot_ticks: int
    network_snapshot_ticks: int
    snapshot_seconds: Optional[float]       # besides, after so many seconds; None: by ticks only
    keep_last: Optional[int]                # newest network snapshots to keep; None: all
    keep_every_kimg: Optional[int]          # besides, one of every so many kimg; None: none
    keep_best: bool                         # besides, the best by the first metric
    metrics_every: int                      # measure every so many of the snapshots that fall on a snapshot tick
    metrics_budget: Optional[float]         # percent of the session that metrics may take; None: as long as they take
    metrics_aside: bool                     # in a process of their own, while training goes on

    resume_pkl: Optional[str]               # network to begin with, path or URL; None: from scratch
    resume_partial: bool                    # take over only the layers of it that fit
    seed: int
    precision: str                          # auto (float16 on GPUs), fp16, fp32
    xla: bool                               # compile with XLA where TensorFlow can
    deterministic: bool                     # operations whose results are the same in every run

    notes: List[str] = field(default_factory=list)  # what the user should know before it starts
    version: int = VERSION
    profile: bool = False                   # trace some minibatches and tell the costliest kernels
    # fmt: on

    @property
    def resolution(self):
        return self.generator_kwargs["resolution"]

    @property
    def channels(self):
        return self.generator_kwargs["num_channels"]

    @property
    def label_size(self):
        return self.generator_kwargs["label_size"]

    @property
    def mapping_layers(self):
        return self.generator_kwargs["mapping_layers"]

    @property
    def style_mixing_prob(self):
        """Probability of style mixing; None is no mixing."""
        return GeneratorConfig.from_kwargs(self.generator_kwargs).style_mixing_prob

    @property
    def rounds(self):
        """Number of shares whose gradients make one optimiser step."""
        return self.minibatch_size // self.minibatch_gpu

    def to_dict(self):
        return asdict(self)

    def to_json(self):
        """Return the config as text; `from_json` gives back an equal one."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, saved):
        """Build from `to_dict`'s result.

        Raises:
            UserError: It was saved by another version, or fields are missing or strange.
        """
        names = {f.name for f in fields(cls)}
        if saved.get("version") != VERSION or set(saved) != names:
            strange = sorted(set(saved) ^ names) or ["version {}".format(saved.get("version"))]
            raise UserError(
                "The saved training options are not of this version: {}.".format(", ".join(strange)),
                "Options of version {}.".format(VERSION),
                "Go on with the sg2ada that began the run, or begin a new run with --resume=<its newest .pkl>.",
            )
        return cls(**saved)

    @classmethod
    def from_json(cls, text):
        """Build from `to_json`'s result; raises UserError as `from_dict` does."""
        return cls.from_dict(json.loads(text))
