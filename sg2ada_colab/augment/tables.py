"""The table that resampling samples from: images padded by reflection and up-sampled by 2, without their padding.

The original pads the images by a margin that depends on the batch. XLA needs static shapes, and the largest possible margin
would make nine times the pixels. So the padded image never exists: a mirrored stretch of it, up-sampled, equals the
un-padded image up-sampled with the time-reversed filter (sym6 is not symmetric). Each axis of the table holds

    4S entries     the image, up-sampled, and the image, up-sampled with the reversed filter: what the mirrored stretches
                   consist of, read backwards
    10 and more    the first and last five entries of the padded, up-sampled axis, where the filter reaches beyond the padding

and a sampling position becomes a row of it by arithmetic. The margins are scalars that enter that arithmetic.

There are two forms. `Joined` puts these stretches one after another; processors take it, and all gradients. `Woven` has the four
entries around each pixel side by side, so that all of it is one sum over seven neighbours: a GPU writes it in whole lines.
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
EDGE = 5  # entries at either end that a filter of 12 taps, up-sampling by 2, cannot fill wholly


class Joined:
    """Forward [0, 2S), reversed [2S, 4S), the first five [4S, 4S+5), the last five [4S+5, 4S+10)."""

    @staticmethod
    def steps(shape, margins_x, margins_y, kept):
        """Return (function, shape of its result) of the steps that make the table of images.

        Args:
            shape: Of the images, [N, S, S, C].
            margins_x, margins_y: Pairs of int32 scalars, the padding before and after.
            kept: Returns what a function returns, computed once and put into memory; not needed here.
        """

        def upsample(x):
            return along(lambda x: _upsample(x, margins_x), along(lambda x: _upsample(x, margins_y), x, axis=1), axis=2)

        length = 4 * shape[1] + 2 * EDGE
        return [(upsample, [shape[0], length, length, shape[3]])]

    @staticmethod
    def place(entry, mirrored, size):
        """Return the row of an up-sampled entry in [0, 2S), of the reversed filter where `mirrored` is 1."""
        return entry + 2 * size * mirrored

    @staticmethod
    def place_first(entry, size):
        """Return the row of entry 0..4 of the padded axis."""
        return 4 * size + entry

    @staticmethod
    def place_last(entry, size):
        """Return the row of entry 0..4 of the last five."""
        return 4 * size + EDGE + entry


class Woven:
    """Entries 4i to 4i + 3 belong to window i: forward even and odd, reversed even and odd.

    The windows are seven wide and go over the extended axis

        [0, S + 6)         the image and three mirrored pixels at either side
        [S + 6, S + 15)    three zeros and the first pixels of the padding
        [S + 15, S + 24)   its last pixels and three zeros

    in which the windows that reach from one stretch into the next mean nothing and are never looked up.
    """

    @staticmethod
    def steps(shape, margins_x, margins_y, kept):
        """Like those of `Joined`; the second step reads each of its seven neighbours from memory, not from the sum behind it."""
        axis_x, axis_y = (kept(lambda margins=margins: _extended_axis(shape[1], margins)) for margins in (margins_x, margins_y))

        def upsample_rows(x):
            rows = along(_windows, along(lambda x: _extended(x, *axis_y), x, axis=1), axis=1)
            return along(lambda x: _extended(x, *axis_x), rows, axis=2)

        def upsample_columns(x):
            return along(_windows, x, axis=2)

        length = 4 * (shape[1] + 18)
        return [
            (upsample_rows, [shape[0], length, shape[1] + 24, shape[3]]),
            (upsample_columns, [shape[0], length, length, shape[3]]),
        ]

    @staticmethod
    def place(entry, mirrored, size):
        return _window_entry(entry) + 2 * mirrored

    @staticmethod
    def place_first(entry, size):
        return 4 * (size + 6) + _window_entry(entry)

    @staticmethod
    def place_last(entry, size):
        return 4 * (size + 15) + _window_entry(entry + 1)


def row(form, entry, weight, margins, size):
    """Return (row of the table, weight) of entries of the un-padded, up-sampled axis; outside the padding the weight is 0."""
    before, after = margins
    end = 2 * (size - 1)  # the entry of the last pixel, about which the signal is mirrored
    mirrored = tf.cast(tf.logical_or(entry < 0, entry > end), tf.int32)
    inner = tf.where(entry < 0, -entry, tf.where(entry > end, 2 * end - entry, entry))
    from_first = entry + 2 * before
    from_last = entry - (2 * (size + after) - EDGE)
    found = form.place(inner, mirrored, size)
    found = tf.where(from_first < EDGE, form.place_first(from_first, size), found)
    found = tf.where(from_last >= 0, form.place_last(from_last, size), found)
    inside = tf.logical_and(from_first >= 0, from_last < EDGE)
    return tf.where(inside, found, tf.zeros_like(found)), tf.where(inside, weight, tf.zeros_like(weight))


def along(function, x, axis):
    """Return `function` of x [N, H, W, C] seen as [outer, length, inner], its axis 1 being the wanted axis (1 or 2) of x."""
    shape = x.shape.as_list()
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    result = function(tf.reshape(x, [outer, shape[axis], inner]))
    return tf.reshape(result, shape[:axis] + [result.shape[1]] + shape[axis + 1 :])


def _window_entry(entry):
    """Return 4·(entry // 2) + entry % 2 of entries of 0 and more."""
    return 2 * entry - entry % 2


def _window_taps():
    """Return float32 [7, 4]: what the pixels of a window give to its four entries."""
    taps = np.zeros([7, 4], np.float32)
    taps[5::-1, 0], taps[6:0:-1, 1] = SYM6[1::2], SYM6[0::2]
    taps[1:, 2], taps[1:, 3] = SYM6[1::2], SYM6[0::2]
    return taps


_WINDOW_TAPS = _window_taps()


def _windows(x):
    """Return the four entries of each window of x [outer, L, inner]: [outer, 4·(L - 6), inner]."""
    outer, length, inner = x.shape.as_list()
    count = length - 6
    y = tf.add_n([x[:, j : j + count, tf.newaxis] * _WINDOW_TAPS[j][:, np.newaxis] for j in range(7)])
    return tf.reshape(y, [outer, 4 * count, inner])


def _extended_axis(size, margins):
    """Return the pixels (int32) and weights (float32) [S + 24] that the extended axis of `Woven` consists of."""
    before, after = margins
    offsets = tf.range(EDGE)
    first, last = _reflect(offsets - before, size), _reflect(size - 1 + after - offsets, size)
    inside = tf.cast(offsets < size + before + after, tf.float32)  # false only in images smaller than the filter
    none, nothing = tf.zeros([4], tf.int32), tf.zeros([4])
    sources = [[3, 2, 1], tf.range(size), [size - 2, size - 3, size - 4], none[:3], first, none[:2], last[::-1], none[:3]]
    weights = [tf.ones([size + 6]), nothing[:3], inside, nothing[:2], inside[::-1], nothing[:3]]
    return tf.concat(sources, axis=0), tf.concat(weights, axis=0)


def _extended(x, pixels, weights):
    """Return x [outer, S, inner] along its extended axis: [outer, S + 24, inner]."""
    return tf.gather(x, pixels, axis=1) * weights[:, tf.newaxis]


def weighted(x, taps, length):
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
        y = tf.stack([weighted(x, phase, length) for phase in phases], axis=2)
    return tf.reshape(y, [outer, 2 * length, inner])


def _upsample(x, margins):
    """Return an axis of `Joined`, [outer, 4S + 10, inner], of x [outer, S, inner]."""
    outer, size, inner = x.shape.as_list()
    before, after = margins
    offsets = tf.range(EDGE)
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
    weights = np.zeros([2 * EDGE, 2 * EDGE], np.float32)
    for entry in range(EDGE):
        for pixel in range(EDGE):
            for block, tap in ((0, entry - 2 * pixel + 5), (EDGE, entry + 2 * pixel + 2)):
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
