"""The augmentation pipeline: draws → parameters → geometry, colour, filter, noise, cutout."""

from ..tf import tf
from .color import apply_color
from .corruption import apply_cutout, apply_noise
from .filter import apply_filter
from .geometry import apply_geometry
from .parameters import draw, parameters


def apply(images, params, config):
    """Return the images after the transforms that `params` (of `parameters.parameters`) describes, in the paper's order."""
    images = apply_geometry(images, params)
    images = apply_color(images, params)
    images = apply_filter(images, params)
    images = apply_noise(images, params)
    return apply_cutout(images, params, config.cutout_size)


def augment(images, p, config, seed):
    """Return the images augmented at strength p: every transform applied to each image with probability multiplier · p.

    Section 2.2 and Appendix B of the ADA paper (Karras et al. 2020). Differentiable to any order with respect to the images.

    Args:
        images: float32 [N, R, R, C] in [-1, 1], static shape, C = 1 or 3.
        p: float32 scalar tensor or number, 0 or more.
        config: AugmentConfig, checked with `config.check_images`.
        seed: int32 [2].

    Returns:
        float32 [N, R, R, C], not clipped.
    """
    shape = images.shape.as_list()
    assert None not in shape and shape[1] == shape[2], "images need a static square shape, not {}".format(shape)
    with tf.name_scope("augment"):
        return apply(images, parameters(draw(seed, config, shape), p, config, shape[1]), config)
