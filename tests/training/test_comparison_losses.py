"""The comparison methods: losses against the original's on analytic networks, the others against their formulas."""

import json
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.config.presets import COMPARISON_METHODS
from sg2ada_colab.networks.config import DiscriminatorConfig
from sg2ada_colab.networks.discriminator import Discriminator, discriminate
from sg2ada_colab.tf import compiled, tf
from sg2ada_colab.training import comparison_losses as terms
from sg2ada_colab.training import losses

DATA = np.load(str(Path(__file__).parent.parent / "data" / "losses.npz"), allow_pickle=False)
PARAMS = json.loads(str(DATA["params"]))
TOLERANCE = 1e-5
STEPS = range(DATA["stub.latents"].shape[0])


def stub(key):
    return tf.constant(DATA["stub." + key])


def synthesize(z):
    w = tf.matmul(z, stub("M"))
    x = tf.einsum("nd,ldchw->nchw", w, stub("K1")) + tf.einsum("nd,ldchw->nchw", tf.square(w), stub("K2"))
    return tf.transpose(x, [0, 2, 3, 1])


def scores_of(images, outputs=1):
    x = tf.transpose(images, [0, 3, 1, 2])
    columns = [
        tf.reduce_sum(stub("A")[k] * x + 0.5 * stub("B")[k] * tf.square(x), axis=[1, 2, 3]) + stub("c")[k] for k in range(outputs)
    ]
    return tf.stack(columns, axis=1)


def fakes_and_reals(step):
    return synthesize(stub("latents")[step]), tf.transpose(stub("real_images")[step], [0, 2, 3, 1])


@pytest.mark.parametrize("step", STEPS)
def test_bcr(step, relmax):
    fakes, reals = fakes_and_reals(step)

    def penalty(images, weight):
        return terms.shift_term(scores_of(images), scores_of(images[:, :, ::-1]), weight)

    loss = losses.discriminator_logistic(scores_of(fakes), scores_of(reals))
    loss += penalty(fakes, PARAMS["bcr"]["fake"]) + penalty(reals, PARAMS["bcr"]["real"])
    assert relmax(loss, DATA["loss_bcr.D_loss"][step]) < TOLERANCE
    weights = COMPARISON_METHODS["bcr"].loss_kwargs
    assert PARAMS["bcr"]["fake"] == weights["bcr_fake_weight"] and PARAMS["bcr"]["real"] == weights["bcr_real_weight"]


def test_bcr_shifts_every_image_by_at_most_a_32nd():
    ramp = np.tile(np.arange(64, dtype=np.float32)[None, None, :, None], [200, 64, 1, 1])
    moved = (
        terms.shifted(tf.constant(ramp), COMPARISON_METHODS["bcr"].loss_kwargs["bcr_augment"], tf.constant([1, 2])).numpy() - ramp
    )
    shifts = moved[:, 32, 20:40, 0].mean(axis=1)
    assert np.abs(moved[:, 32, 20:40, 0] - shifts[:, None]).max() < 1e-3
    assert np.abs(shifts - np.rint(shifts)).max() < 1e-3 and set(np.rint(shifts)) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("step", STEPS)
def test_zcr(step, relmax):
    fakes, reals = fakes_and_reals(step)
    assert PARAMS["zcr"]["noise_std"] == terms.JITTER_STD
    weights = COMPARISON_METHODS["zcr"].loss_kwargs
    others = synthesize(stub("latents")[step] + terms.JITTER_STD * stub("zcr_noise")[step])
    G_loss = losses.generator_logistic(scores_of(fakes)) + terms.jitter_term_of_G(fakes, others, weights["zcr_gen_weight"])
    assert relmax(G_loss, DATA["loss_zcr.G_loss"][step]) < TOLERANCE
    D_loss = losses.discriminator_logistic(scores_of(fakes), scores_of(reals))
    D_loss += terms.jitter_term_of_D(scores_of(fakes), scores_of(others), weights["zcr_dis_weight"])
    assert relmax(D_loss, DATA["loss_zcr.D_loss"][step]) < TOLERANCE


