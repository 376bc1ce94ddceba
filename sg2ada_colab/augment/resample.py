"""Affine resampling of images: reflect at the borders, up-sample by 2 with sym6, sample bilinearly, down-sample by 2."""

from ..networks.resampling import resample as filtered
from ..tf import for_gpu_compiler, tf
from .tables import SYM6, Joined, Woven, along, row, weighted

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
    sampled_shape = [count, 2 * size + 10, 2 * size + 10]

    def stage(function, x, shape):
        # What a branch returns is in memory. Without the branches XLA for GPUs fuses the stages, and evaluates both filters
        # again at each of the four entries around a sample: 78 of the 80 ms that they took at 256x256 on an H200.
        return tf.cond(moved, lambda: function(x), lambda: tf.zeros(shape))

    def kept(function):
        return tf.cond(moved, function, lambda: tuple(tf.zeros_like(x) for x in function()))

    def entries(form, length):
        x, y = _positions(inverse, size)
        return _bilinear(length, _taps(form, x, margins_x, size), _taps(form, y, margins_y, size))

    def sampled_from(form):
        def sample(table):
            flat = tf.reshape(table, [-1, table.shape[3]])
            return tf.add_n([tf.gather(flat, at) * weight[..., tf.newaxis] for at, weight in entries(form, table.shape[1])])

        return sample

    def spread_over(shape):
        """Return the adjoint of sampling from `Joined`."""

        def stacked():
            return tuple(tf.stack(values) for values in zip(*entries(Joined, shape[1])))

        def spread(d, at, weight):
            total = shape[0] * shape[1] * shape[2]
            return tf.reshape(tf.math.unsorted_segment_sum(d * weight[..., tf.newaxis], at, total), shape)

        if for_gpu_compiler():  # which adds each channel of each entry by itself, and would work out each time where it belongs
            at, weight = kept(stacked)
            return lambda d: spread(d, at, weight)
        return lambda d: spread(d, *stacked())

    def down(sampled):
        if for_gpu_compiler():
            return filtered(sampled, SYM6, down=2, size=(size, size))
        return along(_downsample, along(_downsample, sampled, axis=1), axis=2)

    def forward(x):
        form, table = (Woven, _with_fourth_channel(x)) if for_gpu_compiler() else (Joined, x)
        for step, shape in form.steps(table.shape.as_list(), margins_x, margins_y, kept):
            table = stage(step, table, shape)
        sampled = stage(sampled_from(form), table, sampled_shape + [table.shape[3]])
        return tf.cond(moved, lambda: down(sampled)[..., :channels], lambda: x)

    def backward(d):
        ((up, table_shape),) = Joined.steps(images.shape.as_list(), margins_x, margins_y, kept)
        wide = _with_fourth_channel(d) if for_gpu_compiler() else d
        wide_shape = sampled_shape + [wide.shape[3]]
        sampled = stage(_adjoint(down, wide_shape), wide, wide_shape)[..., :channels]
        table = stage(spread_over(table_shape), sampled, table_shape)
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


def _with_fourth_channel(x):
    """Return RGB images with a fourth channel of zeros: a GPU then loads a pixel at once."""
    return tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 1]]) if x.shape[3] == 3 else x


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


def _positions(inverse, size):
    """Return x and y [N, P, P] in the up-sampled input for the P = 2S + 10 positions per axis that the down-sampling reads."""
    centre = (size - 1) / 2
    grid = (tf.range(1, 2 * size + 2 * _BORDER_PX * 2 - 1, dtype=tf.float32)) / 2 - (centre + _BORDER_PX)
    x_out, y_out = grid[tf.newaxis, tf.newaxis, :], grid[tf.newaxis, :, tf.newaxis]

    def place(across, along, shift):
        across, along, shift = (v[:, tf.newaxis, tf.newaxis] for v in (across, along, shift))
        return 2 * (across * x_out + along * y_out + (shift + centre))

    return place(inverse.a, inverse.b, inverse.tx), place(inverse.c, inverse.d, inverse.ty)


def _taps(form, position, margins, size):
    """Return [(table row, weight), (table row, weight)] of the two entries around each position; outside the padding weigh 0."""
    position = tf.clip_by_value(position, -4.0 * size, 8.0 * size)
    floor = tf.floor(position)
    fraction = position - floor
    entry = tf.cast(floor, tf.int32)
    return [row(form, entry, 1 - fraction, margins, size), row(form, entry + 1, fraction, margins, size)]


def _bilinear(length, taps_x, taps_y):
    """Return the four (entry in a flat table [N·length·length, C], weight) around each position, int32 and float32 [N, P, P]."""
    images = tf.range(taps_x[0][0].shape[0])[:, tf.newaxis, tf.newaxis] * length
    return [
        ((images + row_y) * length + row_x, weight_y * weight_x) for row_y, weight_y in taps_y for row_x, weight_x in taps_x
    ]


def _downsample(x):
    """Return y[k] = sum over j of h[j] · x[2k + j] along axis 1 of x [outer, 2S + 10, inner]: [outer, S, inner]."""
    outer, length, inner = x.shape.as_list()
    pairs = tf.reshape(x, [outer, length // 2, 2, inner])
    size = length // 2 - 5
    even = weighted(pairs[:, :, 0], [(j, SYM6[2 * j]) for j in range(6)], size)
    odd = weighted(pairs[:, :, 1], [(j, SYM6[2 * j + 1]) for j in range(6)], size)
    return even + odd
