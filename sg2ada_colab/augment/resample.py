"""Affine resampling of images: reflect at the borders, up-sample by 2 with sym6, sample bilinearly, down-sample by 2.

The original pads the images by a margin that depends on the batch. XLA needs static shapes, and the largest possible margin
would make nine times the pixels. So the padded image never exists: a mirrored stretch of it, up-sampled, equals the
un-padded image up-sampled with the time-reversed filter (sym6 is not symmetric). Each axis of the table that is sampled from holds

    [0, 2S)        the image, up-sampled
    [2S, 4S)       the image, up-sampled with the reversed filter: what the mirrored stretches consist of, read backwards
    [4S, 4S+5)     the first five entries of the padded, up-sampled axis, where the filter reaches beyond the padding
    [4S+5, 4S+10)  the last five

and a sampling position becomes a row of it by arithmetic. The margins are scalars that enter that arithmetic.
"""
import numpy as np

from ..tf import tf

# Orthogonal wavelet symlet-6 (Daubechies 1992), its low-pass decomposition filter.
SYM6 = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ],
    np.float32,
)
_EDGE = 5  # entries at either end that a filter of 12 taps, up-sampling by 2, cannot fill wholly
_BORDER_PX = 3  # a quarter of the filter: what the down-sampling needs around the output image


def resample(images, inverse):
    """Return images whose pixel at q (relative to the centre) shows the input at `inverse`(q).

    Section 2.1 and Appendix B of the ADA paper (Karras et al. 2020); the gradient is the exact adjoint, to any order.

    Args:
        images: float32 [N, S, S, C], S at least 4, static shape.
        inverse: geometry.Affine with coefficients [N].
    """
    size = images.shape[1]
    margins_x = _margins(inverse.a, inverse.b, inverse.tx, size)
    margins_y = _margins(inverse.c, inverse.d, inverse.ty, size)
    table = _upsample(_upsample(images, margins_y, axis=1), margins_x, axis=2)
    x, y = _positions(inverse, size)
    sampled = _bilinear(table, _taps(x, margins_x, size), _taps(y, margins_y, size))
    return _downsample(_downsample(sampled, axis=1), axis=2)


def _margins(across, along, shift, size):
    """Return the padding (int32 scalars before, after) of an axis: what the batch's outermost corner needs, at most S - 1."""
    centre = (size - 1) / 2
    reach = (tf.abs(across) + tf.abs(along)) * centre
    before, after = tf.reduce_max(reach - shift), tf.reduce_max(reach + shift)
    return tuple(
        tf.cast(tf.clip_by_value(tf.math.ceil(corner - centre + 2 * _BORDER_PX), 0, size - 1), tf.int32)
        for corner in (before, after)
    )


def _slice(x, axis, start, length):
    """Return x[start : start + length] along an axis of [N, H, W, C]."""
    return x[:, start : start + length] if axis == 1 else x[:, :, start : start + length]


def _weighted(x, axis, taps, length):
    """Return the sum of weight · x[start : start + length] along an axis over the pairs (start, weight) of `taps`."""
    return tf.add_n([_slice(x, axis, start, length) * weight for start, weight in taps])


def _upsample(x, margins, axis):
    """Return the table described above for one axis of x [N, H, W, C]."""
    size = x.shape[axis]
    padding = [[0, 0], [3, 3], [0, 0], [0, 0]] if axis == 1 else [[0, 0], [0, 0], [3, 3], [0, 0]]
    padded = tf.pad(x, padding, "REFLECT")
    odd_taps, even_taps = SYM6[1::2], SYM6[0::2]
    forward = _interleave(
        _weighted(padded, axis, [(5 - j, odd_taps[j]) for j in range(6)], size),
        _weighted(padded, axis, [(6 - j, even_taps[j]) for j in range(6)], size),
        axis,
    )
    backward = _interleave(
        _weighted(padded, axis, [(1 + j, odd_taps[j]) for j in range(6)], size),
        _weighted(padded, axis, [(1 + j, even_taps[j]) for j in range(6)], size),
        axis,
    )
    return tf.concat([forward, backward, _edges(x, margins, axis)], axis=axis)


def _interleave(even, odd, axis):
    shape = even.shape.as_list()
    shape[axis] *= 2
    return tf.reshape(tf.stack([even, odd], axis=axis + 1), shape)


def _edges(x, margins, axis):
    """Return the first five and the last five entries of the padded, up-sampled axis."""
    size, (before, after) = x.shape[axis], margins
    offsets = tf.range(_EDGE)
    inside = tf.cast(offsets < size + before + after, tf.float32)  # false only in tiny images
    first = _reflect(offsets - before, size)
    last = _reflect(size - 1 + after - offsets, size)
    weights_first = np.array([[_tap(e - 2 * j + 5) for j in range(_EDGE)] for e in range(_EDGE)], np.float32)
    weights_last = np.array([[_tap(e + 2 + 2 * j) for j in range(_EDGE)] for e in range(_EDGE)], np.float32)
    pixels = _pick(x, tf.concat([first, last], axis=0), axis)
    rows = []
    for start, weights in ((0, weights_first), (_EDGE, weights_last)):
        for e in range(_EDGE):
            taps = [j for j in range(_EDGE) if weights[e, j]]
            rows.append(tf.add_n([_slice(pixels, axis, start + j, 1) * (inside[j] * weights[e, j]) for j in taps]))
    return tf.concat(rows, axis=axis)


