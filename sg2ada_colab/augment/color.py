"""The colour part: brightness, contrast, lumaflip, hue and saturation as one affine map of the colours; alpha is none."""

from typing import Dict, Tuple

import numpy as np

from ..tf import tf
from .fusion_barrier import fusion_barrier

COLOR_PARAMETERS = ("brightness", "contrast", "lumaflip", "hue", "saturation")
_AXIS = np.full([3], 3**-0.5, np.float32)  # the grey axis, along which luma is measured
_ALONG = np.outer(_AXIS, _AXIS)
_ACROSS = np.eye(3, dtype=np.float32) - _ALONG
# Cross product with the grey axis: turns a colour a quarter about it.
_TURN = np.float32(3**-0.5) * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32)


def color_transform(parameters: Dict[str, tf.Tensor], count: int, channels: int) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return the affine map of the colours: matrices [N, 3, 3] and offsets [N, 3].

    Args:
        parameters: Result of `parameters.sample_transforms`; absent transforms are neutral.
        count: Number of images N.
        channels: 1 leaves out hue and saturation, which grey images do not have.
    """
    matrix = tf.eye(3, batch_shape=[count])
    offset = tf.zeros([count, 3])

    def each(name):
        return parameters[name][:, tf.newaxis, tf.newaxis]

    if "brightness" in parameters:
        offset += parameters["brightness"][:, tf.newaxis]
    if "contrast" in parameters:
        matrix, offset = matrix * each("contrast"), offset * parameters["contrast"][:, tf.newaxis]

    steps = []
    if "lumaflip" in parameters:
        steps.append(_ACROSS + _ALONG * (1 - 2 * each("lumaflip")))
    if "hue" in parameters and channels > 1:
        steps.append(_ALONG + _ACROSS * tf.cos(each("hue")) + _TURN * tf.sin(each("hue")))
    if "saturation" in parameters and channels > 1:
        steps.append(_ALONG + _ACROSS * each("saturation"))
    for step in steps:
        # Sums of products, not matmul: exact in float32 where a GPU's matrix units would round, and fused by XLA.
        matrix = tf.reduce_sum(step[:, :, :, tf.newaxis] * matrix[:, tf.newaxis, :, :], axis=2)
        offset = tf.reduce_sum(step * offset[:, tf.newaxis, :], axis=2)
    flat = fusion_barrier(tf.concat([tf.reshape(matrix, [count, 9]), offset], axis=1))
    return tf.reshape(flat[:, :9], [count, 3, 3]), flat[:, 9:]


def apply_color(images: tf.Tensor, parameters: Dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the images with each one's colours transformed; not clipped.

    Args:
        images: float32 [N, H, W, C] around [-1, 1], C = 1, 3 or 4; the fourth, alpha, stays as it is.
        parameters: Result of `parameters.sample_transforms`.
    """
    if not any(name in parameters for name in COLOR_PARAMETERS):
        return images
    count, channels = images.shape[0], images.shape[3]
    matrix, offset = color_transform(parameters, count, channels)
    if channels == 1:
        gain, shift = tf.reduce_sum(matrix, axis=[1, 2]) / 3, tf.reduce_mean(offset, axis=1)
        return images * gain[:, tf.newaxis, tf.newaxis, tf.newaxis] + shift[:, tf.newaxis, tf.newaxis, tf.newaxis]
    columns = matrix[:, tf.newaxis, tf.newaxis, :, :]
    colours = tf.add_n([images[..., k : k + 1] * columns[..., k] for k in range(3)]) + offset[:, tf.newaxis, tf.newaxis, :]
    return colours if channels == 3 else tf.concat([colours, images[..., 3:]], axis=3)
