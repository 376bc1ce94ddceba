"""What G and D consist of: their configuration and the name, shape and initial value of every variable.

Names, shapes and order are the contract of the TensorFlow network pickle; nothing here imports TensorFlow.
"""

import dataclasses
import math
from collections import OrderedDict
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..seeds import random_state

ARCHITECTURES = ("orig", "skip", "resnet")
PAGAN_BITS = 16  # of progressive augmentation
# Accepted in a pickle's kwargs because other programs write them; they do not change the network.
IGNORED_KWARGS = frozenset(
    [
        "structure",
        "conditioning",
        "truncation_psi",
        "truncation_cutoff",
        "fused_modconv",
        "mapping_nonlinearity",
        "nonlinearity",
        "use_noise",
        "randomize_noise",
        "dtype",
        "mapping_dtype",
        "label_fmaps",
        "normalize_latents",
        "freeze_layers",
    ]
)


class Spec(NamedTuple):
    """One variable: `initial` is a standard deviation for N(0, s²) draws, or 0.0 for zeros."""

    name: str
    shape: Tuple[int, ...]
    initial: float
    trainable: bool = True


class _Config:
    """What the two configurations share: channels by resolution and the passage to and from pickle kwargs."""

    def nf(self, stage):
        """Return the channels of a stage; the layers at resolution r = 2^k use stage k - 1: min(2·fmap_base/r, fmap_max)."""
        return int(np.clip(int(self.fmap_base / 2.0**stage), 1, self.fmap_max))

    def channels(self, resolution):
        return self.nf(int(math.log2(resolution)) - 1)

    @property
    def resolution_log2(self):
        return int(math.log2(self.resolution))

    def check(self):
        """Raise UserError where a field cannot be built."""
        if self.resolution < 8 or 2**self.resolution_log2 != self.resolution:
            raise UserError(
                "The resolution is {}.".format(self.resolution),
                "a power of two from 8 to 1024",
                "prepare the dataset at such a size",
            )
        if self.architecture not in ARCHITECTURES:
            raise UserError(
                "The architecture is {!r}.".format(self.architecture),
                "one of " + ", ".join(ARCHITECTURES),
                "correct the configuration",
            )

    @classmethod
    def from_kwargs(cls, kwargs):
        """Build from a pickle's static_kwargs; unknown keys that would change the network raise UserError."""
        fields = {f.name for f in dataclasses.fields(cls)}
        strange = [k for k in kwargs if k not in fields and k not in IGNORED_KWARGS]
        if strange:
            raise UserError(
                "The network has settings that are not known here: {}.".format(", ".join(sorted(strange))),
                "a StyleGAN2 or StyleGAN2-ADA network",
                "use a snapshot of one of those trainers",
            )
        config = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items() if k in fields})
        config.check()
        return config

    def to_kwargs(self):
        """Return the static_kwargs for a pickle: the fields that NVIDIA's readers know, defaults left out where readers agree."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        kwargs = OrderedDict()
        for name in self.ALWAYS_WRITTEN + self.WRITTEN_IF_SET:
            value = getattr(self, name)
            if name in self.ALWAYS_WRITTEN or value != defaults[name]:
                kwargs[name] = list(value) if isinstance(value, tuple) else value
        return dict(kwargs)


@dataclasses.dataclass(frozen=True)
class GeneratorConfig(_Config):
    """The generator's architecture (StyleGAN2 section 2 and appendix B); field names are those of the pickle."""

    resolution: int = 1024  # px, power of two
    num_channels: int = 3  # 1 grey, 3 RGB
    label_size: int = 0  # 0: unconditional
    latent_size: int = 512  # length of z
    dlatent_size: int = 512  # length of w
    mapping_layers: int = 8
    mapping_fmaps: Optional[int] = None  # width of the hidden mapping layers; None: dlatent_size
    mapping_lrmul: float = 0.01  # learning-rate multiplier of the mapping
    fmap_base: int = 16384
    fmap_max: int = 512
    num_fp16_res: int = 0  # how many of the highest resolutions run in float16 where the device gains from it
    conv_clamp: Optional[float] = None  # None: activations are not clamped
    architecture: str = "skip"
    style_mixing_prob: Optional[float] = 0.9  # None: no style mixing
    w_avg_beta: Optional[float] = 0.995  # decay of the running average of w
    resample_kernel: Optional[Tuple[int, ...]] = (1, 3, 3, 1)

    ALWAYS_WRITTEN = (
        "num_channels",
        "resolution",
        "label_size",
        "fmap_base",
        "fmap_max",
        "mapping_layers",
        "num_fp16_res",
        "conv_clamp",
    )
    WRITTEN_IF_SET = (
        "latent_size",
        "dlatent_size",
        "mapping_fmaps",
        "mapping_lrmul",
        "architecture",
        "style_mixing_prob",
        "w_avg_beta",
        "resample_kernel",
    )

    @property
    def num_layers(self):
        """Number of w vectors that one image takes."""
        return 2 * self.resolution_log2 - 2

    def fp16_at(self, resolution, num_fp16_res):
        """Whether layers at this resolution run in float16 when the `num_fp16_res` highest resolutions do; 4x4 never does."""
        return resolution > 4 and math.log2(resolution) > self.resolution_log2 - num_fp16_res


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig(_Config):
    """The discriminator's architecture; field names are those of the pickle."""

    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0
    mbstd_group_size: Optional[int] = None  # images per group of the minibatch statistics; None: the whole batch
    mbstd_num_features: int = 1
    fmap_base: int = 16384
    fmap_max: int = 512
    num_fp16_res: int = 0
    conv_clamp: Optional[float] = None
    architecture: str = "resnet"
    mapping_layers: int = 0  # Dense layers on the label embedding; conditional PyTorch networks have 8
    mapping_fmaps: Optional[int] = None  # None: nf(0)
    mapping_lrmul: float = 0.1
    score_max: int = 1  # outputs of an unconditional D; 5 for rotation prediction
    use_pagan: bool = False  # a weight of progressive augmentation's bits, [16, channels], beside FromRGB
    use_spectral_norm: bool = False  # a state of the power iteration, [1, outputs], for every 3x3 weight
    adaptive_dropout: float = 0  # strength per p of multiplicative noise; adds no variable
    resample_kernel: Optional[Tuple[int, ...]] = (1, 3, 3, 1)

    ALWAYS_WRITTEN = (
        "num_channels",
        "resolution",
        "label_size",
        "mbstd_group_size",
        "fmap_base",
        "fmap_max",
        "num_fp16_res",
        "conv_clamp",
    )
    WRITTEN_IF_SET = (
        "architecture",
        "mbstd_num_features",
        "mapping_layers",
        "mapping_fmaps",
        "mapping_lrmul",
        "score_max",
        "use_pagan",
        "use_spectral_norm",
        "adaptive_dropout",
        "resample_kernel",
    )

    fp16_at = GeneratorConfig.fp16_at

    @property
    def label_width(self):
        return self.mapping_fmaps or self.nf(0)


