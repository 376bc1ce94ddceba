"""The phases with a comparison method: each trains, and its reported loss is the plain loss plus the method's own terms."""

import functools

import numpy as np
import pytest

from sg2ada_colab.config.presets import COMPARISON_METHODS
from sg2ada_colab.draws import substream
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.tf import tf
from sg2ada_colab.training import comparison_losses as terms
from sg2ada_colab.training.comparison_phases import METHODS, ComparisonPhases
from sg2ada_colab.training.state import TrainState
from sg2ada_colab.training.steps import to_float
from tests.oracles.forms import FORMS, picture_shape

from .test_steps import REPORTS
from .tiny_config import config_of

BATCH, SIZE, P = 4, 8, 0.4
SEED = tf.constant([3, 4])
LABELS = tf.zeros([BATCH, 0])


def reals_of(form):
    return tf.constant(np.random.RandomState(0).randint(0, 256, (BATCH,) + picture_shape(form, SIZE)).astype(np.uint8))


REALS = reals_of("square")


def make(method, loss_kwargs=None, w_avg_beta=0.995, form="square"):
    """Return phases over a tiny network, with the extra variables of the method added by hand."""
    weights = dict(COMPARISON_METHODS[method].loss_kwargs, **(loss_kwargs or {}))
    size = dict(resolution=SIZE, fmap_base=32, fmap_max=8, **FORMS[form])
    G = GeneratorConfig(latent_size=8, dlatent_size=8, mapping_fmaps=8, mapping_layers=2, w_avg_beta=w_avg_beta, **size)
    D = DiscriminatorConfig(score_max=5 if method == "auxrot" else 1, **size)
    losses = {"r1_gamma": 1.0, "method": method, "method_kwargs": weights}
    config = config_of(G, D, BATCH, seed=1, losses=losses)
    state = TrainState(config, num_fp16_res=0)
    rng = np.random.RandomState(1)
    if method == "pagan":
        name = terms.bits_weight_name(SIZE)
        state.D.variables[name] = tf.Variable(rng.randn(16, 8).astype(np.float32))
    if method == "spectralnorm":
        for name in [n for n in state.D.variables if n.endswith("/weight") and list(state.D.variables[n].shape[:2]) == [3, 3]]:
            start = rng.randn(1, int(state.D.variables[name].shape[3])).astype(np.float32)
            state.D.variables[name + terms.STATE_SUFFIX] = tf.Variable(start, trainable=False)
    return ComparisonPhases(state, config)


def untouched(phases, name, inputs):
    """Return the trainable variables that the loss of a phase has no finite, non-zero gradient for."""
    trainable = (phases.state.G if name == "_G_main" else phases.state.D).trainable
    with tf.GradientTape() as tape:
        loss, report = getattr(phases, name)(*inputs)
    assert np.all(np.isfinite(np.stack(list(report.values())))) and tuple(report) == REPORTS[name[1:]]
    gradients = tape.gradient(loss, list(trainable.values()))
    return {key for key, g in zip(trainable, gradients) if g is None or not (np.all(np.isfinite(g)) and np.any(g.numpy() != 0))}


@pytest.mark.parametrize(
    "method, form",
    [(method, "square") for method in METHODS if method != "adropout"] + [("bcr", "wide rgba"), ("pagan", "tall")],
)
def test_every_phase_has_gradients(method, form):
    phases, reals = make(method, form=form), reals_of(form)
    assert (phases["G_reg"].interval is not None) == METHODS[method].has_path_length
    assert untouched(phases, "_G_main", (SEED, LABELS, tf.constant(P))) == set()
    assert untouched(phases, "_D_main", (SEED, LABELS, reals, LABELS, tf.constant(P))) <= {"Output/bias"}  # WGAN's cancels
    left = untouched(phases, "_D_reg", (SEED, reals, LABELS, tf.constant(P)))
    assert all("bias" in key for key in left), left  # slopes do not depend on the last biases


@pytest.mark.slow
def test_a_phase_compiles_and_steps():
    phases = make("spectralnorm")
    before = phases.state.D.variables["4x4/Conv/weight"].numpy()
    phases["D_main"].run(0, SEED, LABELS, REALS, LABELS, tf.constant(P))
    assert np.any(phases.state.D.variables["4x4/Conv/weight"].numpy() != before)


def losses_of(phases):
    """Return the reported losses of G and D without changing anything: (G, D)."""
    G = phases._G_main(SEED, LABELS, tf.constant(P))[0].numpy()
    D = phases._D_main(SEED, LABELS, REALS, LABELS, tf.constant(P))[0].numpy()
    return G, D


def softplus(x):
    return np.logaddexp(0, np.asarray(x, np.float64))


