"""Resampling and activations against arrays of an independent implementation, with gradients."""

import json
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.networks.layers import bias_act
from sg2ada_colab.networks.resampling import conv_2d, down_conv_2d, downsample_2d, filter_taps, resample, up_conv_2d, upsample_2d
from sg2ada_colab.tf import compiling_for, shared_constant, tf

DATA = np.load(str(Path(__file__).parents[1] / "data" / "resample.npz"))
CASES = json.loads(str(DATA["cases"]))
TOLERANCE = 5e-6


def operation(name):
    case = CASES[name]
    op, kernel = case["op"], case.get("kernel")
    kernel = tuple(kernel) if kernel else None
    return {
        "upsample_2d": lambda x, w: upsample_2d(x, kernel),
        "downsample_2d": lambda x, w: downsample_2d(x, kernel),
        "up_conv": lambda x, w: up_conv_2d(x, w, kernel),
        "down_conv": lambda x, w: down_conv_2d(x, w, kernel),
        "conv": lambda x, w: conv_2d(x, w),
    }[op]


def nhwc(x):
    return np.ascontiguousarray(np.transpose(x, (0, 2, 3, 1)))


@pytest.mark.parametrize("target", [None, "gpu"])
@pytest.mark.parametrize("name", sorted(n for n in CASES if CASES[n]["op"] != "bias_act"))
def test_matches_reference(name, target, relmax):
    x = tf.constant(nhwc(DATA[name + ".x"]))
    w = tf.constant(DATA[name + ".w"]) if name + ".w" in DATA else None
    with compiling_for(target):
        with tf.GradientTape() as tape:
            tape.watch([t for t in (x, w) if t is not None])
            y = operation(name)(x, w)
            loss = tf.reduce_sum(y * nhwc(DATA[name + ".dy"]))
        gradients = tape.gradient(loss, [t for t in (x, w) if t is not None])
    assert relmax(y, nhwc(DATA[name + ".y"])) < TOLERANCE
    assert relmax(gradients[0], nhwc(DATA[name + ".dx"])) < TOLERANCE
    if w is not None:
        assert relmax(gradients[1], DATA[name + ".dw"]) < TOLERANCE


@pytest.mark.parametrize("name", sorted(n for n in CASES if CASES[n]["op"] == "bias_act"))
def test_activation_matches_reference(name, relmax):
    x, b = tf.constant(nhwc(DATA[name + ".x"])), tf.constant(DATA[name + ".b"])
    with tf.GradientTape() as tape:
        tape.watch([x, b])
        y = bias_act(x, b, CASES[name].get("act", CASES[name].get("activation")), CASES[name].get("clamp"))
        loss = tf.reduce_sum(y * nhwc(DATA[name + ".dy"]))
    dx, db = tape.gradient(loss, [x, b])
    assert relmax(y, nhwc(DATA[name + ".y"])) < TOLERANCE
    assert relmax(dx, nhwc(DATA[name + ".dx"])) < TOLERANCE
    assert relmax(db, DATA[name + ".db"]) < TOLERANCE


