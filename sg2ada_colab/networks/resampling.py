"""FIR resampling by 2 and the convolutions that resample (StyleGAN2 section 4.1 and appendix B), NHWC.

A filter is applied one axis at a time as a sum of shifted slices: XLA fuses that into one pass, and zeros that were
inserted for up-sampling are never touched (each output phase uses its own taps). The gradient is written down as the
transposed resampling, again slices; differentiated automatically it becomes a chain of padded sums, which XLA on a CPU
computes five times slower. XLA for a GPU gets sums of gathered lines, and where the size changes both axes in one sum.
"""

from typing import Optional, Sequence, Tuple

import numpy as np

from ..tf import for_cpu_compiler, for_gpu_compiler, tf
from .gpu_forms import FEW_CHANNELS, HEIGHT, WIDTH, conv_1x1, resample_lines
from .winograd import conv_3x3, is_faster

Kernel = Optional[Sequence[float]]  # taps of a FIR filter, separable; None is the box [1, 1]


def filter_taps(kernel: Kernel, gain: float = 1.0) -> np.ndarray:
    """Return the 1-D taps, in the order of correlation, of the filter outer(k, k) / sum·gain²; None is the box [1, 1]."""
    taps = np.array([1, 1] if kernel is None else kernel, np.float64)
    return (taps / taps.sum() * gain)[::-1]


def _larger_half(total):
    return (total + 1) // 2


def resample_axis(x: tf.Tensor, taps: np.ndarray, axis: int, up: int, down: int, before: int, length: int) -> tf.Tensor:
    """Insert up - 1 zeros after each sample, put `before` zeros in front, correlate with taps, keep every down-th result.

    x is [N,H,W,C], `axis` 1 or 2, `taps` [K], and `length` what comes out along the axis.
    """
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


def resample(
    x: tf.Tensor,
    taps: np.ndarray,
    up: int = 1,
    down: int = 1,
    before: int = 0,
    *,
    size: Tuple[int, int],
    single_pass: bool = False,
    gradient_single_pass: bool = False,
) -> tf.Tensor:
    """Resample height and width by up/down through a separable FIR filter.

    Args:
        x: [N,H,W,C].
        taps: 1-D NumPy array, correlated along each axis.
        up, down: 1 or 2, not both 2.
        before: Zeros in front of each axis, counted after zero insertion; behind it as many as `size` needs.
        size: (height, width) of the result.
        single_pass, gradient_single_pass: Whether XLA on a GPU shall filter both axes in a single pass also where the size
            stays, x and the gradient. That pays unless something that comes before is computed with it, for each of 16 numbers.
    """

    @tf.custom_gradient
    def forward(x):
        if for_gpu_compiler():
            y = resample_lines(x, taps, up, down, before, size, single_pass)
        else:
            y = resample_axis(resample_axis(x, taps, HEIGHT, up, down, before, size[0]), taps, WIDTH, up, down, before, size[1])

        def backward(dy):
            # The transposed operation: taps reversed, up and down exchanged.
            shape = int(x.shape[1]), int(x.shape[2])
            return resample(
                dy, taps[::-1], down, up, len(taps) - 1 - before,
                size=shape, single_pass=gradient_single_pass, gradient_single_pass=single_pass,
            )  # fmt: skip

        return y, backward

    return forward(x)


def upsample_2d(x: tf.Tensor, kernel: Kernel = (1, 3, 3, 1)) -> tf.Tensor:
    """Double height and width: [N,H,W,C] → [N,2H,2W,C], gain 4 (2 an axis)."""
    taps = filter_taps(kernel, 2.0)
    return resample(x, taps, up=2, before=_larger_half(len(taps)), size=(2 * int(x.shape[1]), 2 * int(x.shape[2])))


def downsample_2d(x: tf.Tensor, kernel: Kernel = (1, 3, 3, 1)) -> tf.Tensor:
    """Halve height and width: [N,H,W,C] → [N,H/2,W/2,C]."""
    taps = filter_taps(kernel)
    return resample(x, taps, down=2, before=_larger_half(len(taps) - 2), size=(int(x.shape[1]) // 2, int(x.shape[2]) // 2))


def conv_2d(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Correlate with w [k,k,I,O] at stride 1, same size; in other forms where XLA makes faster programs of them."""
    if for_cpu_compiler() and is_faster(x, w):
        return conv_3x3(x, w)  # Winograd's form
    if for_gpu_compiler() and w.shape[0] == w.shape[1] == 1 and min(w.shape[2:]) <= FEW_CHANNELS:
        return conv_1x1(x, w)
    return tf.nn.conv2d(x, w, 1, "SAME")


def up_conv_2d(x: tf.Tensor, w: tf.Tensor, kernel: Kernel = (1, 3, 3, 1)) -> tf.Tensor:
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


def down_conv_2d(x: tf.Tensor, w: tf.Tensor, kernel: Kernel = (1, 3, 3, 1)) -> tf.Tensor:
    """Convolve with w [k,k,I,O], k 1 or 3, and down-sample by 2: [N,H,W,I] → [N,H/2,W/2,O]."""
    if w.shape[0] == 1:
        return conv_2d(downsample_2d(x, kernel), w)
    taps = filter_taps(kernel)
    size = int(x.shape[1]) + 1, int(x.shape[2]) + 1
    x = resample(x, taps, before=_larger_half(len(taps)), size=size, gradient_single_pass=True)
    return tf.nn.conv2d(x, w, 2, "VALID")
