"""The geometric part: each image's inverse transform, and its execution in one resampling."""

import math
from typing import Dict, Union

import numpy as np

from ..tf import tf
from .fusion_barrier import fusion_barrier
from .resample import resample

Scalar = Union[float, tf.Tensor]


GEOMETRY_PARAMETERS = ("xflip", "rotate90", "xint", "scale", "rotate_pre", "aniso", "rotate_post", "xfrac")


TRANSPARENT = np.array([0, 0, 0, -1], np.float32)  # a pixel of which nothing is seen


class Affine:
    """A batch of maps (x, y) -> (a x + b y + tx, c x + d y + ty), each coefficient a tensor [N].

    Plain scalars instead of [N, 3, 3] matrices: XLA fuses all of it into one kernel and needs no matrix library.
    """

    def __init__(self, count: int) -> None:
        one, zero = tf.ones([count]), tf.zeros([count])
        self.a, self.b, self.c, self.d, self.tx, self.ty = one, zero, zero, one, zero, zero

    def linear(self, a: Scalar, b: Scalar, c: Scalar, d: Scalar) -> None:
        """Apply the linear map [[a, b], [c, d]] before this one (multiply from the right)."""
        self.a, self.b = self.a * a + self.b * c, self.a * b + self.b * d
        self.c, self.d = self.c * a + self.d * c, self.c * b + self.d * d

    def translate(self, x: Scalar, y: Scalar) -> None:
        """Apply a translation before this one (multiply from the right)."""
        self.tx, self.ty = self.tx + self.a * x + self.b * y, self.ty + self.c * x + self.d * y

    def rotate(self, cos: tf.Tensor, sin: tf.Tensor) -> None:
        """Apply a rotation before this one (multiply from the right)."""
        self.linear(cos, -sin, sin, cos)

    def moves(self) -> tf.Tensor:
        """Return whether any of the maps is not the identity (bool tensor)."""
        identity = ((self.a, 1.0), (self.b, 0.0), (self.c, 0.0), (self.d, 1.0), (self.tx, 0.0), (self.ty, 0.0))
        return tf.reduce_any(tf.stack([tf.not_equal(value, neutral) for value, neutral in identity]))

    def behind_barrier(self) -> "Affine":
        """Return this map behind a fusion barrier: its coefficients are computed once per image, not at every pixel."""
        rows = fusion_barrier(tf.stack([self.a, self.b, self.c, self.d, self.tx, self.ty], axis=1))
        self.a, self.b, self.c, self.d, self.tx, self.ty = tf.unstack(rows, axis=1)
        return self


def inverse_transform(parameters: Dict[str, tf.Tensor], count: int) -> Affine:
    """Return the `Affine` that maps output to input pixel positions, both relative to the image's centre.

    Args:
        parameters: Result of `parameters.sample_transforms`; absent transforms are neutral.
        count: Number of images N.
    """
    inverse = Affine(count)
    get = parameters.__getitem__
    if "xflip" in parameters:
        inverse.linear(1 - 2 * get("xflip"), 0.0, 0.0, 1.0)
    if "rotate90" in parameters:
        turn = get("rotate90") * (math.pi / 2)
        inverse.rotate(tf.round(tf.cos(turn)), tf.round(tf.sin(turn)))  # exact, so that pixels stay on the grid
    if "xint" in parameters:
        inverse.translate(-get("xint")[:, 0], -get("xint")[:, 1])
    if "scale" in parameters:
        inverse.linear(1 / get("scale"), 0.0, 0.0, 1 / get("scale"))
    if "rotate_pre" in parameters:
        inverse.rotate(tf.cos(get("rotate_pre")), tf.sin(get("rotate_pre")))
    if "aniso" in parameters:
        inverse.linear(1 / get("aniso"), 0.0, 0.0, get("aniso"))
    if "rotate_post" in parameters:
        inverse.rotate(tf.cos(get("rotate_post")), tf.sin(get("rotate_post")))
    if "xfrac" in parameters:
        inverse.translate(-get("xfrac")[:, 0], -get("xfrac")[:, 1])
    return inverse.behind_barrier()


def apply_geometry(images: tf.Tensor, parameters: Dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the images after xflip, rotate90, xint, scale, rotate, aniso, rotate and xfrac, as one resampling.

    Beyond an image lies its reflection, and beyond that nothing: colours are 0 there, and alpha is -1, transparent. All channels
    are moved alike, straight colours beside alpha, as a network makes them.

    Args:
        images: float32 [N, H, W, C], static shape; the fourth of four channels is alpha.
        parameters: Result of `parameters.sample_transforms`.
    """
    if not any(name in parameters for name in GEOMETRY_PARAMETERS):
        return images
    inverse = inverse_transform(parameters, images.shape[0])
    if images.shape[3] != 4:
        return resample(images, inverse)
    return resample(images - TRANSPARENT, inverse) + TRANSPARENT  # what is nothing to the resampling is transparent
