"""The tables behind `--cfg`, `--cmethod` and `--resume`: NVIDIA's base configurations, comparison methods and pickles."""

from typing import Dict, NamedTuple, Optional


class BaseConfig(NamedTuple):
    """One row of the configuration table."""

    ref_gpus: int  # number of GPUs that the minibatch is meant for; fewer ones accumulate gradients
    kimg: int  # training length
    minibatch: int  # images per optimiser step, over all GPUs
    mbstd: int  # images per group of the minibatch standard deviation
    fmaps: float  # channels, relative to fmap_base 16384
    learning_rate: float  # of G and of D
    gamma: float  # weight of R1
    ema_kimg: float  # half-life of the average that is Gs
    ema_rampup: Optional[float]  # the half-life is at most this share of the training so far; None: full at once
    mapping_layers: int


# fmt: off
BASE_CONFIGS = {  # "auto" and "small" are formulas, see `formula_config`
    #                            gpus kimg    mb  mbstd fmaps  lrate   gamma ema  rampup mapping
    "stylegan2":     BaseConfig( 8,   25000,  32, 4,    1,     0.002,  10,   10,  None,  8),
    "paper256":      BaseConfig( 8,   25000,  64, 8,    0.5,   0.0025, 1,    20,  None,  8),
    "paper512":      BaseConfig( 8,   25000,  64, 8,    1,     0.0025, 0.5,  20,  None,  8),
    "paper1024":     BaseConfig( 8,   25000,  32, 4,    1,     0.002,  2,    10,  None,  8),
    "cifar":         BaseConfig( 2,   100000, 64, 32,   0.5,   0.0025, 0.01, 500, 0.05,  2),
    "cifarbaseline": BaseConfig( 2,   100000, 64, 32,   0.5,   0.0025, 0.01, 500, 0.05,  8),
}
# fmt: on
# "small" is ours, for small collections: NVIDIA's rule gives R1 so little weight that fakes stay alike (benchmarks/LEARNING.md).
GAMMA_FACTORS = {"auto": 0.0002, "small": 0.0016}
MEASURED_PX = 256  # the largest images that "small" was tried with: above, where the rule gives much more, it is "auto"
CONFIG_NAMES = tuple(GAMMA_FACTORS) + tuple(BASE_CONFIGS)
GAMMA_RULE = "{factor} * {resolution}^2 / {minibatch}"


def auto_minibatch_per_gpu(resolution: int) -> int:
    """Return how many images of this size one GPU takes at once by NVIDIA's rule: 32, less from 256x256 on, at least 1."""
    return max(min(4096 // resolution, 32), 1)


def is_formula(cfg: Optional[str]) -> bool:
    """Return whether the value of `--cfg`, None where it was not given, is a formula and no row of the table."""
    return (cfg or "auto") in GAMMA_FACTORS


def gamma_factor(cfg: Optional[str], resolution: int) -> float:
    """Return what `--cfg=auto` (or None) and `--cfg=small` multiply by resolution² / minibatch for gamma."""
    return GAMMA_FACTORS["auto" if resolution > MEASURED_PX else cfg or "auto"]


def formula_config(cfg: Optional[str], resolution: int, gpus: int, minibatch: Optional[int] = None) -> BaseConfig:
    """Return the `BaseConfig` of `--cfg=auto`, NVIDIA's, or `--cfg=small`, which differs in gamma up to 256×256.

    Args:
        cfg: Key of `GAMMA_FACTORS`; None is "auto".
        resolution: Pixels per side.
        gpus: Number of GPUs that the formulas assume.
        minibatch: Images per step where the user chose them (`--batch`); None lets the rule choose.
    """
    minibatch = minibatch or max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    return BaseConfig(
        ref_gpus=gpus,
        kimg=25000,
        minibatch=minibatch,
        mbstd=max(min(minibatch // gpus, 4), 1),
        fmaps=1 if resolution >= 512 else 0.5,
        learning_rate=0.002 if resolution >= 1024 else 0.0025,
        gamma=gamma_factor(cfg, resolution) * resolution**2 / minibatch,
        ema_kimg=minibatch * 10 / 32,
        ema_rampup=0.05,
        mapping_layers=2,
    )


class ComparisonMethod(NamedTuple):
    """What a comparison method of the ADA paper changes."""

    loss: str = "stylegan2"
    loss_kwargs: Dict = {}  # in NVIDIA's names
    D_kwargs: Dict = {}
    needs_noaug: bool = False  # takes the place of augmentation
    adapt_target: Optional[float] = None  # its strength is adapted as that of the augmentation is, to this target
    float32: bool = False
    learning_rate: Optional[float] = None  # None: the base configuration's


# fmt: off
_BCR = {"bcr_real_weight": 10, "bcr_fake_weight": 10,
        "bcr_augment": {"func_name": "training.augment.augment_pipeline", "xint": 1, "xint_max": 1 / 32}}
_ZCR = {"zcr_gen_weight": 0.02, "zcr_dis_weight": 0.2}
_AUXROT = {"auxrot_alpha": 10, "auxrot_beta": 5}
COMPARISON_METHODS = {
    "nocmethod":    ComparisonMethod(),
    "bcr":          ComparisonMethod("cmethods", _BCR),
    "zcr":          ComparisonMethod("cmethods", _ZCR, float32=True),
    "pagan":        ComparisonMethod(D_kwargs={"use_pagan": True}, needs_noaug=True, adapt_target=0.95),
    "wgangp":       ComparisonMethod("wgangp", needs_noaug=True, float32=True, learning_rate=0.001),
    "auxrot":       ComparisonMethod("cmethods", _AUXROT, D_kwargs={"score_max": 5}),
    "spectralnorm": ComparisonMethod(D_kwargs={"use_spectral_norm": True}),
    "shallowmap":   ComparisonMethod(),  # a mapping network of two layers
    "adropout":     ComparisonMethod(D_kwargs={"adaptive_dropout": 1}, needs_noaug=True, adapt_target=0.6),
}
# fmt: on
SHALLOW_MAPPING_LAYERS = 2

ADAPTIVE_AUGMENTS = ("ada", "adarv", "apa", "ada-apa")  # of --aug: a controller moves p
PSEUDO_AUGMENTS = ("apa", "ada-apa")  # fakes are shown to D as real
PSEUDO_MAX_P = 0.8  # of these: at 1, D would be shown no real image at all

_TRANSFER_URL = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada/pretrained/transfer-learning-source-nets/"
RESUME_PRESETS = {
    "ffhq256": _TRANSFER_URL + "ffhq-res256-mirror-paper256-noaug.pkl",
    "ffhq512": _TRANSFER_URL + "ffhq-res512-mirror-stylegan2-noaug.pkl",
    "ffhq1024": _TRANSFER_URL + "ffhq-res1024-mirror-stylegan2-noaug.pkl",
    "celebahq256": _TRANSFER_URL + "celebahq-res256-mirror-paper256-kimg100000-ada-target0.5.pkl",
    "lsundog256": _TRANSFER_URL + "lsundog-res256-paper256-kimg100000-noaug.pkl",
}
