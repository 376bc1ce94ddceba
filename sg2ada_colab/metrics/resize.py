"""Antialiased resizing as two small matrix products, the same on every TensorFlow version."""

from typing import Any

import numpy as np

from ..shape import Size, sides_of
from ..tf import tf


def triangle_weights(size_in: int, size_out: int) -> np.ndarray:
    """Return the float32 [size_out, size_in] matrix of an antialiased linear resize along one axis.

    The filter is Pillow's BILINEAR: a triangle around the output pixel's centre, as wide as one output pixel where the image
    shrinks and as one input pixel where it grows; weights over the edge are dropped and the rest sums to 1.
    """
    scale = size_in / size_out
    support = max(scale, 1.0)
    centres = (np.arange(size_out) + 0.5) * scale
    distance = np.abs((np.arange(size_in) + 0.5)[None, :] - centres[:, None]) / support
    weights = np.maximum(1.0 - distance, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resize_antialiased(images: Any, size: Size) -> Any:
    """Return float32 [N, size, size, C] from images [N, H, W, C] of static H, W and C; no rounding in between.

    Args:
        size: The side of a square, or (height, width), px.
    """
    (height, width, channels), wanted = (int(side) for side in images.shape[1:]), sides_of(size)
    rows = tf.constant(triangle_weights(height, wanted[0]).T)
    columns = tf.constant(triangle_weights(width, wanted[1]).T)
    images = tf.tensordot(tf.cast(images, tf.float32), rows, [[1], [0]])  # [N, W, C, rows]
    images = tf.tensordot(images, columns, [[1], [0]])  # [N, C, rows, columns]
    return tf.transpose(tf.reshape(images, [-1, channels, *wanted]), [0, 2, 3, 1])
