"""Losses and regularisers against reference values and, on small analytic networks, over whole sequences."""

import json
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.tf import tf
from sg2ada_colab.training import losses

DATA = np.load(str(Path(__file__).parents[1] / "data" / "losses.npz"))
PARAMS = json.loads(str(DATA["params"]))
TOLERANCE = 1e-5


def test_logistic(relmax):
    fake, real = tf.constant(DATA["logistic.scores_fake"]), tf.constant(DATA["logistic.scores_real"])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([fake, real])
        g, d = losses.generator_logistic(fake), losses.discriminator_logistic(fake, real)
        g_sum, d_sum = tf.reduce_sum(g), tf.reduce_sum(d)
    assert relmax(g, DATA["logistic.G_loss"]) < TOLERANCE
    assert relmax(d, DATA["logistic.D_loss"]) < TOLERANCE
    assert relmax(tape.gradient(g_sum, fake), DATA["logistic.dG_dfake"]) < TOLERANCE
    assert relmax(tape.gradient(d_sum, fake), DATA["logistic.dD_dfake"]) < TOLERANCE
    assert relmax(tape.gradient(d_sum, real), DATA["logistic.dD_dreal"]) < TOLERANCE


def test_path_length_sequence(relmax):
    mean = tf.constant(0.0)
    for i, row in enumerate(DATA["pl_seq.lengths"]):
        lengths = tf.constant(row)
        with tf.GradientTape() as tape:
            tape.watch(lengths)
            penalty, mean = losses.path_length_penalty(lengths, mean)
            regulariser = tf.reduce_mean(tf.tile(penalty, [2]) * losses.PL_WEIGHT)
        assert relmax(mean, DATA["pl_seq.mean_new"][i]) < TOLERANCE
        assert relmax(penalty, DATA["pl_seq.penalty"][i]) < TOLERANCE
        assert relmax(regulariser, DATA["pl_seq.G_reg_mean"][i]) < TOLERANCE
        assert relmax(tape.gradient(regulariser, lengths), DATA["pl_seq.dGreg_dlengths"][i]) < TOLERANCE


def stub(key):
    return tf.constant(DATA["stub." + key])


def synthesize(w):
    x = tf.einsum("nld,ldchw->nchw", w, stub("K1")) + tf.einsum("nld,ldchw->nchw", tf.square(w), stub("K2"))
    return tf.transpose(x, [0, 2, 3, 1])


def score(images):
    x = tf.transpose(images, [0, 3, 1, 2])
    return tf.reduce_sum(stub("A")[0] * x + 0.5 * stub("B")[0] * tf.square(x), axis=[1, 2, 3])[:, None] + stub("c")[0]


@pytest.mark.parametrize("step", range(DATA["loss_stylegan2.G_loss"].shape[0]))
def test_whole_losses_on_analytic_networks(step, relmax):
    before = np.float32(0) if step == 0 else DATA["loss_stylegan2.pl_mean_after"][step - 1]
    w = tf.tile(tf.matmul(stub("latents")[step], stub("M"))[:, None], [1, int(DATA["stub.K1"].shape[0]), 1])
    real = tf.transpose(stub("real_images")[step], [0, 2, 3, 1])
    fake_scores = score(synthesize(w))
    assert relmax(losses.generator_logistic(fake_scores), DATA["loss_stylegan2.G_loss"][step]) < TOLERANCE
    assert relmax(losses.discriminator_logistic(fake_scores, score(real)), DATA["loss_stylegan2.D_loss"][step]) < TOLERANCE
    penalty, _, _ = losses.r1_penalty(lambda x: (score(x), None), real)
    assert relmax(penalty * (PARAMS["r1_gamma"] / 2), DATA["loss_stylegan2.D_reg"][step]) < TOLERANCE
    half = int(w.shape[0]) // PARAMS["pl_minibatch_shrink"]
    lengths = losses.path_lengths(synthesize, w[:half], tf.transpose(stub("pl_y")[step], [0, 2, 3, 1]))
    penalty, mean = losses.path_length_penalty(lengths, tf.constant(before))
    assert relmax(tf.tile(penalty, [2]) * losses.PL_WEIGHT, DATA["loss_stylegan2.G_reg"][step]) < TOLERANCE
    assert relmax(mean, DATA["loss_stylegan2.pl_mean_after"][step]) < TOLERANCE


def test_lecam_penalty_is_that_of_its_equations():
    rng = np.random.RandomState(5)
    means, expected = tf.zeros([2]), np.zeros(2)
    for _ in range(3):
        fake, real = rng.randn(6, 1) - 1, rng.randn(6, 1) + 2
        fakes, reals = tf.constant(fake, tf.float32), tf.constant(real, tf.float32)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([fakes, reals, means])
            penalty, new_means = losses.lecam_penalty(fakes, reals, means)
        np.testing.assert_allclose(penalty, ((real - expected[1]) ** 2).mean() + ((fake - expected[0]) ** 2).mean(), rtol=1e-5)
        np.testing.assert_allclose(tape.gradient(penalty, reals), 2 * (real - expected[1]) / 6, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(tape.gradient(penalty, fakes), 2 * (fake - expected[0]) / 6, rtol=1e-4, atol=1e-6)
        assert tape.gradient(new_means, reals) is None
        means, expected = new_means, 0.99 * expected + 0.01 * np.array([real.mean(), fake.mean()])
        np.testing.assert_allclose(means, expected, rtol=1e-4)