def test_zcr_jitter_is_a_tenth():
    z = tf.random.stateless_normal([2000, 8], [1, 2])
    assert np.std(terms.jittered(z, tf.constant([3, 4])) - z) == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize("step", STEPS)
def test_wgangp(step, relmax):
    fakes, reals = fakes_and_reals(step)
    assert relmax(terms.generator_wasserstein(scores_of(fakes)), DATA["loss_wgangp.G_loss"][step]) < TOLERANCE
    D_loss = terms.discriminator_wasserstein(scores_of(fakes), scores_of(reals))
    assert relmax(D_loss, DATA["loss_wgangp.D_loss"][step]) < TOLERANCE
    penalty = terms.gradient_penalty(scores_of, reals, fakes, stub("mix_u")[step])
    assert relmax(penalty, DATA["loss_wgangp.D_reg"][step]) < TOLERANCE


@pytest.mark.parametrize("step", STEPS)
def test_auxrot(step, relmax):
    fakes, reals = fakes_and_reals(step)

    weights = COMPARISON_METHODS["auxrot"].loss_kwargs

    def turns(images, weight):
        return terms.rotation_term(scores_of(terms.turned(images), 5), weight)

    G_loss = losses.generator_logistic(scores_of(fakes)) + turns(fakes, weights["auxrot_alpha"])
    assert relmax(G_loss, DATA["loss_auxrot.G_loss"][step]) < TOLERANCE
    D_loss = losses.discriminator_logistic(scores_of(fakes), scores_of(reals)) + turns(reals, weights["auxrot_beta"])
    assert relmax(D_loss, DATA["loss_auxrot.D_loss"][step]) < TOLERANCE


def test_turned_is_rot90():
    images = np.random.RandomState(0).randn(2, 5, 5, 3).astype(np.float32)
    expected = np.concatenate([np.rot90(images, k, axes=(1, 2)) for k in range(4)])
    np.testing.assert_array_equal(terms.turned(tf.constant(images)), expected)


def tiny_discriminator():
    return Discriminator(DiscriminatorConfig(resolution=8, num_channels=3, fmap_base=32, fmap_max=8))


def test_pagan_bits_fade_in_with_strength():
    share = [terms.parity_bits(tf.constant([1, 2]), 4000, p).numpy().mean(axis=0) for p in (0.0, 0.25, 0.25 + 1 / 64, 1.0, 3.0)]
    assert not share[0].any() and not share[1][4:].any() and not share[2][5:].any()
    np.testing.assert_allclose(share[1][:4], 0.5, atol=0.04)
    assert share[2][4] == pytest.approx(0.25, abs=0.04)  # a quarter of its interval is half of its fade
    np.testing.assert_allclose(share[3:], 0.5, atol=0.04)
    rows = tf.constant([[0.0] * 16, [1.0] + [0.0] * 15, [1.0, 1.0] + [0.0] * 14])
    np.testing.assert_array_equal(terms.parity_signs(rows), [[1], [-1], [1]])


def test_pagan_bits_are_extra_channels_of_the_image(relmax):
    D = tiny_discriminator()
    rng = np.random.RandomState(0)
    channels = int(D.variables["8x8/FromRGB/bias"].shape[0])
    weight = rng.randn(16, channels).astype(np.float32)
    images, bits = rng.randn(4, 8, 8, 3).astype(np.float32), rng.randint(0, 2, [4, 16]).astype(np.float32)
    variables = dict(D.variables, **{terms.bits_weight_name(8): tf.constant(weight)})
    result = discriminate(terms.with_bits(variables, 8, tf.constant(bits)), D.config, tf.constant(images), tf.zeros([4, 0]))
    # The same with the bits as channels: FromRGB's scale is 1/sqrt(3) for the image and 1/4 for the bits.
    wider = dict(D.variables)
    raw = np.concatenate([D.variables["8x8/FromRGB/weight"].numpy()[0, 0] * np.sqrt(19 / 3), weight * np.sqrt(19 / 16)])
    wider["8x8/FromRGB/weight"] = tf.constant(raw[None, None])
    extended = np.concatenate([images, np.tile(bits[:, None, None], [1, 8, 8, 1])], axis=3)
    assert relmax(result, discriminate(wider, D.config, tf.constant(extended), tf.zeros([4, 0]))) < 1e-5
    plain = discriminate(D.variables, D.config, tf.constant(images), tf.zeros([4, 0]))
    assert np.abs(result - plain).max() > 1e-4


