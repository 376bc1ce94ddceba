"""Affine resampling of images: reflect at the borders, up-sample by 2 with sym6, sample bilinearly, down-sample by 2."""

from typing import Any, List

from ..networks.resampling import resample as filtered
from ..tf import for_gpu_compiler, tf
from .resample_table import SYM6, ConcatenatedTable, InterleavedTable, along, weighted

_BORDER_PX = 3  # a quarter of the filter: what the down-sampling needs around the output image


def resample(images: tf.Tensor, inverse: Any) -> tf.Tensor:
    """Return images whose pixel at q (relative to the centre) shows the input at `inverse`(q).

    Section 2.1 and Appendix B of the ADA paper (Karras et al. 2020); the gradient is the exact adjoint, to any order. Where
    `inverse` moves no image at all, nothing is computed: sym6 is orthogonal, so the result would be the input.

    Args:
        images: float32 [N, H, W, C], H and W at least 4, static shape.
        inverse: geometry.Affine with coefficients [N].
    """
    resampling = _Resampling(inverse, images.shape.as_list())
    return _linear(resampling.forward, resampling.backward)(images)


class _Resampling:
    """The linear map of images [N, H, W, C] to what `inverse` makes of them: up, sample, down; and its adjoint."""

    def __init__(self, inverse: Any, shape: List[int]) -> None:
        self.inverse = inverse
        count, self.height, self.width, self.channels = shape
        image_px = (self.width, self.height)
        self.margins_x = _margins(inverse.a, inverse.b, inverse.tx, self.width, image_px)
        self.margins_y = _margins(inverse.c, inverse.d, inverse.ty, self.height, image_px)
        self.moved = inverse.moves()
        self.sampled_shape = [count, 2 * self.height + 10, 2 * self.width + 10]

    def forward(self, x):
        form, wide = (InterleavedTable, _with_fourth_channel(x)) if for_gpu_compiler() else (ConcatenatedTable, x)
        shape = wide.shape.as_list()
        up, table_shape = form.table(shape, self.margins_x, self.margins_y, self.materialise)
        table = self.stage(up, wide, table_shape)
        sampled = self.stage(lambda table: self.sample(table, form), table, self.sampled_shape + shape[3:])
        return self.stage(self.down, sampled, shape, lambda shape: wide)[..., : self.channels]

    def backward(self, d):
        wide = _with_fourth_channel(d) if for_gpu_compiler() else d  # four numbers are added to the table at once, three are not
        shape = wide.shape.as_list()
        up, table_shape = ConcatenatedTable.table(shape, self.margins_x, self.margins_y, self.materialise)
        sampled = self.stage(_adjoint(self.down, self.sampled_shape + shape[3:]), wide, self.sampled_shape + shape[3:])
        table = self.stage(self.spread_over(table_shape), sampled, table_shape)
        return self.stage(_adjoint(up, shape), table, shape, lambda shape: wide)[..., : self.channels]

    def stage(self, function, x, shape, unmoved=tf.zeros):
        """Return function(x), of this shape, where `inverse` moves an image, and unmoved(shape) elsewhere."""
        # What a branch returns is in memory. Without the branches XLA for GPUs fuses the stages, and evaluates both filters
        # again at each of the four entries around a sample: 78 of the 80 ms that they took at 256x256 on an H200. It is flat,
        # since XLA would else put the axis first along which it filtered last, and the next stage would read across lines.
        flat = tf.cond(self.moved, lambda: tf.reshape(function(x), [-1]), lambda: tf.reshape(unmoved(shape), [-1]))
        return tf.reshape(flat, shape)

    def materialise(self, function):
        """Return the tensors that `function` returns, in memory; zeros where no image moves."""
        return tf.cond(self.moved, function, lambda: tuple(tf.zeros_like(x) for x in function()))

    def sample(self, table, form):
        """Return the samples [N, P, Q, C] from a table: sums of the entries around them."""
        flat = tf.reshape(table, [-1, table.shape[3]])
        return tf.add_n([tf.gather(flat, at) * weight for at, weight in self.entries(form, table.shape.as_list())])

    def spread_over(self, shape):
        """Return the adjoint of sampling from a `ConcatenatedTable` of this shape."""

        def stacked():
            return tuple(tf.stack(values) for values in zip(*self.entries(ConcatenatedTable, shape)))

        def spread(d, at, weight):
            total = shape[0] * shape[1] * shape[2]
            return tf.reshape(tf.math.unsorted_segment_sum(d * weight, at, total), shape)

        if for_gpu_compiler():  # which would work out again, in the loop that adds, where each entry belongs
            at, weight = self.materialise(stacked)
            return lambda d: spread(d, at, weight)
        return lambda d: spread(d, *stacked())

    def entries(self, form, shape):
        """Return the pairs (entry in a flat table of this shape, weight) around each sample."""
        x, y = _positions(self.inverse, self.height, self.width)
        columns = form.columns(x, self.margins_x, self.width, shape[3])
        return _in_flat_table(shape, columns, form.rows(y, self.margins_y, self.height))

    def down(self, sampled):
        """Return what is sampled at twice the size [N, P, Q, C], filtered, at the images' size [N, H, W, C]."""
        if for_gpu_compiler():
            return filtered(sampled, SYM6, down=2, size=(self.height, self.width))
        return along(_downsample, along(_downsample, sampled, axis=1), axis=2)


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


