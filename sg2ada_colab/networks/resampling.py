"""FIR resampling by 2 and the convolutions that resample (StyleGAN2 section 4.1 and appendix B), NHWC.

A filter is applied one axis at a time as a sum of shifted slices: XLA fuses that into one pass, and zeros that were
inserted for up-sampling are never touched (each output phase uses its own taps). The gradient is written down as the
transposed resampling, again slices; differentiated automatically it becomes a chain of padded sums, which XLA on a CPU
computes five times slower. XLA for a GPU gets sums of gathered lines, and where the size changes both axes in one sum.
"""

import numpy as np

from ..tf import for_cpu_compiler, for_gpu_compiler, shared_constant, tf
from .winograd import conv_3x3, is_faster

HEIGHT, WIDTH = 1, 2
FEW = 4  # channels of images
AT_ONCE = 16  # numbers read for a result


def filter_taps(kernel, gain=1.0):
    """Return the 1-D taps, in the order of correlation, of the filter outer(k, k) / sum·gain²; None is the box [1, 1]."""
    taps = np.array([1, 1] if kernel is None else kernel, np.float64)
    return (taps / taps.sum() * gain)[::-1]


def _larger_half(total):
    return (total + 1) // 2


def resample_axis(x, taps, axis, up, down, before, length):
    """Insert up - 1 zeros after each sample, put `before` zeros in front, correlate with taps, keep every down-th result."""
    phases = []  # of each output position modulo `up`: (first source index, tap) of the products that are not zero
    for phase in range(up):
        used = [j for j in range(len(taps)) if (down * phase + j - before) % up == 0]
        phases.append([((down * phase + j - before) // up, taps[j]) for j in used])
    count = -(-length // up)
    indices = [index for phase in phases for index, _ in phase]
    low = max(-min(indices), 0)
    high = max(max(indices) + (count - 1) * down + 1 - int(x.shape[axis]), 0)
    paddings = [[0, 0]] * 4
    paddings[axis] = [low, high]
    x = tf.pad(x, paddings) if low or high else x

    def window(start):
        where = [slice(None)] * 4
        where[axis] = slice(start, start + (count - 1) * down + 1, down)
        return x[tuple(where)]

    def blend(phase):
        return tf.add_n([window(index + low) * tf.cast(tap, x.dtype) for index, tap in phase])

    if up == 1:
        return blend(phases[0])
    y = tf.stack([blend(phase) for phase in phases], axis + 1)
    shape = [-1 if side is None else side for side in x.shape.as_list()]
    shape[axis] = up * count
    y = tf.reshape(y, shape)
    where = [slice(None)] * 4
    where[axis] = slice(0, length)
    return y if up * count == length else y[tuple(where)]


def _resample_lines(x, taps, up, down, before, size, at_once):
    """Resample for XLA on a GPU: axis by axis, or both axes at once where that reads few numbers for each result, or for few.

    Both at once are a pass over memory less. With four taps, down-sampling reads 16 numbers for a result, up-sampling 4.
    """
    rows = _lines(int(x.shape[HEIGHT]), taps, up, down, before, size[0])
    columns = _lines(int(x.shape[WIDTH]), taps, up, down, before, size[1])
    if (at_once or up * down > 1) and rows[0].shape[1] * columns[0].shape[1] <= AT_ONCE:
        return _blend(x, HEIGHT, *rows, of=lambda lines: _blend(lines, WIDTH, *columns))
    return _blend(_blend(x, HEIGHT, *rows), WIDTH, *columns)


def _lines(size, taps, up, down, before, length):
    """Return of which lines of the input each line of the output is a sum, and their weights: arrays [length, products].

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


def _blend(x, axis, lines, weights, of=lambda lines: lines):
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


def resample(x, taps, up=1, down=1, before=0, size=None, at_once=False, gradient_at_once=False):
    """Resample height and width by up/down through a separable FIR filter.

    Args:
        x: [N,H,W,C].
        taps: 1-D NumPy array, correlated along each axis.
        up, down: 1 or 2, not both 2.
        before: Zeros in front of each axis, counted after zero insertion; behind it as many as `size` needs.
        size: (height, width) of the result.
        at_once, gradient_at_once: Whether XLA on a GPU shall filter both axes at once also where the size stays, x and the
            gradient. That pays unless something that comes before is computed with it, anew for each of 16 numbers.
    """

    @tf.custom_gradient
    def forward(x):
        if for_gpu_compiler():
            y = _resample_lines(x, taps, up, down, before, size, at_once)
        else:
            y = resample_axis(resample_axis(x, taps, HEIGHT, up, down, before, size[0]), taps, WIDTH, up, down, before, size[1])

        def backward(dy):
            # The transposed operation: taps reversed, up and down exchanged.
            shape = int(x.shape[1]), int(x.shape[2])
            return resample(dy, taps[::-1], down, up, len(taps) - 1 - before, shape, gradient_at_once, at_once)

        return y, backward

    return forward(x)


def upsample_2d(x, kernel=(1, 3, 3, 1)):
    """Double height and width: [N,H,W,C] → [N,2H,2W,C], gain 4 (2 an axis)."""
    taps = filter_taps(kernel, 2.0)
    return resample(x, taps, up=2, before=_larger_half(len(taps)), size=(2 * int(x.shape[1]), 2 * int(x.shape[2])))


def downsample_2d(x, kernel=(1, 3, 3, 1)):
    """Halve height and width: [N,H,W,C] → [N,H/2,W/2,C]."""
    taps = filter_taps(kernel)
    return resample(x, taps, down=2, before=_larger_half(len(taps) - 2), size=(int(x.shape[1]) // 2, int(x.shape[2]) // 2))


def conv_2d(x, w):
    """Correlate with w [k,k,I,O] at stride 1, same size; in other forms where XLA makes faster programs of them."""
    if for_cpu_compiler() and is_faster(x, w):
        return conv_3x3(x, w)  # Winograd's form
    if for_gpu_compiler() and w.shape[0] == w.shape[1] == 1 and min(w.shape[2:]) <= FEW:
        return _expand(x, w) if w.shape[2] <= FEW else _contract(x, w)
    return tf.nn.conv2d(x, w, 1, "SAME")


def _expand(x, w):
    """Convolve few channels with w [1,1,I,O]: a sum that XLA fuses with what follows, with convolutions for its gradients."""

    @tf.custom_gradient
    def forward(x, w):
        wide, rows = tf.cast(x, tf.float32), tf.cast(w[0, 0], tf.float32)  # as exact as a convolution, which adds in float32
        y = tf.add_n([wide[..., i : i + 1] * rows[i] for i in range(int(w.shape[2]))])
        return tf.cast(y, x.dtype), lambda dy: (_contract(dy, tf.transpose(w, [0, 1, 3, 2])), _filter_gradient(x, w, dy))

    return forward(x, w)


def _contract(x, w):
    """Convolve with w [1,1,I,O] into few channels; the gradient of x is a sum that XLA fuses."""

    @tf.custom_gradient
    def forward(x, w):
        y = tf.nn.conv2d(x, w, 1, "SAME")
        return y, lambda dy: (_expand(dy, tf.transpose(w, [0, 1, 3, 2])), _filter_gradient(x, w, dy))

    return forward(x, w)


def _filter_gradient(x, w, dy):
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=w.shape.as_list(), out_backprop=dy, strides=[1, 1, 1, 1], padding="SAME"
    )


def up_conv_2d(x, w, kernel=(1, 3, 3, 1)):
    """Up-sample by 2 and convolve with w [k,k,I,O], k 1 or 3: [N,H,W,I] → [N,2H,2W,O]."""
    if w.shape[0] == 1:
        return upsample_2d(conv_2d(x, w), kernel)
    batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    h, w_px = 2 * int(x.shape[1]), 2 * int(x.shape[2])
    # A transposed convolution correlates with the flipped kernel, so the kernel is flipped beforehand.
    x = tf.nn.conv2d_transpose(
        x, tf.transpose(w[::-1, ::-1], [0, 1, 3, 2]), [batch, h + 1, w_px + 1, int(w.shape[3])], 2, "VALID"
    )
    taps = filter_taps(kernel, 2.0)
    return resample(x, taps, before=_larger_half(len(taps) - 2), size=(h, w_px))


def down_conv_2d(x, w, kernel=(1, 3, 3, 1)):
    """Convolve with w [k,k,I,O], k 1 or 3, and down-sample by 2: [N,H,W,I] → [N,H/2,W/2,O]."""
    if w.shape[0] == 1:
        return conv_2d(downsample_2d(x, kernel), w)
    taps = filter_taps(kernel)
    size = int(x.shape[1]) + 1, int(x.shape[2]) + 1
    x = resample(x, taps, before=_larger_half(len(taps)), size=size, gradient_at_once=True)
    return tf.nn.conv2d(x, w, 2, "VALID")
