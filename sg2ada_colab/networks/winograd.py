"""3x3 convolutions with 2.25 times fewer multiplications: Winograd's F(2x2, 3x3) (Lavin and Gray 2015, section 4.1), NHWC.

The image is cut into overlapping tiles of 4x4 px, two apart. Tiles and weights are transformed by sums; a product of 16 pairs
of matrices follows, and sums make 2x2 px of the result of each tile. Errors are those of the plain convolution.
"""

import numpy as np

from ..tf import tf

WEIGHT_SUMS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)  # G of the paper
OUTPUT_SUMS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)  # its transposed A


def is_faster(x: tf.Tensor, w: tf.Tensor) -> bool:
    """Return whether conv_3x3, compiled for processors, takes clearly less time than the plain convolution.

    Its sums move eight times the image through memory: that pays with 64 channels or more. At 8x8 px it saves less in a run than
    its longer compilation costs.

    Args:
        x: Image [N,H,W,C].
        w: Kernel [3,3,C,F].
    """
    large = int(x.shape[1]) * int(x.shape[2]) >= 16 * 16 and min(int(d) for d in w.shape[2:]) >= 64
    return large and int(w.shape[0]) == 3 and x.dtype == tf.float32


def _input_sums(x, axis):
    """[N,...,2T+2,...] → [4,N,...,T,...]: the transposed B of the paper times each four neighbours, two apart."""
    tiles = int(x.shape[axis]) // 2 - 1
    d = [x[(slice(None),) * axis + (slice(k, k + 2 * tiles - 1, 2),)] for k in range(4)]
    return tf.stack([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]])


def _gradient_sums(y, axis):
    """[N,...,2T,...] → [4,N,...,T,...]: A of the paper times each two neighbours."""
    even, odd = (y[(slice(None),) * axis + (slice(k, None, 2),)] for k in range(2))
    return tf.stack([even, even + odd, even - odd, -odd])


def _times(matrix, x):
    """Multiply the two leading axes of x, as one, by the Kronecker square of a matrix."""
    square = tf.constant(np.kron(matrix, matrix))
    return tf.matmul(square, tf.reshape(x, [square.shape[1], -1]))


def _tiles(x, sums, before):
    """Pad to whole tiles, and transform along height and width: [N,H,W,C] → [16, N·tiles, C]."""
    paddings = [[before, before + int(side) % 2] for side in x.shape[1:3]]
    x = tf.pad(x, [[0, 0]] + paddings + [[0, 0]])
    return tf.reshape(sums(sums(x, 2), 2), [16, -1, int(x.shape[3])])


def conv_3x3(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Correlate x [N,H,W,I] with w [3,3,I,O] at stride 1, same size; differentiable any number of times."""

    @tf.custom_gradient
    def forward(x, w):
        h, w_px, outputs = int(x.shape[1]), int(x.shape[2]), int(w.shape[3])
        weights = tf.reshape(_times(WEIGHT_SUMS, w), [16, -1, outputs])
        products = tf.matmul(_tiles(x, _input_sums, 1), weights)
        y = tf.reshape(_times(OUTPUT_SUMS, products), [2, 2, -1, (h + 1) // 2, (w_px + 1) // 2, outputs])
        y = tf.reshape(tf.transpose(y, [2, 3, 0, 4, 1, 5]), [-1, h + h % 2, w_px + w_px % 2, outputs])[:, :h, :w_px]

        def backward(dy):
            return conv_3x3(dy, _turned(w)), weight_gradient(x, dy)

        return y, backward

    return forward(x, w)


def weight_gradient(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """Return the gradient [3,3,I,O] of conv_3x3(x [N,H,W,I], w) with respect to w, given that of the result [N,H,W,O]."""

    @tf.custom_gradient
    def forward(x, dy):
        products = tf.matmul(_tiles(x, _input_sums, 1), _tiles(dy, _gradient_sums, 0), transpose_a=True)
        dw = tf.reshape(_times(WEIGHT_SUMS.T, products), [3, 3, int(x.shape[3]), int(dy.shape[3])])

        def backward(w):
            return conv_3x3(dy, _turned(w)), conv_3x3(x, w)

        return dw, backward

    return forward(x, dy)


def _turned(w):
    """Return the weights of the transposed convolution."""
    return tf.transpose(w[::-1, ::-1], [0, 1, 3, 2])
