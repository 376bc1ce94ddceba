"""The layers of StyleGAN2: equalised weights, activations, modulated convolution, minibatch statistics. NHWC."""

import math

import numpy as np

from ..tf import for_gpu_compiler, tf
from .resampling import conv_2d, up_conv_2d

LRELU_SLOPE = 0.2
ABREAST = 512  # numbers in a line of a sum over pixels


_ACTIVATIONS = {
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


def equalized(raw, lrmul=1.0):
    """Return the weight in use, raw·lrmul/√fan_in (ProGAN section 4.1); fan_in is the product of all dimensions but the last."""
    return raw * _weight_scale(raw, lrmul)


def _weight_scale(raw, lrmul=1.0):
    return lrmul / math.sqrt(np.prod([int(d) for d in raw.shape[:-1]]))


def equalized_matmul(x, raw, lrmul=1.0):
    """Return x·equalized(raw), where the product is scaled: a library's matrix product does that in passing."""
    return tf.matmul(x, raw) * _weight_scale(raw, lrmul)


def bias_act(x, bias=None, act="linear", clamp=None, gain=1.0, noise=None, noise_strength=None):
    """Return clamp(act(x + noise·noise_strength + bias)·the activation's gain, ±clamp)·gain.

    Args:
        x: [N,…,C] in float32 or float16.
        bias: [C] or None.
        noise, noise_strength: float32 [N,H,W,1] or [1,H,W,1], and a scalar; or None.
    """
    function, own_gain = _ACTIVATIONS[act]
    gain, clamp = gain * own_gain, None if clamp is None else clamp * gain
    if for_gpu_compiler() and act == "lrelu" and bias is not None and len(x.shape) == 4:
        return _bias_lrelu(x, bias, clamp, gain, noise, noise_strength)
    if noise is not None:
        x = x + tf.cast(noise * noise_strength, x.dtype)
    if bias is not None:
        x = x + tf.cast(bias, x.dtype)
    return _scale_and_clamp(function(x), gain, clamp)


def _scale_and_clamp(x, gain, clamp):
    if not math.isclose(gain, 1.0):
        x = x * tf.cast(gain, x.dtype)
    return x if clamp is None else tf.clip_by_value(x, tf.cast(-clamp, x.dtype), tf.cast(clamp, x.dtype))


def _bias_lrelu(x, bias, clamp, gain, noise, noise_strength):
    """The same for lrelu, for XLA on a GPU: gradients with few instructions, from one pass over memory.

    The maximum of x and 0.2·x is computed of two float16 numbers at once. What the gradient is multiplied by depends on x alone.
    """

    @tf.custom_gradient
    def forward(x, bias, *strength):
        x = x + tf.cast(noise * strength[0], x.dtype) if strength else x
        x = x + tf.cast(bias, x.dtype)

        def backward(dy):
            slope = tf.where(x > 0, tf.cast(gain, x.dtype), tf.cast(gain * LRELU_SLOPE, x.dtype))
            if clamp is not None:
                inside = tf.logical_and(x <= clamp / gain, x >= -clamp / (gain * LRELU_SLOPE))
                slope = tf.where(inside, slope, tf.cast(0.0, x.dtype))
            dx = dy * slope
            if not strength:
                return dx, _channel_sums(dx)
            return dx, _channel_sums_by_image(dx), tf.reduce_sum(_channel_sums_by_image(dx * tf.cast(noise, dx.dtype)))

        return _scale_and_clamp(tf.maximum(x, x * LRELU_SLOPE), gain, clamp), backward

    strength = () if noise is None else (tf.convert_to_tensor(noise_strength),)
    return forward(x, tf.convert_to_tensor(bias), *strength)


def _channel_sums(x):
    """Sum [N,H,W,C] over all but the channels in float32, with neighbours side by side, so that a GPU reads vectors."""
    n, h, w, c = [int(d) for d in x.shape]
    abreast = 1
    while abreast * c < ABREAST and h * w % (2 * abreast) == 0:
        abreast *= 2
    sums = tf.reduce_sum(tf.cast(tf.reshape(x, [n * h * w // abreast, abreast * c]), tf.float32), axis=0)
    return tf.reduce_sum(tf.reshape(sums, [abreast, c]), axis=0)


def _channel_sums_by_image(x):
    """Sum [N,H,W,C] over all but the channels in float32, by image first as the style's gradients are: XLA joins them."""
    sums = tf.reduce_sum(tf.cast(x, tf.float32), axis=[1, 2])
    return tf.reduce_sum(tf.abs(sums) * tf.sign(sums), axis=0)  # XLA would make one sum of two sums


def dense(x, variables, name, lrmul=1.0, act="linear"):
    """Apply a fully connected layer: [N,I] → [N,O]."""
    return bias_act(equalized_matmul(x, variables[name + "/weight"], lrmul), variables[name + "/bias"] * lrmul, act)


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
    style = equalized_matmul(w_latent, variables[name + "/mod_weight"]) + (variables[name + "/mod_bias"] + 1.0)
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
