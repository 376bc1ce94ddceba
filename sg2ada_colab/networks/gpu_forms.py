"""The forms of layers that XLA for a GPU makes faster programs of: sums of gathered lines instead of padded slices, gradients
with few instructions, convolutions of few channels as sums. The numbers are those of the plain forms up to rounding. NHWC."""

from typing import Callable, Optional, Tuple

import numpy as np

from ..tf import shared_constant, tf
from .activations import LRELU_SLOPE, scale_and_clamp

HEIGHT, WIDTH = 1, 2  # axes
MAX_FUSED_TAPS = 16  # numbers that a filter along both axes at once may read for a result
FEW_CHANNELS = 4  # as many as images have, or fewer


def bias_lrelu(
    x: tf.Tensor,
    bias: tf.Tensor,
    clamp: Optional[float],
    gain: float,
    noise: Optional[tf.Tensor],
    noise_strength: Optional[tf.Tensor],
) -> tf.Tensor:
    """Return `layers.bias_act` for lrelu: gradients with few instructions, from one pass over memory.

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

        return scale_and_clamp(tf.maximum(x, x * LRELU_SLOPE), gain, clamp), backward

    strength = () if noise is None else (tf.convert_to_tensor(noise_strength),)
    return forward(x, tf.convert_to_tensor(bias), *strength)


def _channel_sums(x):
    """Sum [N,H,W,C] over all but the channels in float32."""
    return tf.reduce_sum(tf.cast(x, tf.float32), axis=[0, HEIGHT, WIDTH])


def _channel_sums_by_image(x):
    """Sum [N,H,W,C] over all but the channels in float32, by image first as the style's gradients are: XLA joins them."""
    sums = tf.reduce_sum(tf.cast(x, tf.float32), axis=[1, 2])
    return tf.reduce_sum(tf.abs(sums) * tf.sign(sums), axis=0)  # XLA would make one sum of two sums


def resample_lines(
    x: tf.Tensor, taps: np.ndarray, up: int, down: int, before: int, size: Tuple[int, int], single_pass: bool
) -> tf.Tensor:
    """Return `resampling.resample` of x, axis by axis, or both axes in a single pass where that reads few numbers for a result.

    A single pass over memory is one less. With four taps, down-sampling reads 16 numbers for a result, up-sampling 4.
    """
    rows = _lines(int(x.shape[HEIGHT]), taps, up, down, before, size[0])
    columns = _lines(int(x.shape[WIDTH]), taps, up, down, before, size[1])
    if (single_pass or up * down > 1) and rows[0].shape[1] * columns[0].shape[1] <= MAX_FUSED_TAPS:
        return _blend(x, HEIGHT, rows[0], rows[1], of=lambda lines: _blend(lines, WIDTH, *columns))
    return _blend(_blend(x, HEIGHT, *rows), WIDTH, *columns)


def _lines(size, taps, up, down, before, length):
    """Return the input rows, and their weights, that make each output row: arrays [length, products].

    Weights are zero where a tap is outside: lines that are always there are read in vectors, a padded tensor element by element,
    each behind a branch.
    """
    at = down * np.arange(length)[:, np.newaxis] + np.arange(len(taps)) - before  # [output, tap] in the zero-filled input
    inside = (at % up == 0) & (at >= 0) & (at < up * size)
    weights = np.where(inside, taps, 0.0)
    # Of `up` neighbouring taps one meets a sample, the others meet inserted zeros.
    order = np.argsort(at % up != 0, axis=1, kind="stable")[:, : -(-len(taps) // up)]
    lines = np.clip(np.take_along_axis(at // up, order, 1), 0, size - 1)
    return lines, np.take_along_axis(weights, order, 1)


def _blend(
    x: tf.Tensor,
    axis: int,
    lines: np.ndarray,
    weights: np.ndarray,
    of: Callable[[tf.Tensor], tf.Tensor] = lambda lines: lines,
) -> tf.Tensor:
    """Return Σ_k of(x's lines k)·weights k along an axis."""
    shape = [1, 1, 1, 1]
    shape[axis] = len(lines)
    along = shared_constant(axis, tf.int32)
    products = [
        of(tf.raw_ops.GatherV2(params=x, indices=shared_constant(lines[:, k], tf.int32), axis=along))
        * shared_constant(np.reshape(weights[:, k], shape), x.dtype)
        for k in range(lines.shape[1])
    ]
    return tf.add_n(products)


def conv_1x1(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Convolve with w [1,1,I,O] where I or O is at most FEW_CHANNELS."""
    return _conv_from_few(x, w) if w.shape[2] <= FEW_CHANNELS else _conv_to_few(x, w)


def _conv_from_few(x, w):
    """Convolve few channels with w [1,1,I,O]: a sum that XLA fuses with what follows, with convolutions for its gradients."""

    @tf.custom_gradient
    def forward(x, w):
        wide, rows = tf.cast(x, tf.float32), tf.cast(w[0, 0], tf.float32)  # as exact as a convolution, which adds in float32
        y = tf.add_n([wide[..., i : i + 1] * rows[i] for i in range(int(w.shape[2]))])
        return tf.cast(y, x.dtype), lambda dy: (_conv_to_few(dy, tf.transpose(w, [0, 1, 3, 2])), _filter_gradient(x, w, dy))

    return forward(x, w)


def _conv_to_few(x, w):
    """Convolve with w [1,1,I,O] into few channels; the gradient of x is a sum that XLA fuses."""

    @tf.custom_gradient
    def forward(x, w):
        y = tf.nn.conv2d(x, w, 1, "SAME")
        return y, lambda dy: (_conv_from_few(dy, tf.transpose(w, [0, 1, 3, 2])), _filter_gradient(x, w, dy))

    return forward(x, w)


def _filter_gradient(x, w, dy):
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=w.shape.as_list(), out_backprop=dy, strides=[1, 1, 1, 1], padding="SAME"
    )
