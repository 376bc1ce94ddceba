"""Affine resampling of images: reflect at the borders, up-sample by 2 with sym6, sample bilinearly, down-sample by 2.

The original pads the images by a margin that depends on the batch. XLA needs static shapes, and the largest possible margin
would make nine times the pixels. So the padded image never exists: a mirrored stretch of it, up-sampled, equals the
un-padded image up-sampled with the time-reversed filter (sym6 is not symmetric). Each axis of the table that is sampled
from holds

    [0, 2S)        the image, up-sampled
    [2S, 4S)       the image, up-sampled with the reversed filter: what the mirrored stretches consist of, read backwards
    [4S, 4S+5)     the first five entries of the padded, up-sampled axis, where the filter reaches beyond the padding
    [4S+5, 4S+10)  the last five

and a sampling position becomes a row of it by arithmetic. The margins are scalars that enter that arithmetic.
"""

import numpy as np

from ..tf import for_gpu_compiler, tf

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

    Section 2.1 and Appendix B of the ADA paper (Karras et al. 2020); the gradient is the exact adjoint, to any order. Where
    `inverse` moves no image at all, nothing is computed: sym6 is orthogonal, so the result would be the input.

    Args:
        images: float32 [N, S, S, C], S at least 4, static shape.
        inverse: geometry.Affine with coefficients [N].
    """
    count, size, _, channels = images.shape.as_list()
    margins_x = _margins(inverse.a, inverse.b, inverse.tx, size)
    margins_y = _margins(inverse.c, inverse.d, inverse.ty, size)
    moved = inverse.moves()
    table_shape = [count, 4 * size + 2 * _EDGE, 4 * size + 2 * _EDGE, channels]
    sampled_shape = [count, 2 * size + 10, 2 * size + 10, channels]

    def up(x):
        return _along(lambda x: _upsample(x, margins_x), _along(lambda x: _upsample(x, margins_y), x, axis=1), axis=2)

    def sample(table):
        x, y = _positions(inverse, size)
        return _bilinear(table, _taps(x, margins_x, size), _taps(y, margins_y, size))

    def down(sampled):
        return _along(_downsample, _along(_downsample, sampled, axis=1), axis=2)

    def stage(function, x, shape):
        # What a branch returns is in memory. Without the branches XLA for GPUs fuses the stages, and evaluates both filters
        # again at each of the four entries around a sample: 78 of the 80 ms that they took at 256x256 on an H200.
        return tf.cond(moved, lambda: function(x), lambda: tf.zeros(shape))

    def forward(x):
        sampled = stage(sample, stage(up, x, table_shape), sampled_shape)
        return tf.cond(moved, lambda: down(sampled), lambda: x)

    def backward(d):
        sampled = stage(_adjoint(down, sampled_shape), d, sampled_shape)
        table = stage(_adjoint(sample, table_shape), sampled, table_shape)
        return tf.cond(moved, lambda: _adjoint(up, images.shape)(table), lambda: d)

    return _linear(forward, backward)(images)


def _linear(function, adjoint):
    """Return the linear `function` with `adjoint` as its gradient, and so on."""

    @tf.custom_gradient
    def forward(x):
        return function(x), backward

    @tf.custom_gradient
    def backward(d):
        return adjoint(d), forward

    return forward


def _adjoint(function, shape):
    """Return the adjoint of a linear function of arrays of this shape."""

    def adjoint(d):
        x = tf.zeros(shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x, d)

    return adjoint


def _margins(across, along, shift, size):
    """Return the padding (int32 scalars before, after) of an axis: what the batch's outermost corner needs, at most S - 1."""
    centre = (size - 1) / 2
    reach = (tf.abs(across) + tf.abs(along)) * centre
    before, after = tf.reduce_max(reach - shift), tf.reduce_max(reach + shift)
    return tuple(
        tf.cast(tf.clip_by_value(tf.math.ceil(corner - centre + 2 * _BORDER_PX), 0, size - 1), tf.int32)
        for corner in (before, after)
    )


def _along(function, x, axis):
    """Return `function` of x [N, H, W, C] seen as [outer, length, inner], its axis 1 being the wanted axis (1 or 2) of x."""
    shape = x.shape.as_list()
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    result = function(tf.reshape(x, [outer, shape[axis], inner]))
    return tf.reshape(result, shape[:axis] + [result.shape[1]] + shape[axis + 1 :])


def _weighted(x, taps, length):
    """Return the sum of weight · x[:, start : start + length] over the pairs (start, weight) of `taps`."""
    return tf.add_n([x[:, start : start + length] * weight for start, weight in taps])


