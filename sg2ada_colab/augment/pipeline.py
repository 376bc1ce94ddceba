"""The augmentation pipeline: draws → parameters → geometry, colour, filter, noise, cutout."""

from typing import Dict, Union

from ..tf import tf
from .color import apply_color
from .config import AugmentConfig
from .corruption import apply_cutout, apply_noise
from .filter import apply_filter
from .geometry import apply_geometry
from .parameters import draw, sample_transforms

Scalar = Union[float, tf.Tensor]


def apply(images: tf.Tensor, params: Dict[str, tf.Tensor], config: AugmentConfig) -> tf.Tensor:
    """Return the images after the transforms in `params` (of `parameters.sample_transforms`), in the order of the paper."""
    images = apply_geometry(images, params)
    images = apply_color(images, params)
    images = apply_filter(images, params)
    images = apply_noise(images, params)
    return apply_cutout(images, params, config.cutout_size)


def augment(images: tf.Tensor, p: Scalar, config: AugmentConfig, seed: tf.Tensor) -> tf.Tensor:
    """Return the images augmented at strength p: every transform applied to each image with probability multiplier · p.

    Section 2.2 and Appendix B of the ADA paper (Karras et al. 2020). Differentiable to any order with respect to the images.

    Args:
        images: float32 [N, H, W, C] in [-1, 1], static shape, C = 1, 3 or 4 (RGBA, straight alpha; colours alone change colour).
        p: float32 scalar tensor or number, 0 or more.
        config: AugmentConfig, checked with `config.check_images`.
        seed: int32 [2].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    shape = images.shape.as_list()
    assert None not in shape, f"images need a static shape, not {shape}"
    with tf.name_scope("augment"):
        return apply(images, sample_transforms(draw(seed, config, shape), p, config, shape[1], shape[2]), config)
