"""The activation functions, each with the gain that keeps the variance of what goes in (StyleGAN2 appendix B)."""

import math
from typing import Optional

from ..tf import tf

LRELU_SLOPE = 0.2

ACTIVATIONS = {
    "linear": (lambda x: x, 1.0),
    "relu": (tf.nn.relu, math.sqrt(2)),
    "lrelu": (lambda x: tf.nn.leaky_relu(x, LRELU_SLOPE), math.sqrt(2)),
    "tanh": (tf.tanh, 1.0),
    "sigmoid": (tf.sigmoid, 1.0),
    "elu": (tf.nn.elu, 1.0),
    "selu": (tf.nn.selu, 1.0),
    "softplus": (tf.nn.softplus, 1.0),
    "swish": (lambda x: tf.sigmoid(x) * x, math.sqrt(2)),
}


def scale_and_clamp(x: tf.Tensor, gain: float, clamp: Optional[float]) -> tf.Tensor:
    """Return x, of any shape, times gain, clamped to ±clamp; None leaves it as it is."""
    if not math.isclose(gain, 1.0):
        x = x * tf.cast(gain, x.dtype)
    return x if clamp is None else tf.clip_by_value(x, tf.cast(-clamp, x.dtype), tf.cast(clamp, x.dtype))
