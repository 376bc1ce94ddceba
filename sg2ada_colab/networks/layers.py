"""The layers of StyleGAN2: equalised weights, activations, modulated convolution, minibatch statistics. NHWC."""

import math

import numpy as np

from ..tf import for_gpu_compiler, tf
from .resampling import conv_2d, up_conv_2d

LRELU_SLOPE = 0.2


def leaky_relu(x):
    """Return x where it is positive, else 0.2·x; for a GPU as a maximum, of which it computes two in float16 at once."""
    if not for_gpu_compiler():
        return tf.nn.leaky_relu(x, LRELU_SLOPE)

    @tf.custom_gradient
    def forward(x):
        return tf.maximum(x, x * LRELU_SLOPE), lambda dy: tf.raw_ops.LeakyReluGrad(gradients=dy, features=x, alpha=LRELU_SLOPE)

    return forward(x)


_ACTIVATIONS = {
    "linear": (lambda x: x, 1.0),
    "relu": (tf.nn.relu, math.sqrt(2)),
    "lrelu": (leaky_relu, math.sqrt(2)),
    "tanh": (tf.tanh, 1.0),
    "sigmoid": (tf.sigmoid, 1.0),
    "elu": (tf.nn.elu, 1.0),
    "selu": (tf.nn.selu, 1.0),
    "softplus": (tf.nn.softplus, 1.0),
    "swish": (lambda x: tf.sigmoid(x) * x, math.sqrt(2)),
}


def equalized(raw, lrmul=1.0):
    """Return the weight in use, raw·lrmul/√fan_in (ProGAN section 4.1); fan_in is the product of all dimensions but the last."""
    return raw * (lrmul / math.sqrt(np.prod([int(d) for d in raw.shape[:-1]])))


def bias_act(x, bias=None, act="linear", clamp=None):
    """Add the bias of the last axis, activate, multiply by the activation's gain, clamp to ±clamp."""
    function, gain = _ACTIVATIONS[act]
    if bias is not None:
        x = x + tf.cast(bias, x.dtype)
    x = function(x)
    if gain != 1.0:
        x = x * tf.cast(gain, x.dtype)
    if clamp is not None:
        x = tf.clip_by_value(x, tf.cast(-clamp, x.dtype), tf.cast(clamp, x.dtype))
    return x


def dense(x, variables, name, lrmul=1.0, act="linear"):
    """Apply a fully connected layer: [N,I] → [N,O]."""
    return bias_act(tf.matmul(x, equalized(variables[name + "/weight"], lrmul)), variables[name + "/bias"] * lrmul, act)


def normalize_2nd_moment(x):
    """Scale each row to unit mean square: x·rsqrt(mean(x²) + 1e-8)."""
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=1, keepdims=True) + 1e-8)


def modulated_conv_2d(x, w_latent, variables, name, up=False, demodulate=True, resample_kernel=(1, 3, 3, 1)):
    """Convolve with weights that the style scales, in the unfused form (StyleGAN2 section 2.2 and appendix B).

    Args:
        x: [N,H,W,I] in float32 or float16.
        w_latent: [N, dlatent_size] float32.
        variables: Mapping with NAME/weight [k,k,I,O], NAME/mod_weight, NAME/mod_bias.
        up: Double the size.
        demodulate: Normalise each output map's expected scale.
    """
    weight = equalized(variables[name + "/weight"])
    style = tf.matmul(w_latent, equalized(variables[name + "/mod_weight"])) + (variables[name + "/mod_bias"] + 1.0)
    if demodulate and x.dtype == tf.float16:
        # Keeps products in float16's range. Demodulation cancels both factors, so no gradient belongs to them.
        fan_in = np.prod([int(d) for d in weight.shape[:-1]])
        weight = weight * tf.stop_gradient(math.sqrt(1 / fan_in) / (tf.reduce_max(tf.abs(weight), axis=[0, 1, 2]) + 1e-12))
        style = style * tf.stop_gradient(1.0 / (tf.reduce_max(tf.abs(style), axis=1, keepdims=True) + 1e-12))
    y = x * tf.cast(style, x.dtype)[:, None, None, :]
    y = up_conv_2d(y, tf.cast(weight, x.dtype), resample_kernel) if up else conv_2d(y, tf.cast(weight, x.dtype))
    if demodulate:
        power = tf.matmul(tf.square(style), tf.reduce_sum(tf.square(weight), axis=[0, 1]))
        y = y * tf.cast(tf.math.rsqrt(power + 1e-8), x.dtype)[:, None, None, :]
    return y


def minibatch_stddev(x, group_size=None, num_features=1):
    """Append the standard deviation over groups of images as extra channels (ProGAN section 3): [N,H,W,C] → [N,H,W,C+F].

    A group is the images j, j + N/G, j + 2N/G, …; G is `group_size` (None: N), at most N.
    """
    n, h, w, c = [int(d) for d in x.shape]
    group = min(group_size or n, n)
    if n % group:
        raise ValueError("a batch of {} images does not divide into groups of {}".format(n, group))
    y = tf.reshape(tf.cast(x, tf.float32), [group, n // group, h, w, num_features, c // num_features])
    y = y - tf.reduce_mean(y, axis=0, keepdims=True)
    y = tf.sqrt(tf.reduce_mean(tf.square(y), axis=0) + 1e-8)
    y = tf.tile(tf.reduce_mean(y, axis=[1, 2, 4]), [group, 1])
    return tf.concat([x, tf.cast(tf.broadcast_to(y[:, None, None, :], [n, h, w, num_features]), x.dtype)], axis=3)