def _margins(of_x, of_y, shift, size, image_px):
    """Return the padding (int32 scalars before, after) of an axis: what the batch's outermost corner needs, at most S - 1.

    Args:
        of_x, of_y: Coefficients [N].
        size: Of the images along the axis, px.
        image_px: Their width and height.
    """
    centre = (size - 1) / 2
    if image_px[0] == image_px[1]:
        reach = (tf.abs(of_x) + tf.abs(of_y)) * centre
    else:
        reach = tf.abs(of_x) * ((image_px[0] - 1) / 2) + tf.abs(of_y) * ((image_px[1] - 1) / 2)
    before, after = tf.reduce_max(reach - shift), tf.reduce_max(reach + shift)
    return tuple(
        tf.cast(tf.clip_by_value(tf.math.ceil(corner - centre + 2 * _BORDER_PX), 0, size - 1), tf.int32)
        for corner in (before, after)
    )


def _positions(inverse, height, width):
    """Return x and y [N, P, Q] in the up-sampled input that the down-sampling reads, P = 2H + 10 and Q = 2W + 10."""
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2

    def grid(size, centre):
        return (tf.range(1, 2 * size + 2 * _BORDER_PX * 2 - 1, dtype=tf.float32)) / 2 - (centre + _BORDER_PX)

    x_out, y_out = grid(width, centre_x)[tf.newaxis, tf.newaxis, :], grid(height, centre_y)[tf.newaxis, :, tf.newaxis]

    def place(across, along, shift, centre):
        across, along, shift = (v[:, tf.newaxis, tf.newaxis] for v in (across, along, shift))
        return 2 * (across * x_out + along * y_out + (shift + centre))

    return place(inverse.a, inverse.b, inverse.tx, centre_x), place(inverse.c, inverse.d, inverse.ty, centre_y)


def _in_flat_table(shape, columns, rows):
    """Return the pairs (entry in a flat table [N·H·W, C], weight) of rows and columns: int32 [N,P,Q], float32 [N,P,Q,1 or C]."""
    images = tf.range(shape[0])[:, tf.newaxis, tf.newaxis] * shape[1]
    return [((images + row) * shape[2] + column, of_row * of_column) for row, of_row in rows for column, of_column in columns]


def _downsample(x):
    """Return y[k] = sum over j of h[j] · x[2k + j] along axis 1 of x [outer, 2S + 10, inner]: [outer, S, inner]."""
    outer, length, inner = x.shape.as_list()
    pairs = tf.reshape(x, [outer, length // 2, 2, inner])
    size = length // 2 - 5
    even = weighted(pairs[:, :, 0], [(j, SYM6[2 * j]) for j in range(6)], size)
    odd = weighted(pairs[:, :, 1], [(j, SYM6[2 * j + 1]) for j in range(6)], size)
    return even + odd
