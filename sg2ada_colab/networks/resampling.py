"""FIR resampling by 2 and the convolutions that resample (StyleGAN2 section 4.1 and appendix B), NHWC.

A filter is applied one axis at a time as a sum of shifted slices: XLA fuses that into one pass, and zeros that were
inserted for up-sampling are never touched (each output phase uses its own taps).
"""
import numpy as np

from ..tf import tf

HEIGHT, WIDTH = 1, 2


def filter_taps(kernel, gain=1.0):
    """Return the 1-D taps, in the order of correlation, of the separable filter outer(k, k) / sum·gain²; None is the box [1, 1]."""
    taps = np.array([1, 1] if kernel is None else kernel, np.float64)
    return (taps / taps.sum() * gain)[::-1]


def _pad(x, axis, before, after):
    paddings = [[0, 0]] * 4
    paddings[axis] = [before, after]
    return tf.pad(x, paddings) if before or after else x


def _slice(x, axis, start, length, step=1):
    window = [slice(None)] * 4
    window[axis] = slice(start, start + (length - 1) * step + 1, step)
    return x[tuple(window)]


def _weighted_sum(x, axis, offsets, weights, length, step=1):
    return tf.add_n([_slice(x, axis, offset, length, step) * tf.cast(weight, x.dtype) for offset, weight in zip(offsets, weights)])


def _halves(total):
    """Split a padding into (before, after), the larger part first."""
    return (total + 1) // 2, total // 2


def fir(x, taps, axis, padding):
    """Correlate one axis with `taps` after zero padding of `padding` in all; the length changes by padding - len(taps) + 1."""
    length = int(x.shape[axis]) + padding - len(taps) + 1
    return _weighted_sum(_pad(x, axis, *_halves(padding)), axis, range(len(taps)), taps, length)


def _upsample_axis(x, taps, axis):
    """Insert a zero after each sample, pad to keep twice the length, correlate: only the non-zero products are computed."""
    size, before = int(x.shape[axis]), _halves(len(taps) - 1)[0]
    phases = []
    for phase in (0, 1):
        used = [j for j in range(len(taps)) if (phase + j - before) % 2 == 0]
        phases.append(([(phase + j - before) // 2 for j in used], [taps[j] for j in used]))
    low = -min(min(offsets) for offsets, _ in phases)
    high = max(max(offsets) for offsets, _ in phases)
    padded = _pad(x, axis, max(low, 0), max(high, 0))
    outputs = [_weighted_sum(padded, axis, [o + max(low, 0) for o in offsets], weights, size) for offsets, weights in phases]
    shape = [-1 if s is None else s for s in x.shape.as_list()]
    shape[axis] = 2 * size
    return tf.reshape(tf.stack(outputs, axis + 1), shape)


def _downsample_axis(x, taps, axis):
    size = int(x.shape[axis])
    return _weighted_sum(_pad(x, axis, *_halves(len(taps) - 2)), axis, range(len(taps)), taps, size // 2, step=2)


def upsample_2d(x, kernel=(1, 3, 3, 1)):
    """Double height and width: [N,H,W,C] → [N,2H,2W,C], gain 4 (2 an axis)."""
    taps = filter_taps(kernel, 2.0)
    return _upsample_axis(_upsample_axis(x, taps, HEIGHT), taps, WIDTH)


def downsample_2d(x, kernel=(1, 3, 3, 1)):
    """Halve height and width: [N,H,W,C] → [N,H/2,W/2,C]."""
    taps = filter_taps(kernel)
    return _downsample_axis(_downsample_axis(x, taps, HEIGHT), taps, WIDTH)


def conv_2d(x, w):
    """Correlate with w [k,k,I,O] at stride 1, same size."""
    return tf.nn.conv2d(x, w, 1, "SAME")


def up_conv_2d(x, w, kernel=(1, 3, 3, 1)):
    """Up-sample by 2 and convolve with w [k,k,I,O], k 1 or 3: [N,H,W,I] → [N,2H,2W,O]."""
    if w.shape[0] == 1:
        return upsample_2d(conv_2d(x, w), kernel)
    batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    size = [batch, 2 * int(x.shape[1]) + 1, 2 * int(x.shape[2]) + 1, int(w.shape[3])]
    # A transposed convolution correlates with the flipped kernel, so the kernel is flipped beforehand.
    x = tf.nn.conv2d_transpose(x, tf.transpose(w[::-1, ::-1], [0, 1, 3, 2]), size, 2, "VALID")
    taps = filter_taps(kernel, 2.0)
    return fir(fir(x, taps, HEIGHT, len(taps) - 2), taps, WIDTH, len(taps) - 2)


def down_conv_2d(x, w, kernel=(1, 3, 3, 1)):
    """Convolve with w [k,k,I,O], k 1 or 3, and down-sample by 2: [N,H,W,I] → [N,H/2,W/2,O]."""
    if w.shape[0] == 1:
        return conv_2d(downsample_2d(x, kernel), w)
    taps = filter_taps(kernel)
    x = fir(fir(x, taps, HEIGHT, len(taps)), taps, WIDTH, len(taps))
    return tf.nn.conv2d(x, w, 2, "VALID")