def _tap(index):
    return SYM6[index] if 0 <= index < len(SYM6) else np.float32(0)


def _reflect(index, size):
    """Return pixel indices in [0, S) for indices in [-(S-1), 2(S-1)], mirrored at the borders."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))


def _pick(x, indices, axis):
    """Return x at the given indices (int32 [K]) of an axis; its gradient is a masked sum, where `tf.gather`'s would transpose x."""
    size, count = x.shape[axis], indices.shape[0]
    masks = tf.cast(tf.equal(tf.range(size)[:, tf.newaxis], indices), tf.float32)  # `==` compares identity on 1.14
    masks = tf.reshape(masks, [1, size, 1, 1, count] if axis == 1 else [1, 1, size, 1, count])

    @tf.custom_gradient
    def pick(x):
        def put(d):
            return tf.add_n([_slice(d, axis, k, 1) * masks[..., k] for k in range(count)])

        return tf.gather(x, indices, axis=axis), put

    return pick(x)


def _positions(inverse, size):
    """Return x and y [N, P, P] in the up-sampled input for the P = 2S + 10 positions per axis that the down-sampling reads."""
    centre = (size - 1) / 2
    grid = (tf.range(1, 2 * size + 2 * _BORDER_PX * 2 - 1, dtype=tf.float32)) / 2 - (centre + _BORDER_PX)
    x_out, y_out = grid[tf.newaxis, tf.newaxis, :], grid[tf.newaxis, :, tf.newaxis]

    def place(across, along, shift):
        across, along, shift = (v[:, tf.newaxis, tf.newaxis] for v in (across, along, shift))
        return 2 * (across * x_out + along * y_out + (shift + centre))

    return place(inverse.a, inverse.b, inverse.tx), place(inverse.c, inverse.d, inverse.ty)


def _taps(position, margins, size):
    """Return [(table row, weight), (table row, weight)] of the two entries around each position; outside the padding weigh 0."""
    position = tf.clip_by_value(position, -4.0 * size, 8.0 * size)
    floor = tf.floor(position)
    fraction = position - floor
    entry = tf.cast(floor, tf.int32)
    return [_row(entry, 1 - fraction, margins, size), _row(entry + 1, fraction, margins, size)]


def _row(entry, weight, margins, size):
    before, after = margins
    end = 2 * (size - 1)  # the entry of the last pixel, about which the signal is mirrored
    row = tf.where(entry < 0, 2 * size - entry, tf.where(entry > end, 2 * size + 2 * end - entry, entry))
    from_first = entry + 2 * before
    from_last = entry - (2 * (size + after) - _EDGE)
    row = tf.where(from_first < _EDGE, 4 * size + from_first, row)
    row = tf.where(from_last >= 0, 4 * size + _EDGE + from_last, row)
    inside = tf.logical_and(from_first >= 0, from_last < _EDGE)
    return tf.where(inside, row, tf.zeros_like(row)), tf.where(inside, weight, tf.zeros_like(weight))


def _bilinear(table, taps_x, taps_y):
    """Return the table [N, T, T, C] at the tapped positions, [N, P, P, C]."""
    count, rows, columns, channels = table.shape.as_list()
    images = tf.range(count)[:, tf.newaxis, tf.newaxis] * rows
    taps = [
        ((images + row_y) * columns + row_x, (weight_y * weight_x)[..., tf.newaxis])
        for row_y, weight_y in taps_y
        for row_x, weight_x in taps_x
    ]
    return _combine(tf.reshape(table, [count * rows * columns, channels]), taps)


def _combine(flat, taps):
    """Return the sum over taps (index, weight) of flat[index] · weight; linear in flat [K, C], with its exact adjoint."""
    total = flat.shape[0]

    @tf.custom_gradient
    def gather(flat):
        return tf.add_n([tf.gather(flat, index) * weight for index, weight in taps]), scatter

    @tf.custom_gradient
    def scatter(d):
        updates = tf.stack([d * weight for _, weight in taps])
        return tf.math.unsorted_segment_sum(updates, tf.stack([index for index, _ in taps]), total), gather

    return gather(flat)


def _downsample(x, axis):
    """Return y[k] = sum over j of h[j] · x[2k + j] along an axis of x [N, H, W, C]; 2S + 10 entries become S."""
    shape = x.shape.as_list()
    size = (shape[axis] - 10) // 2
    shape[axis : axis + 1] = [shape[axis] // 2, 2]
    pairs = tf.reshape(x, shape)
    even, odd = tf.unstack(pairs, axis=axis + 1)
    return _weighted(even, axis, [(j, SYM6[2 * j]) for j in range(6)], size) + _weighted(
        odd, axis, [(j, SYM6[2 * j + 1]) for j in range(6)], size
    )
