"""The table that resampling samples from: images padded by reflection and up-sampled by 2, without their padding.

The original pads the images by a margin that depends on the batch. XLA needs static shapes, and the largest possible margin
would make nine times the pixels. So the padded image never exists: a mirrored stretch of it, up-sampled, equals the
un-padded image up-sampled with the time-reversed filter (sym6 is not symmetric). Each axis of the table, S pixels long, holds

    4S entries     the image, up-sampled, and the image, up-sampled with the reversed filter: what the mirrored stretches
                   consist of, read backwards
    10 and more    the first and last five entries of the padded, up-sampled axis, where the filter reaches beyond the padding

and a sampling position becomes a row of it by arithmetic. The margins are scalars that enter that arithmetic.

There are two forms. `ConcatenatedTable` puts these stretches one after another; processors take it, and all gradients.
`InterleavedTable` has the four entries around each pixel side by side, so that a GPU writes them in one loop, in whole lines; and
only its rows are up-sampled: its columns are pixels, eight of which give each sample what its two entries would.
"""

from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from ..networks.resampling import resample_axis
from ..tf import for_gpu_compiler, tf

Entries = List[Tuple[tf.Tensor, tf.Tensor]]  # rows or columns int32, and their weights


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


class ConcatenatedTable:
    """Forward [0, 2S), reversed [2S, 4S), the first five [4S, 4S+5), the last five [4S+5, 4S+10)."""

    @staticmethod
    def table(
        shape: Sequence[int],
        margins_x: Tuple[tf.Tensor, tf.Tensor],
        margins_y: Tuple[tf.Tensor, tf.Tensor],
        materialise: Callable,
    ) -> Tuple[Callable, List[int]]:
        """Return the function that makes the table of images, and the shape of the table.

        Args:
            shape: Of the images, [N, H, W, C].
            margins_x, margins_y: Pairs of int32 scalars, the padding before and after.
            materialise: Forces a result to be materialised; not needed here.
        """

        def upsample(x):
            return along(lambda x: _upsample(x, margins_x), along(lambda x: _upsample(x, margins_y), x, axis=1), axis=2)

        return upsample, [shape[0], 4 * shape[1] + 2 * EDGE, 4 * shape[2] + 2 * EDGE, shape[3]]

    @staticmethod
    def rows(position: tf.Tensor, margins: Tuple[tf.Tensor, tf.Tensor], size: int) -> Entries:
        """Return [(row of the table, weight)] of the two entries around each position, with weights [N, P, Q, 1]; `size` is S."""
        return _two_entries(ConcatenatedTable, position, margins, size)

    @staticmethod
    def columns(position: tf.Tensor, margins: Tuple[tf.Tensor, tf.Tensor], size: int, channels: int) -> Entries:
        """Return the same for columns, which are alike; the weights may have as many channels as the images."""
        return _two_entries(ConcatenatedTable, position, margins, size)

    @staticmethod
    def place(entry: tf.Tensor, mirrored: tf.Tensor, size: int) -> tf.Tensor:
        """Return the row of an up-sampled entry in [0, 2S), of the reversed filter where `mirrored` is 1."""
        return entry + 2 * size * mirrored

    @staticmethod
    def place_first(entry: tf.Tensor, size: int) -> tf.Tensor:
        """Return the row of entry 0..4 of the padded axis."""
        return 4 * size + entry

    @staticmethod
    def place_last(entry: tf.Tensor, size: int) -> tf.Tensor:
        """Return the row of entry 0..4 of the last five."""
        return 4 * size + EDGE + entry