def _dense(name, fan_in, fan_out, lrmul=1.0, trainable=True):
    return [Spec(name + "/weight", (fan_in, fan_out), 1.0 / lrmul, trainable), Spec(name + "/bias", (fan_out,), 0.0, trainable)]


def _conv(name, kernel, fan_in, fan_out, spectral_norm=False):
    state = [Spec(name + "/weight_sn", (1, fan_out), 1.0, trainable=False)] if spectral_norm and kernel == 3 else []
    return [Spec(name + "/weight", (kernel, kernel, fan_in, fan_out), 1.0), *state, Spec(name + "/bias", (fan_out,), 0.0)]


def mapping_specs(config):
    """Return the variables of the mapping network, with the prefix `mapping/`."""
    specs, width = [], config.latent_size
    if config.label_size:
        specs += _dense("mapping/LabelEmbed", config.label_size, config.latent_size)
        width += config.latent_size
    for layer in range(config.mapping_layers):
        out = config.dlatent_size if layer == config.mapping_layers - 1 else config.mapping_fmaps or config.dlatent_size
        specs += _dense("mapping/Dense{}".format(layer), width, out, config.mapping_lrmul)
        width = out
    return specs


def synthesis_specs(config):
    """Return the variables of the synthesis network, with the prefix `synthesis/`."""

    def modulated(name, kernel, fan_in, fan_out, noise=True):
        return (
            [
                Spec(name + "/weight", (kernel, kernel, fan_in, fan_out), 1.0),
                Spec(name + "/mod_weight", (config.dlatent_size, fan_in), 1.0),
                Spec(name + "/mod_bias", (fan_in,), 0.0),
            ]
            + ([Spec(name + "/noise_strength", (), 0.0)] if noise else [])
            + [Spec(name + "/bias", (fan_out,), 0.0)]
        )

    def to_rgb(resolution):
        return modulated("{0}x{0}/ToRGB".format(resolution), 1, config.channels(resolution), config.num_channels, noise=False)

    specs = []
    for index in range(config.num_layers - 1):
        side = 2 ** ((index + 5) // 2)
        specs.append(Spec("noise{}".format(index), (1, 1, side, side), 1.0, trainable=False))
    specs.append(Spec("4x4/Const/const", (1, config.channels(4), 4, 4), 1.0))
    specs += modulated("4x4/Conv", 3, config.channels(4), config.channels(4))
    if config.architecture == "skip":
        specs += to_rgb(4)
    for log2 in range(3, config.resolution_log2 + 1):
        resolution, below, here = 2**log2, config.channels(2 ** (log2 - 1)), config.channels(2**log2)
        specs += modulated("{0}x{0}/Conv0_up".format(resolution), 3, below, here)
        specs += modulated("{0}x{0}/Conv1".format(resolution), 3, here, here)
        if config.architecture == "resnet":
            specs.append(Spec("{0}x{0}/Skip/weight".format(resolution), (1, 1, below, here), 1.0))
        if config.architecture == "skip" or resolution == config.resolution:
            specs += to_rgb(resolution)
    return [spec._replace(name="synthesis/" + spec.name) for spec in specs]


def generator_specs(config):
    """Return every variable of G, in the pickle's order: G's own, synthesis, mapping."""
    return [Spec("dlatent_avg", (config.dlatent_size,), 0.0, trainable=False)] + synthesis_specs(config) + mapping_specs(config)


def discriminator_specs(config, freeze_layers=0):
    """Return every variable of D in the pickle's order.

    Args:
        config: DiscriminatorConfig.
        freeze_layers: Freeze-D: that many layers, counted from the image side (FromRGB, Conv0, Conv1_down, Skip, …,
            4x4 Conv, Dense0), are not trained. Output and label layers always are.
    """
    specs, layers = [], [0]

    def layer(new):
        frozen = layers[0] < freeze_layers
        layers[0] += 1
        specs.extend(spec._replace(trainable=spec.trainable and not frozen) for spec in new)

    if config.label_size:
        specs += _dense("LabelEmbed", config.label_size, config.label_width)
        for index in range(config.mapping_layers):
            specs += _dense("Mapping{}".format(index), config.label_width, config.label_width, config.mapping_lrmul)
    for log2 in range(config.resolution_log2, 1, -1):
        resolution, here = 2**log2, config.channels(2**log2)
        if config.architecture == "skip" or resolution == config.resolution:
            from_rgb = "{0}x{0}/FromRGB".format(resolution)
            bits = [Spec(from_rgb + "/PAGAN/weight", (PAGAN_BITS, here), 1.0)] if config.use_pagan else []
            layer(_conv(from_rgb, 1, config.num_channels, here) + bits)
        if resolution > 4:
            below = config.channels(resolution // 2)
            layer(_conv("{0}x{0}/Conv0".format(resolution), 3, here, here, config.use_spectral_norm))
            layer(_conv("{0}x{0}/Conv1_down".format(resolution), 3, here, below, config.use_spectral_norm))
            if config.architecture == "resnet":
                layer([Spec("{0}x{0}/Skip/weight".format(resolution), (1, 1, here, below), 1.0)])
    inputs = config.channels(4) + config.mbstd_num_features
    layer(_conv("4x4/Conv", 3, inputs, config.channels(4), config.use_spectral_norm))
    layer(_dense("4x4/Dense0", 16 * config.channels(4), config.nf(0)))
    return specs + _dense("Output", config.nf(0), config.label_width if config.label_size else config.score_max)


def initial_values(specs, run_seed, network):
    """Return an ordered dict name → float32 array of fresh values; each is a function of (run seed, network, name) alone."""
    values = OrderedDict()
    for spec in specs:
        draws = (
            random_state(run_seed, "initial/{}/{}".format(network, spec.name), 0).standard_normal(spec.shape)
            if spec.initial
            else 0.0
        )
        values[spec.name] = np.broadcast_to(np.float32(spec.initial * draws), spec.shape).astype(np.float32)
    return values


def parameter_count(specs):
    """Return the number of trained parameters."""
    return int(sum(np.prod(spec.shape) for spec in specs if spec.trainable))