def test_adropout_is_log_normal():
    x = tf.ones([100, 4, 4, 8])
    noisy = terms.noisy_layer(tf.constant([1, 2]), 0.3)
    first = np.log(noisy(x, "32x32/Conv0").numpy())
    assert np.std(first) == pytest.approx(0.3, rel=0.03) and abs(np.mean(first)) < 0.02
    assert np.abs(first - np.log(noisy(x, "32x32/Conv1_down").numpy())).max() > 0.1
    np.testing.assert_array_equal(terms.noisy_layer(tf.constant([1, 2]), 0.0)(x, "a"), x)


def test_spectral_norm_finds_the_largest_singular_value(relmax):
    D = tiny_discriminator()
    rng = np.random.RandomState(0)
    variables = dict(D.variables)
    three = [name for name in variables if name.endswith("/weight") and list(variables[name].shape[:2]) == [3, 3]]
    for name in three:
        variables[name + "_sn"] = tf.Variable(rng.randn(1, int(variables[name].shape[3])).astype(np.float32), trainable=False)
    assert list(terms.singular_vector_names(variables)) == three and len(three) == 3

    def step():
        normalised = terms.spectrally_normalised(variables, lambda state, outputs: variables[state].assign(outputs))
        return [normalised[name] for name in three]

    step = compiled(step, xla=False)
    for _ in range(300):
        weights = step()
    for weight in weights:
        used = weight.numpy() / np.sqrt(np.prod(weight.shape[:3]))
        assert np.linalg.svd(used.reshape([-1, used.shape[3]]), compute_uv=False)[0] == pytest.approx(1, abs=1e-3)
    before = variables[three[0] + "_sn"].numpy()
    frozen = terms.spectrally_normalised(variables)
    np.testing.assert_array_equal(before, variables[three[0] + "_sn"].numpy())
    scores = discriminate(frozen, D.config, tf.constant(rng.randn(2, 8, 8, 3).astype(np.float32)), tf.zeros([2, 0]))
    assert scores.shape == (2, 1)


def test_spectral_norm_gradient_holds_the_vectors_fixed(relmax):
    # d(W/σ) with σ = u W v and fixed u, v: (I − W uᵀvᵀ/σ ...) applied to a direction, by central differences of that formula.
    rng = np.random.RandomState(1)
    weight, state = rng.randn(3, 3, 4, 5).astype(np.float32), rng.randn(1, 5).astype(np.float32)
    other = rng.randn(*weight.shape).astype(np.float32)
    x = tf.constant(weight)
    with tf.GradientTape() as tape:
        tape.watch(x)
        sigma, outputs = terms.largest_singular_value(x, tf.constant(state))
        score = tf.reduce_sum(x / sigma * other)
    matrix = weight.reshape([-1, 5]).astype(np.float64)
    inputs = state @ matrix.T
    inputs /= np.linalg.norm(inputs)
    vector = inputs @ matrix
    vector /= np.linalg.norm(vector)
    value = (inputs @ matrix @ vector.T)[0, 0]
    flat = other.reshape([-1, 5])
    expected = flat / value - np.sum(matrix * flat) / value**2 * (inputs.T @ vector)
    assert relmax(sigma, value) < 1e-5 and relmax(outputs, vector) < 1e-5
    assert relmax(tf.reshape(tape.gradient(score, x), [-1, 5]), expected) < 1e-4
