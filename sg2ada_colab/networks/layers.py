"""The layers of StyleGAN2: equalised weights, activations, modulated convolution, minibatch statistics. NHWC."""

import math
from typing import Mapping, Optional, Sequence

import numpy as np

from ..tf import for_gpu_compiler, tf
from .activations import ACTIVATIONS, scale_and_clamp
from .gpu_forms import bias_lrelu
from .resampling import conv_2d, up_conv_2d

Kernel = Optional[Sequence[float]]  # taps of a FIR filter, separable; None is the box [1, 1]


def equalized(raw: tf.Tensor, lrmul: float = 1.0) -> tf.Tensor:
    """Return the weight in use, raw·lrmul/√fan_in (ProGAN section 4.1); fan_in is the product of all dimensions but the last."""
    return raw * _weight_scale(raw, lrmul)


def _weight_scale(raw, lrmul=1.0):
    return lrmul / math.sqrt(np.prod([int(d) for d in raw.shape[:-1]]))


def equalized_matmul(x: tf.Tensor, raw: tf.Tensor, lrmul: float = 1.0) -> tf.Tensor:
    """Return x [N, I] · equalized(raw) [I, O], where the product is scaled: cuBLAS applies the scale for free."""
    return tf.matmul(x, raw) * _weight_scale(raw, lrmul)


def bias_act(
    x: tf.Tensor,
    bias: Optional[tf.Tensor] = None,
    act: str = "linear",
    clamp: Optional[float] = None,
    gain: float = 1.0,
    noise: Optional[tf.Tensor] = None,
    noise_strength: Optional[tf.Tensor] = None,
) -> tf.Tensor:
    """Return clamp(act(x + noise·noise_strength + bias)·the activation's gain, ±clamp)·gain.

    Args:
        x: [N,…,C] in float32 or float16.
        bias: [C] or None.
        noise, noise_strength: float32 [N,H,W,1] or [1,H,W,1], and a scalar; or None.
    """
    function, own_gain = ACTIVATIONS[act]
    gain, clamp = gain * own_gain, None if clamp is None else clamp * gain
    if for_gpu_compiler() and act == "lrelu" and bias is not None and len(x.shape) == 4:
        return bias_lrelu(x, bias, clamp, gain, noise, noise_strength)
    if noise is not None:
        x = x + tf.cast(noise * noise_strength, x.dtype)
    if bias is not None:
        x = x + tf.cast(bias, x.dtype)
    return scale_and_clamp(function(x), gain, clamp)


def dense(x: tf.Tensor, variables: Mapping[str, tf.Tensor], name: str, lrmul: float = 1.0, act: str = "linear") -> tf.Tensor:
    """Apply a fully connected layer: [N,I] → [N,O]."""
    return bias_act(equalized_matmul(x, variables[name + "/weight"], lrmul), variables[name + "/bias"] * lrmul, act)


def normalize_2nd_moment(x: tf.Tensor) -> tf.Tensor:
    """Scale each row of x [N, D] to unit mean square: x·rsqrt(mean(x²) + 1e-8)."""
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=1, keepdims=True) + 1e-8)


def modulated_conv_2d(
    x: tf.Tensor,
    w_latent: tf.Tensor,
    variables: Mapping[str, tf.Tensor],
    name: str,
    up: bool = False,
    demodulate: bool = True,
    resample_kernel: Kernel = (1, 3, 3, 1),
) -> tf.Tensor:
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


def minibatch_stddev(x: tf.Tensor, group_size: Optional[int] = None, num_features: int = 1) -> tf.Tensor:
    """Append the standard deviation over groups of images as extra channels (ProGAN section 3): [N,H,W,C] → [N,H,W,C+F].

    A group is the images j, j + N/G, j + 2N/G, …; G is `group_size` (None: N), at most N.

    Raises ValueError where N is not a multiple of G.
    """
    n, h, w, c = [int(d) for d in x.shape]
    group = min(group_size or n, n)
    if n % group:
        raise ValueError(f"a batch of {n} images does not divide into groups of {group}")
    y = tf.reshape(tf.cast(x, tf.float32), [group, n // group, h, w, num_features, c // num_features])
    y = y - tf.reduce_mean(y, axis=0, keepdims=True)
    y = tf.sqrt(tf.reduce_mean(tf.square(y), axis=0) + 1e-8)
    y = tf.tile(tf.reduce_mean(y, axis=[1, 2, 4]), [group, 1])
    return tf.concat([x, tf.cast(tf.broadcast_to(y[:, None, None, :], [n, h, w, num_features]), x.dtype)], axis=3)