def _interleaved(x, phases, length):
    """Return y [outer, 2·length, inner] whose entries 2i and 2i + 1 are the sums over phases[0] and phases[1] around x[:, i]."""
    outer, _, inner = x.shape.as_list()
    if for_gpu_compiler():  # one loop that writes whole lines
        first, second = dict(phases[0]), dict(phases[1])
        pairs = [(i, np.float32([first.get(i, 0), second.get(i, 0)])) for i in sorted(set(first) | set(second))]
        y = tf.add_n([x[:, start : start + length, tf.newaxis] * taps[:, np.newaxis] for start, taps in pairs])
    else:
        y = tf.stack([_weighted(x, phase, length) for phase in phases], axis=2)
    return tf.reshape(y, [outer, 2 * length, inner])


def _upsample(x, margins):
    """Return the table described above, [outer, 4S + 10, inner], of x [outer, S, inner]."""
    outer, size, inner = x.shape.as_list()
    before, after = margins
    offsets = tf.range(_EDGE)
    first, last = _reflect(offsets - before, size), _reflect(size - 1 + after - offsets, size)
    borders = tf.constant([3, 2, 1, size - 2, size - 3, size - 4])
    extended = _extend(x, tf.concat([borders, first, last], axis=0))

    padded = tf.concat([extended[:, size : size + 3], extended[:, :size], extended[:, size + 3 : size + 6]], axis=1)
    odd_taps, even_taps = SYM6[1::2], SYM6[0::2]
    forward = _interleaved(padded, [[(5 - j, odd_taps[j]) for j in range(6)], [(6 - j, even_taps[j]) for j in range(6)]], size)
    backward = _interleaved(padded, [[(1 + j, odd_taps[j]) for j in range(6)], [(1 + j, even_taps[j]) for j in range(6)]], size)

    inside = tf.cast(offsets < size + before + after, tf.float32)  # false only in images smaller than the filter
    weights = _EDGE_WEIGHTS * tf.concat([inside, inside], axis=0)
    edges = _mix(extended[:, size + 6 :], weights)
    return tf.concat([forward, backward, edges], axis=1)


def _edge_weights():
    """Return float32 [10, 10]: what the five first and five last pixels of the padding give to the table's edge entries."""
    weights = np.zeros([2 * _EDGE, 2 * _EDGE], np.float32)
    for entry in range(_EDGE):
        for pixel in range(_EDGE):
            for block, tap in ((0, entry - 2 * pixel + 5), (_EDGE, entry + 2 * pixel + 2)):
                if 0 <= tap < len(SYM6):
                    weights[block + entry, block + pixel] = SYM6[tap]
    return weights


_EDGE_WEIGHTS = _edge_weights()


def _reflect(index, size):
    """Return pixel indices in [0, S) for indices in [-(S-1), 2(S-1)], mirrored at the borders."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))


def _extend(x, indices):
    """Return x [outer, S, inner] with copies of its rows `indices` (int32 [K]) appended: [outer, S + K, inner].

    Its gradient adds those few rows in place. The gradient that TensorFlow would build from slices and mirrored padding is
    evaluated again for each of its uses once XLA has fused it, which made this step fifty times slower.
    """
    outer, size, _ = x.shape.as_list()
    rows = tf.tile(indices[tf.newaxis], [outer, 1])
    places = tf.stack([tf.tile(tf.range(outer)[:, tf.newaxis], [1, indices.shape[0]]), rows], axis=2)

    @tf.custom_gradient
    def extend(x):
        extended = tf.concat([x, tf.gather(x, indices, axis=1)], axis=1)
        return extended, lambda d: tf.tensor_scatter_nd_add(d[:, :size], places, d[:, size:])

    return extend(x)


def _mix(x, weights):
    """Return the product of weights [K, L] and x [outer, L, inner]: [outer, K, inner].

    A sum of products, not a matrix product, which a GPU would round to ten bits.
    """

    @tf.custom_gradient
    def product(x):
        terms = [x[:, k : k + 1] * weights[:, k, tf.newaxis] for k in range(x.shape[1])]
        return tf.add_n(terms), lambda d: _mix(d, tf.transpose(weights))

    return product(x)


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

    def gather(flat):
        return tf.add_n([tf.gather(flat, index) * weight for index, weight in taps])

    def scatter(d):
        updates = tf.stack([d * weight for _, weight in taps])
        return tf.math.unsorted_segment_sum(updates, tf.stack([index for index, _ in taps]), total)

    return _linear(gather, scatter)(flat)


def _downsample(x):
    """Return y[k] = sum over j of h[j] · x[2k + j] along axis 1 of x [outer, 2S + 10, inner]: [outer, S, inner]."""
    outer, length, inner = x.shape.as_list()
    pairs = tf.reshape(x, [outer, length // 2, 2, inner])
    size = length // 2 - 5
    even = _weighted(pairs[:, :, 0], [(j, SYM6[2 * j]) for j in range(6)], size)
    odd = _weighted(pairs[:, :, 1], [(j, SYM6[2 * j + 1]) for j in range(6)], size)
    return even + odd
