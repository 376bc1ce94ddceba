"""The settings of G and D: the fields, what cannot be built, and the passage to and from a pickle's static_kwargs.

Nothing here imports TensorFlow.
"""

import dataclasses
import math
from collections import OrderedDict
from typing import Any, ClassVar, Dict, List, Optional, Tuple, Type, TypeVar

import numpy as np

from ..errors import UserError
from .settings import BOX_KERNEL, MIN_RESOLUTION, read_settings

ARCHITECTURES = ("orig", "skip", "resnet")
SQUARE = (4, 4)  # px


AnyConfig = TypeVar("AnyConfig", bound="_Config")


class _Config:
    """What the two configurations share: the sizes and channels of blocks, and the passage to and from pickle kwargs."""

    resolution: int
    init_res: Tuple[int, int]
    fmap_base: int
    fmap_max: int
    architecture: str
    ALWAYS_WRITTEN: ClassVar[Tuple[str, ...]]
    WRITTEN_IF_SET: ClassVar[Tuple[str, ...]]

    def nf(self, stage: int) -> int:
        """Return the channels of a stage; the layers at resolution r = 2^k use stage k - 1: min(2·fmap_base/r, fmap_max)."""
        return int(np.clip(int(self.fmap_base / 2.0**stage), 1, self.fmap_max))

    def channels(self, block: int) -> int:
        """Return the channels of the layers in a block."""
        return self.nf(int(math.log2(block)) - 1)

    @property
    def resolution_log2(self) -> int:
        return int(math.log2(self.resolution))

    def blocks(self) -> List[int]:
        """Return the blocks by their nominal resolutions, powers of two from 4 up."""
        return [2**log2 for log2 in range(2, self.resolution_log2 + 1)]

    def block_size(self, block: int) -> Tuple[int, int]:
        """Return the height and width in pixels of what a block works on."""
        return block * self.init_res[0] // 4, block * self.init_res[1] // 4

    @property
    def height(self) -> int:
        """Height of the images, px."""
        return self.block_size(self.resolution)[0]

    @property
    def width(self) -> int:
        """Width of the images, px."""
        return self.block_size(self.resolution)[1]

    @property
    def is_square(self) -> bool:
        """Whether the networks begin at 4x4 pixels, as those of NVIDIA's programs do."""
        return self.init_res == SQUARE

    def fp16_at(self, block: int, num_fp16_res: int) -> bool:
        """Return whether a block's layers run in float16 where the `num_fp16_res` highest ones do; 4x4 never does."""
        return block > 4 and math.log2(block) > self.resolution_log2 - num_fp16_res

    def check(self) -> None:
        """Raise UserError where a field cannot be built."""
        if self.resolution < MIN_RESOLUTION or 2**self.resolution_log2 != self.resolution:
            raise UserError(
                f"The resolution is {self.resolution}.",
                f"a power of two, {MIN_RESOLUTION} or more",
                "prepare the dataset at such a size",
            )
        if self.architecture not in ARCHITECTURES:
            raise UserError(
                f"The architecture is {self.architecture!r}.",
                "one of " + ", ".join(ARCHITECTURES),
                "correct the configuration",
            )

    @classmethod
    def from_kwargs(cls: Type[AnyConfig], kwargs: Dict[str, Any]) -> AnyConfig:
        """Build from a pickle's static_kwargs; raises UnsupportedNetwork for what `settings` does not accept."""
        config = cls(**read_settings(kwargs, cls is GeneratorConfig))
        config.check()
        return config

    def to_kwargs(self) -> Dict[str, Any]:
        """Return the static_kwargs for a pickle: the fields that NVIDIA's readers know, defaults left out where readers agree."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        kwargs = OrderedDict()
        for name in self.ALWAYS_WRITTEN + self.WRITTEN_IF_SET:
            value = getattr(self, name)
            if name == "resample_kernel" and value is None:
                value = BOX_KERNEL
            if name in self.ALWAYS_WRITTEN or value != defaults[name]:
                kwargs[name] = list(value) if isinstance(value, tuple) else value
        return dict(kwargs)


@dataclasses.dataclass(frozen=True)
class GeneratorConfig(_Config):
    """The generator's architecture (StyleGAN2 section 2 and appendix B); field names are those of the pickle."""

    resolution: int = 1024  # nominal, a power of two: the side of a square in px
    num_channels: int = 3  # 1 grey, 3 RGB, 4 RGBA
    label_size: int = 0  # 0: unconditional
    latent_size: int = 512  # length of z
    dlatent_size: int = 512  # length of w
    label_fmaps: Optional[int] = None  # width of the labels' embedding; None: latent_size
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
    init_res: Tuple[int, int] = SQUARE  # height and width of what synthesis begins with, px; see `shape.py`

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
        "label_fmaps",
        "mapping_fmaps",
        "mapping_lrmul",
        "architecture",
        "style_mixing_prob",
        "w_avg_beta",
        "resample_kernel",
        "init_res",
    )

    @property
    def num_layers(self) -> int:
        """Number of w vectors that one image takes."""
        return 2 * self.resolution_log2 - 2


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
    init_res: Tuple[int, int] = SQUARE  # height and width of what synthesis begins with, px; see `shape.py`

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
        "init_res",
    )

    def check(self) -> None:
        """Raise UserError where a field cannot be built, or the features of the minibatch statistics divide no channels."""
        super().check()
        features, channels = self.mbstd_num_features, self.channels(4)
        if features and channels % features:
            raise UserError(
                f"{features} features of the minibatch statistics (mbstd_num_features) do not divide {channels} channels.",
                "a number of features that divides the channels",
                "correct the configuration",
            )

    @property
    def label_width(self) -> int:
        """Length of the embedding that the score is projected on."""
        return self.mapping_fmaps or self.nf(0)