@pytest.mark.parametrize("kernel", [(1, 2, 1), (1, 3, 3, 1), (1, 4, 6, 4, 1), None])
def test_up_sampling_puts_the_larger_padding_in_front(kernel, relmax):
    """Against zero insertion and plain correlation, for kernels of odd length too."""
    taps = np.array(kernel or (1, 1), np.float64)
    taps = (taps / taps.sum() * 2)[::-1]
    x = np.random.RandomState(0).randn(2, 3, 5, 2)
    padding = len(taps) - 2
    y = x
    for axis in (1, 2):
        zeros = np.zeros([s * (2 if a == axis else 1) for a, s in enumerate(y.shape)])
        zeros[(slice(None),) * axis + (slice(0, None, 2),)] = y
        pads = [[0, 0]] * 4
        pads[axis] = [(padding + 1) // 2 + 1, padding // 2]
        y = np.apply_along_axis(lambda v: np.correlate(v, taps, "valid"), axis, np.pad(zeros, pads))
    assert relmax(upsample_2d(tf.constant(np.float32(x)), kernel), y) < TOLERANCE


def to_second_order(function, *inputs):
    """Return y, the gradients of sum(y³), and the gradients of their squares' sum."""
    inputs = list(inputs)
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            y = function(*inputs)
            loss = tf.reduce_sum(y**3)
        gradients = inner.gradient(loss, inputs)
        squares = tf.add_n([tf.reduce_sum(g**2) for g in gradients])
    return [y] + gradients + outer.gradient(squares, inputs)


def same_on_a_gpu(function, relmax, *shapes):
    random = np.random.RandomState(0)
    inputs = [tf.constant(np.float32(random.randn(*shape))) for shape in shapes]
    plain = to_second_order(function, *inputs)
    with compiling_for("gpu"):
        gpu = to_second_order(function, *inputs)
    for a, b in zip(gpu, plain):
        assert relmax(a, b.numpy()) < 1e-6


@pytest.mark.parametrize("kernel", [(1, 2, 1), (1, 3, 3, 1), (1, 4, 6, 4, 1), None])
@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("more", [0, 1])
def test_the_form_for_a_gpu_filters_alike(kernel, up, down, more, relmax):
    taps = filter_taps(kernel, 2.0)
    for height, width in ((4, 4), (5, 7), (8, 6)):
        size = (height * up // down + more, width * up // down + more)
        for before in range(len(taps) + 1):
            how = {"single_pass": before % 2 == 0, "gradient_single_pass": before % 3 == 0}
            same_on_a_gpu(
                lambda x, b=before, s=size, h=how: resample(x, taps, up, down, b, size=s, **h), relmax, (2, height, width, 3)
            )


@pytest.mark.parametrize("few, many", [(3, 16), (1, 8), (4, 5)])
def test_the_form_for_a_gpu_convolves_few_channels_alike(few, many, relmax):
    same_on_a_gpu(conv_2d, relmax, (2, 5, 4, few), (1, 1, few, many))
    same_on_a_gpu(conv_2d, relmax, (2, 5, 4, many), (1, 1, many, few))


@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("gain", [1.0, np.sqrt(0.5)])
def test_the_form_for_a_gpu_activates_alike(gain, clamp, relmax):
    for shape in (3, 4, 4, 2), (2, 3, 5, 700):  # several pixels in a row of the sum, and one
        same_on_a_gpu(lambda x, b: bias_act(x, b, "lrelu", clamp, gain), relmax, shape, shape[3:])
    noise = tf.constant(np.float32(np.random.RandomState(1).randn(3, 4, 4, 1)))
    same_on_a_gpu(lambda x, b, s: bias_act(x, b, "lrelu", clamp, gain, noise, s), relmax, (3, 4, 4, 2), (2,), ())


def test_the_form_for_a_gpu_hides_nothing_that_is_not_finite():
    x, bias = np.float32([-np.inf, -1.0, 0.0, 2.0, np.inf, np.nan]).reshape(1, 1, 6, 1), tf.zeros([1])
    with compiling_for("gpu"), tf.GradientTape() as tape:
        tape.watch(bias)
        y = bias_act(tf.constant(x), bias, "lrelu", 256.0)
        square = y * y
    np.testing.assert_allclose(np.ravel(y)[:5], [-256, -0.2 * np.sqrt(2), 0, 2 * np.sqrt(2), 256], rtol=1e-6)
    assert np.isnan(np.ravel(y)[5]) and np.isnan(tape.gradient(square, bias).numpy()).all()


def test_a_gain_after_the_clamp_scales_it_too(relmax):
    x = tf.constant(np.float32(np.random.RandomState(2).randn(2, 3, 3, 4)))
    expected = np.clip(tf.nn.leaky_relu(x, 0.2) * np.sqrt(2), -1, 1) * 0.5
    assert relmax(bias_act(x, act="lrelu", clamp=1.0, gain=0.5), expected) < 1e-6


def test_constants_of_one_graph_are_shared_and_those_of_branches_are_their_own():
    def constants(x):
        once, again = (shared_constant(np.float32([1, 2]), tf.float32) for _ in range(2))
        assert once is again and once is not shared_constant(np.float32([2, 1]), tf.float32)
        assert once is not shared_constant(np.float32([1, 2]), tf.float16)
        inside = tf.cond(x > 0, lambda: shared_constant(np.float32([1, 2]), tf.float32), lambda: once)
        return once + again + inside

    np.testing.assert_array_equal(tf.function(constants)(tf.constant(1.0)), [3, 6])
    np.testing.assert_array_equal(shared_constant(np.float32([1, 2]), tf.float32), [1, 2])
