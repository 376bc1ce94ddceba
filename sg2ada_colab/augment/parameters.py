"""The random part of the pipeline: raw draws, and the gated parameters of every image made from them."""

import math
from typing import Dict, Sequence, Union

import numpy as np

from ..draws import normal, uniform
from ..tf import tf
from .config import AugmentConfig

Scalar = Union[float, tf.Tensor]


# Columns of the two arrays of draws. They are the same for every pipe, so that a transform's draws do not depend on the others.
_GATES = (
    "xflip rotate90 xint scale rotate_pre aniso rotate_post xfrac brightness contrast lumaflip hue saturation "
    "imgfilter0 imgfilter1 imgfilter2 imgfilter3 noise cutout"
).split()
_UNIFORM = "xflip rotate90 xint/2 rotate_pre rotate_post lumaflip hue cutout/2".split()
_NORMAL = "scale aniso xfrac/2 brightness contrast saturation imgfilter0 imgfilter1 imgfilter2 imgfilter3 noise".split()


def _columns(names, array, suffix):
    """Cut an array [N, K] into {name + suffix: [N], or [N, 2] for a name that ends in "/2"}."""
    columns, start = {}, 0
    for name in names:
        name, _, width = name.partition("/")
        if width:
            columns[name + suffix] = array[:, start : start + 2]
        else:
            columns[name + suffix] = array[:, start]
        start += 2 if width else 1
    return columns


def _width(names):
    return sum(2 if name.endswith("/2") else 1 for name in names)


def draw(seed: tf.Tensor, config: AugmentConfig, shape: Sequence[int]) -> Dict[str, tf.Tensor]:
    """Return the raw draws for a batch: "NAME.gate" in U[0,1), "NAME.value" in U[0,1) or N(0,1), "noise.field" in N(0,1).

    Args:
        seed: int32 [2].
        config: AugmentConfig.
        shape: (N, H, W, C) of the images, Python integers.

    Returns:
        Dictionary of float32 tensors: [N]; [N, 2] in the order x, y for xint, xfrac and cutout; [N, H, W, C] for the field.
    """
    count = shape[0]
    draws = _columns(_GATES, uniform(seed, "augment/gates", [count, len(_GATES)]), ".gate")
    draws.update(_columns(_UNIFORM, uniform(seed, "augment/uniform", [count, _width(_UNIFORM)]), ".value"))
    draws.update(_columns(_NORMAL, normal(seed, "augment/normal", [count, _width(_NORMAL)]), ".value"))
    if config.has("noise"):
        draws["noise.field"] = normal(seed, "augment/noise", shape)
    return draws


def _gated(draws, name, probability, value, neutral):
    """Return `value` where the gate is open and the neutral value elsewhere; one gate for all elements of a row."""
    gate = draws[name + ".gate"] < probability
    if len(value.shape) == 2:
        gate = gate[:, tf.newaxis]
    return tf.where(gate, value, tf.fill(tf.shape(value), tf.cast(neutral, value.dtype)))


def _half_turns(draws, name, limit):
    """Return an angle in U(-limit, limit) half turns, in radians."""
    return (draws[name + ".value"] * 2 - 1) * (math.pi * limit)


def sample_transforms(
    draws: Dict[str, tf.Tensor], p: Scalar, config: AugmentConfig, height: int, width: int
) -> Dict[str, tf.Tensor]:
    """Return what each image of the batch undergoes at strength p; a closed gate gives the neutral value.

    Section 2.2 and Appendix B of the ADA paper (Karras et al. 2020).

    Args:
        draws: Result of `draw`.
        p: float32 scalar tensor or number, 0 or more; from 1 on every gate with multiplier 1 is open.
        config: AugmentConfig. Transforms with multiplier 0 have no entry in the result.
        height, width: Of the images, px.

    Returns:
        Dictionary of float32 tensors [N]: xflip (0, 1), rotate90 (0...3; 0 or 2 of rectangles), scale, aniso, contrast,
        saturation (factors), rotate_pre, rotate_post, hue (radians), brightness, lumaflip (0, 1), noise (standard deviation);
        [N, 2]: xint and xfrac (pixels to the right and down), cutout (centre in widths and heights; far outside where the gate is
        shut); [N, 4]:
        imgfilter (a factor for each band); and the noise field [N, H, W, C].
    """
    return _Sampler(draws, p, config).sample(height, width)


class _Sampler:
    """Makes gated parameters of the draws for one batch, and collects those of the transforms that the pipe has."""

    def __init__(self, draws: Dict[str, tf.Tensor], p: Scalar, config: AugmentConfig) -> None:
        self.draws, self.p, self.config = draws, p, config
        self.made: Dict[str, tf.Tensor] = {}

    def sample(self, height, width):
        self.add_geometry(height, width)
        self.add_colour()
        self.add_corruption()
        return self.made

    def add(self, name, value, neutral):
        multiplier = getattr(self.config, name)
        if multiplier > 0:
            self.made[name] = _gated(self.draws, name, multiplier * self.p, value, neutral)

    def factor(self, name, std):
        return 2.0 ** (self.draws[name + ".value"] * std)

    def add_geometry(self, height, width):
        """Add pixel blitting and the general geometric transformations."""
        draws, config = self.draws, self.config
        sides = height if height == width else np.array([width, height], np.float32)  # what shifts x, y are shares of
        self.add("xflip", tf.floor(draws["xflip.value"] * 2), 0)
        # A rectangle that is turned by 90 degrees does not fill its frame, so that it is turned by 180 degrees or not at all.
        quarters = tf.floor(draws["rotate90.value"] * 4)
        self.add("rotate90", quarters if height == width else 2 * tf.floor(quarters / 2), 0)
        self.add("xint", tf.round((draws["xint.value"] * 2 - 1) * config.xint_max * sides), 0)
        self.add("scale", self.factor("scale", config.scale_std), 1)
        self.add("aniso", self.factor("aniso", config.aniso_std), 1)
        self.add("xfrac", draws["xfrac.value"] * (config.xfrac_std * sides), 0)
        if config.rotate > 0:
            # Two rotations, of which each opens so often that at least one of them does with probability p.
            once = 1 - tf.sqrt(tf.maximum(1 - config.rotate * tf.convert_to_tensor(self.p, tf.float32), 0))
            for name in ("rotate_pre", "rotate_post"):
                self.made[name] = _gated(draws, name, once, _half_turns(draws, name, config.rotate_max), 0)

    def add_colour(self):
        """Add the transformations of colours."""
        draws, config = self.draws, self.config
        self.add("brightness", draws["brightness.value"] * config.brightness_std, 0)
        self.add("contrast", self.factor("contrast", config.contrast_std), 1)
        self.add("lumaflip", tf.floor(draws["lumaflip.value"] * 2), 0)
        self.add("hue", _half_turns(draws, "hue", config.hue_max), 0)
        self.add("saturation", self.factor("saturation", config.saturation_std), 1)

    def add_corruption(self):
        """Add filtering by bands, noise and cutout."""
        draws, config = self.draws, self.config
        if config.imgfilter > 0:
            bands = [f"imgfilter{band}" for band in range(4)]
            gains = [_gated(draws, b, config.imgfilter * self.p, self.factor(b, config.imgfilter_std), 1) for b in bands]
            self.made["imgfilter"] = tf.stack(gains, axis=1)
        self.add("noise", tf.abs(draws["noise.value"]) * config.noise_std, 0)
        if config.noise > 0:
            self.made["noise_field"] = draws["noise.field"]
        self.add("cutout", draws["cutout.value"], -10)
