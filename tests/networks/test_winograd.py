"""Winograd convolutions against float64 NumPy and the plain convolution, to second order, and where they are chosen."""

import numpy as np
import pytest

from sg2ada_colab.networks.resampling import conv_2d
from sg2ada_colab.networks.winograd import conv_3x3
from sg2ada_colab.tf import IS_TF1, compiled, compiling_for, for_cpu_compiler, gpus, tf

TOLERANCE = 2e-6
SIZES = [(16, 16), (4, 4), (5, 5), (7, 6), (2, 3), (1, 1)]


def windows(x):
    """Return [(row, column, x shifted by them)] for the nine weights, with zeros around x."""
    n, h, w, c = x.shape
    padded = np.zeros([n, h + 2, w + 2, c])
    padded[:, 1:-1, 1:-1] = x
    return [(i, j, padded[:, i : i + h, j : j + w]) for i in range(3) for j in range(3)]


def correlate(x, w):
    return sum(np.matmul(window, w[i, j]) for i, j, window in windows(x))


def correlate_transposed(dy, w):
    return correlate(dy, w[::-1, ::-1].transpose(0, 1, 3, 2))


def weight_sums(x, dy):
    dw = np.zeros([3, 3, x.shape[3], dy.shape[3]])
    for i, j, window in windows(x):
        dw[i, j] = np.einsum("nhwi,nhwo->io", window, dy)
    return dw


def arrays(height, width, inputs, outputs):
    draw = np.random.RandomState(height).randn
    return draw(2, height, width, inputs), draw(3, 3, inputs, outputs), draw(2, height, width, outputs)


def expected(x, w, dy):
    """Return the result, its gradients for x and w given dy, and the gradients of half their squared length for x, w and dy."""
    dx, dw = correlate_transposed(dy, w), weight_sums(x, dy)
    second = [correlate_transposed(dy, dw), weight_sums(dx, dy), correlate(dx, w) + correlate(x, dw)]
    return [correlate(x, w), dx, dw] + second


def computed(convolution, x, w, dy):
    with tf.GradientTape() as outer:
        outer.watch([x, w, dy])
        with tf.GradientTape() as inner:
            inner.watch([x, w])
            y = convolution(x, w)
            score = tf.reduce_sum(y * dy)
        dx, dw = inner.gradient(score, [x, w])
        penalty = (tf.reduce_sum(dx**2) + tf.reduce_sum(dw**2)) / 2
    return [y, dx, dw] + outer.gradient(penalty, [x, w, dy])


def tensors(values):
    return [tf.constant(value, tf.float32) for value in values]


@pytest.mark.parametrize("size", SIZES)
def test_matches_numpy_to_second_order(size, relmax):
    values = arrays(*size, inputs=5, outputs=3)
    for got, want in zip(computed(conv_3x3, *tensors(values)), expected(*values)):
        assert relmax(got, want) < TOLERANCE


def test_as_exact_as_the_plain_convolution(relmax):
    values = arrays(16, 16, 64, 64)
    want = expected(*values)
    plain = computed(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), *tensors(values))
    for got, plain_got, wanted in zip(computed(conv_3x3, *tensors(values)), plain, want):
        assert relmax(got, wanted) < 3 * max(relmax(plain_got, wanted), 2e-7)


def test_compiled_network_convolution_matches_numpy_to_second_order(relmax):
    values = arrays(16, 16, 64, 64)
    step = compiled(lambda x, w, dy: computed(conv_2d, x, w, dy))
    for got, want in zip(step(*tensors(values)), expected(*values)):
        assert relmax(got, want) < TOLERANCE


def test_unknown_batch_size(relmax):
    x, w, _ = arrays(5, 4, 3, 2)
    function = tf.function(conv_3x3, input_signature=[tf.TensorSpec([None, 5, 4, 3]), tf.TensorSpec([3, 3, 3, 2])])
    assert relmax(function(*tensors([x, w])), correlate(x, w)) < TOLERANCE


def uses_plain_convolution(height, channels, kernel=3, dtype=tf.float32):
    with tf.Graph().as_default() as graph:
        conv_2d(tf.zeros([1, height, height, channels], dtype), tf.zeros([kernel, kernel, channels, channels], dtype))
    return "Conv2D" in {operation.type for operation in graph.get_operations()}


def test_only_large_convolutions_for_processors_take_this_form():
    assert uses_plain_convolution(16, 64)
    with compiling_for("gpu"):
        assert uses_plain_convolution(16, 64)
    with compiling_for("cpu"):
        assert not uses_plain_convolution(16, 64)
        assert uses_plain_convolution(8, 64)
        assert uses_plain_convolution(16, 32)
        assert uses_plain_convolution(16, 64, kernel=1)
        assert uses_plain_convolution(16, 64, dtype=tf.float16)


@pytest.mark.parametrize("xla", [False, True])
def test_compilation_tells_what_traces(xla):
    seen = []
    compiled(lambda: seen.append(for_cpu_compiler()) or tf.zeros([]), xla)()
    assert seen == [xla and not IS_TF1 and not gpus()]
