"""Modulated convolution against arrays of an independent implementation, with all gradients."""

import json
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.networks.layers import minibatch_stddev, modulated_conv_2d
from sg2ada_colab.tf import tf

DATA = np.load(str(Path(__file__).parents[1] / "data" / "modconv.npz"))
CASES = json.loads(str(DATA["cases"]))
TOLERANCE = 1e-5


@pytest.mark.parametrize("name", sorted(CASES))
def test_matches_reference(name, relmax):
    variables = {"L/" + k: tf.constant(DATA[name + "." + k]) for k in ("weight", "mod_weight", "mod_bias")}
    x = tf.constant(np.transpose(DATA[name + ".x"], (0, 2, 3, 1)))
    w = tf.constant(DATA[name + ".w_latent"])
    inputs = [x, w] + [variables["L/" + k] for k in ("weight", "mod_weight", "mod_bias")]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = modulated_conv_2d(
            x, w, variables, "L", CASES[name]["up"], CASES[name]["demodulate"], tuple(CASES[name]["resample_kernel"])
        )
        loss = tf.reduce_sum(y * np.transpose(DATA[name + ".dout"], (0, 2, 3, 1)))
    dx, dw, dweight, dmod_weight, dmod_bias = tape.gradient(loss, inputs)
    assert relmax(y, np.transpose(DATA[name + ".out"], (0, 2, 3, 1))) < TOLERANCE
    assert relmax(dx, np.transpose(DATA[name + ".dx"], (0, 2, 3, 1))) < TOLERANCE
    for ours, key in ((dw, "dw_latent"), (dweight, "dweight"), (dmod_weight, "dmod_weight"), (dmod_bias, "dmod_bias")):
        assert relmax(ours, DATA[name + "." + key]) < TOLERANCE


def test_half_precision_guard_keeps_values_in_range(relmax):
    """Weights and styles of extreme scale overflow float16 unless they are normalised first."""
    random = np.random.RandomState(0)
    variables = {
        "L/weight": tf.constant(np.float32(random.randn(3, 3, 8, 6) * 3000)),
        "L/mod_bias": tf.constant(np.float32(random.randn(8) * 500)),
        "L/mod_weight": tf.constant(np.float32(random.randn(16, 8))),
    }
    x, w = np.float32(random.randn(2, 8, 8, 8)), tf.constant(np.float32(random.randn(2, 16)))
    exact = modulated_conv_2d(tf.constant(x), w, variables, "L")
    half = modulated_conv_2d(tf.constant(x.astype(np.float16)), w, variables, "L")
    assert half.dtype == tf.float16
    assert relmax(tf.cast(half, tf.float32), exact) < 5e-3


@pytest.mark.parametrize("n,group,features", [(8, 4, 1), (8, None, 1), (2, 4, 1), (6, 3, 2)])
def test_minibatch_stddev_against_numpy(n, group, features, relmax):
    x = np.random.RandomState(1).randn(n, 3, 5, 4).astype(np.float32)
    size = min(group or n, n)
    expected = np.zeros((n, 3, 5, features))
    for image in range(n):
        members = [j for j in range(n) if j % (n // size) == image % (n // size)]
        for f in range(features):
            channels = x[members][..., f * (4 // features) : (f + 1) * (4 // features)].astype(np.float64)
            expected[image, :, :, f] = np.sqrt(channels.var(axis=0) + 1e-8).mean()
    assert relmax(minibatch_stddev(tf.constant(x), group, features), np.concatenate([x, expected], 3)) < 1e-6


def test_minibatch_stddev_refuses_a_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="batch of 6 images"):
        minibatch_stddev(tf.zeros([6, 4, 4, 2]), 4)
