"""The corruptions: noise and cutout."""

from typing import Dict

from ..tf import tf


def apply_noise(images: tf.Tensor, parameters: Dict[str, tf.Tensor]) -> tf.Tensor:
    """Return images + field · standard deviation; "noise" [N] and "noise_field" [N, H, W, C] of `parameters`.

    Alpha is a channel like the colours: left clean, it would give away every outline that the noise hides.
    """
    if "noise" not in parameters:
        return images
    return images + parameters["noise_field"] * parameters["noise"][:, tf.newaxis, tf.newaxis, tf.newaxis]


def apply_cutout(images: tf.Tensor, parameters: Dict[str, tf.Tensor], size: float) -> tf.Tensor:
    """Return the images with a rectangle set to 0, the middle of the range, in every channel.

    Of alpha that is half opaque, as in the fork of stylegan2-ada-pytorch that trains on RGBA; no sprite has such a hole, while a
    transparent one would look like part of the picture.

    Args:
        images: float32 [N, H, W, C].
        parameters: "cutout" [N, 2] is the centre x, y in image sizes.
        size: Width and height of the rectangle in image sizes.
    """
    if "cutout" not in parameters:
        return images
    height, width = images.shape[1], images.shape[2]
    centre = parameters["cutout"][:, :, tf.newaxis]
    outside_x = tf.abs((tf.range(width, dtype=tf.float32) + 0.5) / width - centre[:, 0]) >= size / 2
    outside_y = tf.abs((tf.range(height, dtype=tf.float32) + 0.5) / height - centre[:, 1]) >= size / 2
    keep = tf.logical_or(outside_x[:, tf.newaxis, :], outside_y[:, :, tf.newaxis])
    keep = tf.cast(keep, images.dtype)[..., tf.newaxis]
    return images * keep