class InterleavedTable:
    """Rows 4i to 4i + 3 belong to window i: forward even and odd, reversed even and odd. Columns are the extended axis itself.

    The windows are seven wide and go over the extended axis

        [0, S + 6)         the image and three mirrored pixels at either side
        [S + 6, S + 15)    three zeros and the first six pixels of the padding
        [S + 15, S + 24)   its last six pixels and three zeros

    in which the windows that reach from one stretch into the next mean nothing and are never looked up.
    """

    @staticmethod
    def table(
        shape: Sequence[int],
        margins_x: Tuple[tf.Tensor, tf.Tensor],
        margins_y: Tuple[tf.Tensor, tf.Tensor],
        materialise: Callable,
    ) -> Tuple[Callable, List[int]]:
        """Return the same as that of `ConcatenatedTable`; `materialise` puts the extended axes into memory."""
        axis_x, axis_y = (
            materialise(lambda size=size, margins=margins: _extended_axis(size, margins))
            for size, margins in ((shape[2], margins_x), (shape[1], margins_y))
        )

        def upsample_rows(x):
            rows = along(_windows, along(lambda x: _extended(x, *axis_y), x, axis=1), axis=1)
            return along(lambda x: _extended(x, *axis_x), rows, axis=2)

        return upsample_rows, [shape[0], 4 * (shape[1] + 18), shape[2] + 24, shape[3]]

    @staticmethod
    def rows(position: tf.Tensor, margins: Tuple[tf.Tensor, tf.Tensor], size: int) -> Entries:
        """Like those of `ConcatenatedTable`."""
        return _two_entries(InterleavedTable, position, margins, size)

    @staticmethod
    def columns(position: tf.Tensor, margins: Tuple[tf.Tensor, tf.Tensor], size: int, channels: int) -> Entries:
        """Return [(column of the table, weight)] of the eight pixels that the two entries around each position consist of."""
        entry, fraction = _entry_and_fraction(position, size)
        before, after = margins
        end = 2 * (size - 1)
        mirrored = tf.logical_or(entry < 0, entry > end)
        inner = tf.where(entry < 0, -entry, tf.where(entry > end, 2 * end - entry, entry))
        odd = inner % 2
        first = inner // 2  # window of the entry, or of the next where that comes before
        pair = tf.where(mirrored, _MIRRORED_EVEN + odd, odd)
        first = tf.where(tf.logical_and(mirrored, tf.equal(odd, 0)), first - 1, first)
        from_first = entry + 2 * before
        from_last = entry - (2 * (size + after) - EDGE) + 1  # of the entry before the last five
        for there, kind, start in (
            (tf.equal(entry, -1), _ABOUT_FIRST, 0),
            (tf.equal(entry, end), _ABOUT_LAST, size - 2),
            (from_first < EDGE, from_first % 2, size + 6 + from_first // 2),
            (from_last >= 0, from_last % 2, size + 15 + from_last // 2),
        ):
            pair = tf.where(there, tf.zeros_like(pair) + kind, pair)
            first = tf.where(there, tf.zeros_like(first) + start, first)
        inside = tf.logical_and(from_first >= 0, from_last <= EDGE)
        next_inside = tf.logical_and(from_first >= -1, from_last < EDGE)
        weight = tf.where(inside, 1 - fraction, tf.zeros_like(fraction))
        next_weight = tf.where(next_inside, fraction, tf.zeros_like(fraction))
        pair, first = (tf.where(tf.logical_or(inside, next_inside), x, tf.zeros_like(x)) for x in (pair, first))
        # With channels from here on, XLA works out the weights where they are used; else it writes down all eight of each sample.
        shape = pair.shape.as_list() + [channels]
        pair, weight, next_weight = (tf.broadcast_to(x[..., tf.newaxis], shape) for x in (pair, weight, next_weight))
        of_entry, of_next = ([tf.gather(tf.constant(taps[:, j]), pair) for j in range(8)] for taps in _PAIR_TAPS)
        return [(first + j, weight * of_entry[j] + next_weight * of_next[j]) for j in range(8)]

    @staticmethod
    def place(entry: tf.Tensor, mirrored: tf.Tensor, size: int) -> tf.Tensor:
        return _window_entry(entry) + 2 * mirrored

    @staticmethod
    def place_first(entry: tf.Tensor, size: int) -> tf.Tensor:
        return 4 * (size + 6) + _window_entry(entry)

    @staticmethod
    def place_last(entry: tf.Tensor, size: int) -> tf.Tensor:
        return 4 * (size + 15) + _window_entry(entry + 1)


def _entry_and_fraction(position, size):
    """Return the entry before each position (int32), and how far it is from there to the position, in [0, 1)."""
    position = tf.clip_by_value(position, -4.0 * size, 8.0 * size)
    floor = tf.floor(position)
    return tf.cast(floor, tf.int32), position - floor


def _two_entries(form, position, margins, size):
    """Return [(table row, weight), (table row, weight)] of the two entries around each position; outside the padding weigh 0."""
    entry, fraction = _entry_and_fraction(position, size)
    pairs = [_row(form, entry, 1 - fraction, margins, size), _row(form, entry + 1, fraction, margins, size)]
    return [(found, weight[..., tf.newaxis]) for found, weight in pairs]


def _row(form, entry, weight, margins, size):
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


def along(function: Callable, x: tf.Tensor, axis: int) -> tf.Tensor:
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


def _pair_taps():
    """Return two float32 [6, 8]: what the eight pixels from a window on give to an entry and to the next, by kind of pair."""

    def shifted(entry, by):
        return np.pad(_WINDOW_TAPS[:, entry], (by, 1 - by))

    forward_even, forward_odd, reversed_even, reversed_odd = range(4)
    pairs = [  # (entry, windows further on) of both
        ((forward_even, 0), (forward_odd, 0)),
        ((forward_odd, 0), (forward_even, 1)),
        ((reversed_even, 1), (reversed_odd, 0)),
        ((reversed_odd, 0), (reversed_even, 0)),
        ((reversed_odd, 0), (forward_even, 0)),
        ((forward_even, 1), (reversed_odd, 0)),
    ]
    return tuple(np.stack([shifted(*pair[k]) for pair in pairs]) for k in range(2))


_MIRRORED_EVEN, _ABOUT_FIRST, _ABOUT_LAST = 2, 4, 5  # kinds of pairs, in addition to forward even and odd
_PAIR_TAPS = _pair_taps()


def _windows(x):
    """Return the four entries of each window of x [outer, L, inner]: [outer, 4·(L - 6), inner]."""
    outer, length, inner = x.shape.as_list()
    count = length - 6
    y = tf.add_n([x[:, j : j + count, tf.newaxis] * _WINDOW_TAPS[j][:, np.newaxis] for j in range(7)])
    return tf.reshape(y, [outer, 4 * count, inner])


def _extended_axis(size, margins):
    """Return the pixels (int32) and weights (float32) [S + 24] that the extended axis of `InterleavedTable` consists of."""
    before, after = margins
    offsets = tf.range(EDGE + 1)
    first, last = _reflect(offsets - before, size), _reflect(size - 1 + after - offsets, size)
    inside = tf.cast(offsets < size + before + after, tf.float32)  # false only in images smaller than the filter
    none, nothing = tf.zeros([3], tf.int32), tf.zeros([3])
    sources = [[3, 2, 1], tf.range(size), [size - 2, size - 3, size - 4], none, first, last[::-1], none]
    weights = [tf.ones([size + 6]), nothing, inside, inside[::-1], nothing]
    return tf.concat(sources, axis=0), tf.concat(weights, axis=0)


def _extended(x, pixels, weights):
    """Return x [outer, S, inner] along its extended axis: [outer, S + 24, inner]."""
    return tf.gather(x, pixels, axis=1) * weights[:, tf.newaxis]


def weighted(x: tf.Tensor, taps: Sequence[Tuple[int, Any]], length: int) -> tf.Tensor:
    """Return the sum of weight · x[:, start : start + length] over the pairs (start, weight) of `taps`."""
    return tf.add_n([x[:, start : start + length] * weight for start, weight in taps])


def _interleaved(x, phases, length):
    """Return y [outer, 2·length, inner] whose entries 2i and 2i + 1 are the sums over phases[0] and phases[1] around x[:, i]."""
    outer, size, inner = x.shape.as_list()

    def forward(x):
        y = tf.stack([weighted(x, phase, length) for phase in phases], axis=2)
        return tf.reshape(y, [outer, 2 * length, inner])

    if not for_gpu_compiler():
        return forward(x)
    # Pixel p of the adjoint is the sum of tap · d[2 (p - start) + phase]: down-sampling, which has a form for a GPU.
    before = 2 * max(start for phase in phases for start, _ in phase)
    taps = np.zeros(before + 2)
    for k, phase in enumerate(phases):
        for start, tap in phase:
            taps[before + k - 2 * start] = tap

    @tf.custom_gradient
    def with_gradient(x):
        def backward(d):
            d = tf.reshape(d, [outer, 2 * length, 1, inner])
            return tf.reshape(resample_axis(d, taps, 1, 1, 2, before, size), [outer, size, inner])

        return forward(x), backward

    return with_gradient(x)


def _upsample(x, margins):
    """Return an axis of `ConcatenatedTable`, [outer, 4S + 10, inner], of x [outer, S, inner]."""
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