def pieces(phases):
    """Return (fakes, reals, fake scores, real scores) of the step, un-augmented, from the networks directly."""
    w, synthesize = phases._generate(SEED, LABELS)
    fakes, reals = synthesize(w), to_float(REALS)
    return fakes, reals, phases.state.D(fakes, LABELS)[:, :1], phases.state.D(reals, LABELS)[:, :1]


def test_terms_of_the_losses():
    for method in ("bcr", "zcr", "wgangp", "auxrot"):
        phases = make(method, w_avg_beta=None)
        D = phases.state.D
        fakes, reals, fake_scores, real_scores = pieces(phases)
        G_loss, D_loss = np.mean(softplus(-fake_scores)), np.mean(softplus(fake_scores) + softplus(-real_scores))
        if method == "bcr":
            shifts = {"xint": 1, "xint_max": 1 / 32}
            for images, scores, seed in ((fakes, fake_scores, SEED), (reals, real_scores, substream(SEED, "real"))):
                D_loss += 10 * np.mean((scores - D(terms.shifted(images, shifts, substream(seed, "bcr")), LABELS)) ** 2)
        if method == "zcr":
            others = phases.generate_jittered(SEED, LABELS)
            assert 0 < np.abs(others - fakes).max() < np.abs(fakes).max()
            G_loss -= 0.02 * np.mean((fakes - others) ** 2)
            D_loss += 0.2 * np.mean((fake_scores - D(others, LABELS)) ** 2)
        if method == "wgangp":
            G_loss, D_loss = -np.mean(fake_scores), np.mean(fake_scores - real_scores + 0.001 * real_scores**2)
            factors = terms.mixing_factors(SEED, BATCH)
            judge = functools.partial(D, labels=LABELS)
            D_loss += np.mean(terms.gradient_penalty(judge, reals, fakes, factors))
        if method == "auxrot":
            for images, weight in ((fakes, 10.0), (reals, 5.0)):
                outputs = D(terms.turned(images), tf.zeros([4 * BATCH, 0]))
                term = np.mean(terms.rotation_term(outputs, weight))
                G_loss, D_loss = (G_loss + term, D_loss) if weight == 10 else (G_loss, D_loss + term)
        assert losses_of(phases) == pytest.approx((G_loss, D_loss), rel=1e-5), method


@pytest.mark.parametrize(
    "method, loss_kwargs",
    [("bcr", {"bcr_real_weight": 0, "bcr_fake_weight": 0}), ("zcr", {"zcr_gen_weight": 0, "zcr_dis_weight": 0}),
     ("auxrot", {"auxrot_alpha": 0, "auxrot_beta": 0})],
)  # fmt: skip
def test_the_weights_that_the_run_has_saved_are_those_of_its_losses(method, loss_kwargs):
    phases = make(method, loss_kwargs, w_avg_beta=None)
    _, _, fake_scores, real_scores = pieces(phases)
    plain = np.mean(softplus(-fake_scores)), np.mean(softplus(fake_scores) + softplus(-real_scores))
    assert losses_of(phases) == pytest.approx(plain, rel=1e-5)


def test_nearby_latents_at_no_distance_are_the_fakes_of_the_step_and_leave_the_average(monkeypatch):
    phases = make("zcr")
    monkeypatch.setattr(terms, "JITTER_STD", 0.0)
    before = phases.state.G.variables["dlatent_avg"].numpy()
    others = phases.generate_jittered(SEED, LABELS).numpy()
    np.testing.assert_array_equal(phases.state.G.variables["dlatent_avg"].numpy(), before)
    np.testing.assert_array_equal(pieces(phases)[0].numpy(), others)


def test_spectral_norm_states_move_with_every_evaluation():
    phases = make("spectralnorm")
    name = next(iter(terms.singular_vector_names(phases.state.D.variables).values()))
    before = phases.state.D.variables[name].numpy()
    phases._G_main(SEED, LABELS, tf.constant(P))
    assert np.abs(phases.state.D.variables[name].numpy() - before).max() > 1e-3


def test_pagan_at_strength_0_is_the_plain_loss():
    phases = make("pagan", w_avg_beta=None)
    _, _, fake_scores, real_scores = pieces(phases)
    G, D = phases._G_main(SEED, LABELS, tf.constant(0.0))[0], phases._D_main(SEED, LABELS, REALS, LABELS, tf.constant(0.0))[0]
    assert float(G) == pytest.approx(np.mean(softplus(-fake_scores)), rel=1e-5)
    assert float(D) == pytest.approx(np.mean(softplus(fake_scores) + softplus(-real_scores)), rel=1e-5)
