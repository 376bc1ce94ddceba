"""The resampling against a float64 NumPy version that pads, up-samples, samples and filters literally."""

import numpy as np
import pytest

from sg2ada_colab.augment.geometry import Affine
from sg2ada_colab.augment.resample import resample
from sg2ada_colab.augment.resample_table import SYM6
from sg2ada_colab.tf import compiled, compiling_for, tf

H = SYM6.astype(np.float64)


def upsample_1d(x):
    """u[n] = Σ_k h[n − 2k + 5] x[k] along axis 0."""
    n, k = np.arange(2 * len(x))[:, None], np.arange(len(x))[None, :]
    tap = n - 2 * k + 5
    weights = np.where((tap >= 0) & (tap < 12), H[np.clip(tap, 0, 11)], 0)
    return np.tensordot(weights, x, 1)


def downsample_1d(u):
    """y[k] = Σ_j h[j] u[2k + j − 5] along axis 0, zeros outside."""
    k, n = np.arange(len(u) // 2)[:, None], np.arange(len(u))[None, :]
    tap = n - 2 * k + 5
    weights = np.where((tap >= 0) & (tap < 12), H[np.clip(tap, 0, 11)], 0)
    return np.tensordot(weights, u, 1)


def on_axes(function, x):
    for axis in (0, 1):
        x = np.moveaxis(function(np.moveaxis(x, axis, 0)), 0, axis)
    return x


def oracle(images, matrices):
    """Resample images [N, S, S, C] by matrices [N, 3, 3] (output to input, relative to the centre) as the original does."""
    size = images.shape[1]
    centre = (size - 1) / 2
    corners = np.array([[sx * centre, sy * centre, 1] for sx in (-1, 1) for sy in (-1, 1)]).T
    reached = (matrices @ corners)[:, :2]
    low = np.clip(np.ceil((-reached).max(axis=(0, 2)) - centre + 6), 0, size - 1).astype(int)
    high = np.clip(np.ceil(reached.max(axis=(0, 2)) - centre + 6), 0, size - 1).astype(int)
    results = []
    for image, matrix in zip(images.astype(np.float64), matrices):
        padded = np.pad(image, [(low[1], high[1]), (low[0], high[0]), (0, 0)], mode="reflect")
        up = on_axes(upsample_1d, padded)
        out = (np.arange(2 * (size + 6)) / 2) - 3 - centre
        x, y = np.meshgrid(out, out)
        x, y = (np.tensordot(matrix[row], np.stack([x, y, np.ones_like(x)]), 1) for row in (0, 1))
        x, y = 2 * (x + centre + low[0]), 2 * (y + centre + low[1])
        x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
        sampled = 0
        for dx in (0, 1):
            for dy in (0, 1):
                xi, yi = x0 + dx, y0 + dy
                weight = (1 - np.abs(x - xi)) * (1 - np.abs(y - yi))
                inside = (xi >= 0) & (xi < up.shape[1]) & (yi >= 0) & (yi < up.shape[0])
                value = up[np.clip(yi, 0, up.shape[0] - 1), np.clip(xi, 0, up.shape[1] - 1)]
                sampled = sampled + value * (weight * inside)[..., None]
        results.append(on_axes(downsample_1d, sampled)[3:-3, 3:-3])
    return np.stack(results)


def affine(matrices):
    result = Affine(len(matrices))
    rows = [[tf.constant(matrices[:, i, j].astype(np.float32)) for j in range(3)] for i in (0, 1)]
    (result.a, result.b, result.tx), (result.c, result.d, result.ty) = rows
    return result


def random_matrices(rng, count, size, zoom):
    matrices = np.tile(np.eye(3), [count, 1, 1])
    matrices[:, :2, :2] += rng.randn(count, 2, 2) * zoom
    matrices[:, :2, 2] = rng.randn(count, 2) * size / 6
    return matrices.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("size", [4, 5, 8, 16, 27])
@pytest.mark.parametrize("zoom", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_agrees_with_literal_padding(relmax, size, zoom, target):
    # Strong zooms reach far beyond the widest padding (zeros) and batches share a margin; 4 and 5 are smaller than the filter.
    rng = np.random.RandomState(size)
    for channels in (1, 3, 4):
        images = rng.randn(3, size, size, channels).astype(np.float32)
        matrices = random_matrices(rng, 3, size, zoom)
        with compiling_for(target):
            result = resample(tf.constant(images), affine(matrices))
        assert relmax(result, oracle(images, matrices)) < 1e-4


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_one_sided_margins(target):
    # A large shift needs no padding on one side and the widest on the other.
    rng = np.random.RandomState(3)
    images = rng.randn(2, 12, 12, 2).astype(np.float32)
    for x, y in ((9.25, -8.5), (-30.0, 0.0), (40.0, 40.0)):
        matrices = np.tile(np.eye(3), [2, 1, 1])
        matrices[:, 0, 2], matrices[:, 1, 2] = x, y
        expected = oracle(images, matrices)
        with compiling_for(target):
            result = resample(tf.constant(images), affine(matrices))
        np.testing.assert_allclose(result, expected, atol=1e-4)


def test_identity_restores_the_image(relmax):
    images = np.random.RandomState(4).randn(2, 16, 16, 3).astype(np.float32)
    assert relmax(resample(tf.constant(images), Affine(2)), images) < 2e-6


def test_gradient_is_the_adjoint(relmax):
    # <resample(x), y> = <x, resample*(y)> for random x and y, at strong zooms and at sizes below the filter's.
    rng = np.random.RandomState(5)
    for size in (4, 9, 16):
        images = tf.constant(rng.randn(2, size, size, 3).astype(np.float32))
        other = rng.randn(2, size, size, 3).astype(np.float32)
        inverse = affine(random_matrices(rng, 2, size, 0.7))
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = resample(images, inverse)
            score = tf.reduce_sum(result * other)
        adjoint = tape.gradient(score, images).numpy().astype(np.float64)
        assert relmax(np.sum(adjoint * images.numpy()), np.sum(result.numpy().astype(np.float64) * other)) < 1e-4


@pytest.mark.parametrize("size", [4, 5, 9, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_form_for_gpus_is_the_same_to_second_order(relmax, size, channels):
    rng = np.random.RandomState(7)
    images, weight = (tf.constant(rng.randn(2, size, size, channels).astype(np.float32)) for _ in range(2))
    inverse, results = affine(random_matrices(rng, 2, size, 0.5)), []
    for target in (None, "gpu"):
        with compiling_for(target), tf.GradientTape() as outer:
            outer.watch(weight)
            with tf.GradientTape() as inner:
                inner.watch(images)
                result = resample(images, inverse)
                score = tf.reduce_sum(weight * result**2)
            gradient = inner.gradient(score, images)
            penalty = tf.reduce_sum(gradient**2)
            results.append([result, gradient])
        results[-1].append(outer.gradient(penalty, weight))
    for plain, for_gpus in zip(*results):
        assert relmax(for_gpus, plain) < 1e-6


@pytest.mark.parametrize("xla", [False, True])
def test_nothing_is_computed_where_no_image_moves(xla):
    rng = np.random.RandomState(8)
    images = tf.constant(rng.randn(2, 9, 9, 3).astype(np.float32))

    def shown_and_gradient(images, shift):
        inverse = affine(np.tile(np.eye(3), [2, 1, 1]))
        inverse.tx = inverse.tx + shift
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = resample(images, inverse)
        return result, tape.gradient(result, images, 2 * images)

    function = compiled(shown_and_gradient, xla)
    still, gradient = function(images, tf.constant([0.0, 0.0]))
    np.testing.assert_array_equal(still, images)  # the filters would round
    np.testing.assert_array_equal(gradient, 2 * images.numpy())
    moved, _ = function(images, tf.constant([0.0, 1.0]))
    assert np.any(moved.numpy()[0] != images.numpy()[0])
    np.testing.assert_allclose(moved[0], images[0], atol=1e-5)  # of a batch in which one moves all go through the filters
    np.testing.assert_allclose(moved[1, :, 1:-1], images[1, :, 2:], atol=1e-5)


def test_infinite_positions_stay_inside():
    matrices = np.tile(np.eye(3), [2, 1, 1])
    matrices[0, 0, 0] = 1e9
    images = np.random.RandomState(6).randn(2, 8, 8, 1).astype(np.float32)
    assert np.all(np.isfinite(resample(tf.constant(images), affine(matrices)).numpy()))
