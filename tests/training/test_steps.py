"""The phases of a step: both kinds of images in one pass of D, rounds, compiled against plain, the draws."""

import numpy as np
import pytest

from sg2ada_colab.draws import SEED_DTYPE, substream
from sg2ada_colab.networks import activations, gpu_forms
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.seeds import step_seed
from sg2ada_colab.tf import IS_TF1, compiling_for, tf
from sg2ada_colab.training.optimizer import gradient_scale
from sg2ada_colab.training.state import TrainState, flat
from sg2ada_colab.training.steps import Phases
from tests.oracles.forms import FORMS, picture_shape
from tests.training.tiny_config import config_of

BATCH, LABELS = 8, 2
FAKES, REALS = (tuple(f"Loss/{value}/{kind}" for value in ("scores", "signs", "squares")) for kind in ("fake", "real"))
REPORTS = {  # by NVIDIA's names, in the order in which they are computed
    "G_main": FAKES + ("Loss/G/loss",),
    "G_reg": ("Loss/pl_penalty", "Loss/G/reg"),
    "D_main": FAKES + REALS + ("Loss/D/loss",),
    "D_reg": REALS + ("Loss/r1_penalty", "Loss/D/reg"),
    "D_valid": ("Loss/scores/valid", "Loss/signs/valid", "Loss/squares/valid"),
}


def make(
    rounds=1,
    xla=False,
    group=4,
    batch=BATCH,
    num_fp16_res=0,
    seed=3,
    freeze_layers=0,
    lecam_weight=0.0,
    pseudo=False,
    form="square",
):
    size = dict(resolution=8, fmap_base=32, fmap_max=8, label_size=LABELS, conv_clamp=256, **FORMS[form])
    g, d = GeneratorConfig(mapping_layers=2, **size), DiscriminatorConfig(mbstd_group_size=group, **size)
    config = config_of(
        g, d, batch * rounds, batch, seed=seed, optimizer={"freeze_layers": freeze_layers}, engine={"xla": xla},
        losses={"r1_gamma": 2.0, "lecam_weight": lecam_weight}, augment={"pseudo": pseudo},
    )  # fmt: skip
    state = TrainState(config, num_fp16_res)
    return state, Phases(state, config)


def reals(count=BATCH, form="square"):
    random = np.random.RandomState(1)
    labels = np.eye(LABELS, dtype=np.float32)[random.randint(0, LABELS, count)]
    return tf.constant(random.randint(0, 255, (count,) + picture_shape(form, 8)).astype(np.uint8)), tf.constant(labels)


def seed(name="x", step=0):
    return tf.constant(step_seed(3, name, step), SEED_DTYPE)


@pytest.mark.parametrize("group, form", [(4, form) for form in FORMS] + [(2, "square"), (None, "square")])
def test_one_pass_over_both_kinds_equals_two(group, form, relmax):
    state, phases = make(group=group, form=form)
    random = np.random.RandomState(2)
    fakes, images = (tf.constant(np.float32(random.randn(BATCH, *picture_shape(form, 8)))) for _ in range(2))
    labels, real_labels = reals()[1], tf.reverse(reals()[1], [0])
    fake_scores, real_scores = phases._judge_both(fakes, labels, images, real_labels, tf.constant(0.0), seed())
    assert relmax(fake_scores, state.D(fakes, labels)) < 1e-5
    assert relmax(real_scores, state.D(images, real_labels)) < 1e-5


@pytest.mark.parametrize("form", ["square", "wide rgba"])
def test_every_phase_reports_and_moves_its_network(form):
    state, phases = make(form=form)
    images, labels = reals(form=form)
    p = tf.constant(0.0)
    inputs = {
        "G_main": (labels, p),
        "G_reg": (labels[:4], p),
        "D_main": (labels, images, labels, p),
        "D_reg": (images, labels, p),
    }
    for name, values in inputs.items():
        before = {n: net.get_values() for n, net in (("G", state.G), ("D", state.D))}
        report, finite = phases[name].run(0, seed(name), *values)
        assert np.isfinite(report.numpy()).all() and bool(finite)
        assert phases[name].reports == REPORTS[name] and len(report.numpy()) == len(REPORTS[name])
        after = {n: net.get_values() for n, net in (("G", state.G), ("D", state.D))}
        mine, other = ("G", "D") if name[0] == "G" else ("D", "G")
        trained = (state.G if mine == "G" else state.D).trainable
        assert any(not np.array_equal(before[mine][n], after[mine][n]) for n in trained)
        assert all(np.array_equal(before[other][n], after[other][n]) for n in before[other] if n != "dlatent_avg")


class OneStep:
    """One round of a phase in the form for a target, from the weights of any seed: its graph is made once for all of them."""

    def __init__(self, name, target, num_fp16_res=0, form="square"):
        self.name, self.target, self.form = name, target, form
        self.state, self.phases = make(num_fp16_res=num_fp16_res, form=form)

    def __call__(self, seed_of_all=3):
        """Return its report, and what it did to the second moments, by name."""
        name, state = self.name, self.state
        images, labels = reals(form=self.form)
        inputs = {
            "G_main": (labels,),
            "G_reg": (labels[:4],),
            "D_main": (labels, images, labels),
            "D_reg": (images, labels),
        }[name]
        fresh = flat(make(seed=seed_of_all, form=self.form)[0].variables())
        for variable, value in zip(flat(state.variables()), fresh):
            variable.assign(value)
        state.G.variables["synthesis/8x8/Conv1/noise_strength"].assign(0.3)
        with compiling_for(self.target):
            report, finite = self.phases[name].run(0, seed(name, seed_of_all), *inputs, tf.constant(0.0))
        optimizer = state.G_opt if name[0] == "G" else state.D_opt
        moments = {key: np.sqrt(value.numpy()) for key, value in optimizer.second.items()}
        assert bool(finite) and sum(bool(np.any(value)) for value in moments.values()) > 0.5 * len(moments)
        return report.numpy(), moments


def without_kink(monkeypatch):
    """Make the activations linear."""
    for module in (activations, gpu_forms):
        monkeypatch.setattr(module, "LRELU_SLOPE", 1.0)


def differences(moments, expected):
    largest = max(np.max(value) for value in expected.values())
    return [np.max(np.abs(moments[k] - expected[k])) / max(np.max(expected[k]), 1e-3 * largest) for k in expected]


@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1 compiles nothing")
@pytest.mark.parametrize(
    "name, form",
    [(name, "square") for name in ("G_main", "G_reg", "D_main", "D_reg")]
    + [pytest.param("G_main", "tall", marks=pytest.mark.once), pytest.param("D_main", "wide rgba", marks=pytest.mark.once)],
)
def test_the_forms_for_a_gpu_give_the_same_gradients(name, form, relmax):
    (gpu_report, gpu), (report, plain) = OneStep(name, "gpu", form=form)(), OneStep(name, None, form=form)()
    assert relmax(gpu_report, report) < 2e-5 and max(differences(gpu, plain)) < 2e-5


@pytest.mark.once
@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1 compiles nothing")
@pytest.mark.parametrize("name", ["G_main", "G_reg", "D_main", "D_reg"])
def test_in_float16_the_forms_for_a_gpu_are_as_near_to_float32_as_the_plain_ones(name, monkeypatch):
    """With activations that have no kink: the forms round differently, and one of the few activations on the other side of its
    kink, as likely in the one as in the other, changes gradients by a tenth.
    """
    without_kink(monkeypatch)
    errors, exact_step = {"gpu": [], None: []}, OneStep(name, None)
    half = {target: OneStep(name, target, num_fp16_res=2) for target in errors}
    for seed_of_all in range(4):
        exact = exact_step(seed_of_all)[1]
        for target in errors:
            errors[target] += differences(half[target](seed_of_all)[1], exact)
    assert np.median(errors["gpu"]) < min(1.5 * np.median(errors[None]), 2.5e-3)


@pytest.mark.parametrize("seed_of_all", [3, 4, 5])
def test_small_gradients_of_many_images_do_not_vanish_in_float16(seed_of_all, monkeypatch):
    """D's answer moves little with its images, as at the start of training at a high resolution; each image has 1/64 of that."""
    without_kink(monkeypatch)  # that an activation may be on the other side of

    def moments(num_fp16_res):
        state, phases = make(batch=64, num_fp16_res=num_fp16_res, seed=seed_of_all)
        output = state.D.variables["Output/weight"]
        output.assign(output * 1e-3)
        _, finite = phases["G_main"].run(0, seed("G_main", seed_of_all), reals(64)[1], tf.constant(0.0))
        assert bool(finite)
        return np.concatenate([np.sqrt(value.numpy()).ravel() for value in state.G_opt.second.values()])

    exact = moments(0)
    assert np.linalg.norm(moments(2) - exact) < 0.02 * np.linalg.norm(exact)


def test_gradients_are_enlarged_by_a_power_of_two_and_in_float16_alone():
    assert [gradient_scale(batch, True) for batch in (1, 4, 48, 64)] == [1, 4, 32, 64]
    assert [gradient_scale(batch, False) for batch in (1, 4, 48, 64)] == [1, 1, 1, 1]


def test_two_rounds_average_the_gradients(relmax):
    """R1 draws nothing without augmentation, so two rounds over halves equal one round over all."""
    images, labels = reals()
    one, whole = make(group=2)
    whole["D_reg"].run(0, seed(), images, labels, tf.constant(0.0))
    two, halves = make(rounds=2, group=2, batch=BATCH // 2)
    # The groups of the minibatch statistics are {j, j + n/2}: these halves hold whole groups.
    for r, rows in enumerate(([0, 1, 4, 5], [2, 3, 6, 7])):
        part, part_labels = tf.gather(images, rows), tf.gather(labels, rows)
        _, finite = halves["D_reg"].run(r, seed(), part, part_labels, tf.constant(0.0))
        assert (finite is None) == (r == 0)
    for name, value in one.D_opt.second.items():
        assert np.allclose(two.D_opt.second[name].numpy(), value.numpy(), rtol=2e-3, atol=1e-12), name


def test_a_step_that_is_not_finite_changes_nothing():
    state, phases = make()
    images, labels = reals()
    state.D.variables["Output/bias"].assign([np.nan] * int(state.D.variables["Output/bias"].shape[0]))
    before = state.D.get_values()
    _, finite = phases["D_main"].run(0, seed(), labels, images, labels, tf.constant(0.0))
    assert not bool(finite)
    for name, value in state.D.get_values().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_frozen_layers_stay(relmax):
    state, phases = make(freeze_layers=3)
    images, labels = reals()
    before = state.D.get_values()
    phases["D_main"].run(0, seed(), labels, images, labels, tf.constant(0.0))
    frozen = [n for n, spec in state.D.specs.items() if not spec.trainable]
    assert frozen and all(np.array_equal(before[n], state.D.variables[n].numpy()) for n in frozen)
    assert not np.array_equal(before["4x4/Conv/weight"], state.D.variables["4x4/Conv/weight"].numpy())


def test_draws_depend_on_the_seed_alone():
    reports = []
    for step in (0, 0, 1):
        _, phases = make()
        reports.append(phases["G_main"].run(0, seed("G_main", step), reals()[1], tf.constant(0.0))[0].numpy())
    np.testing.assert_array_equal(reports[0], reports[1])
    assert not np.array_equal(reports[0], reports[2])


def test_average_follows():
    state, phases = make()
    state.G.variables["4x4/Conv/bias" if "4x4/Conv/bias" in state.G.variables else "synthesis/4x4/Conv/bias"].assign(
        np.ones(8, np.float32)
    )
    state.G.variables["synthesis/noise0"].assign(np.ones([1, 1, 4, 4], np.float32))
    phases.update_average(tf.constant(0.75))
    np.testing.assert_allclose(state.Gs.variables["synthesis/4x4/Conv/bias"].numpy(), 0.25 * np.ones(8), rtol=1e-6)
    np.testing.assert_array_equal(state.Gs.variables["synthesis/noise0"].numpy(), np.ones([1, 1, 4, 4]))


@pytest.mark.skipif(IS_TF1, reason="TF 1.14 has no XLA to switch on")
def test_compiled_r1_equals_plain():
    """R1 draws nothing without augmentation, so the two modes must take the same step."""
    images, labels = reals()
    results = []
    for xla in (False, True):
        state, phases = make(xla=xla)
        report, _ = phases["D_reg"].run(0, seed(), images, labels, tf.constant(0.0))
        results.append((report.numpy(), {n: v.numpy() for n, v in state.D_opt.second.items()}))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4, atol=1e-6)
    for name, value in results[0][1].items():
        np.testing.assert_allclose(results[1][1][name], value, rtol=5e-3, atol=1e-9, err_msg=name)


def main_loss(phases, p):
    images, labels = reals()
    loss, reports = phases._D_main(tf.cast(seed("D_main"), tf.int32), labels, images, tf.reverse(labels, [0]), tf.constant(p))
    return float(loss), {name: float(value) for name, value in reports.items()}


def test_lecam_adds_its_weighted_penalty_and_moves_its_means():
    plain, _ = main_loss(make()[1], 0.0)
    state, phases = make(lecam_weight=0.5)
    state.lecam_means.assign([0.4, -0.2])
    loss, reports = main_loss(phases, 0.0)
    mean = {kind: reports["Loss/scores/" + kind] for kind in ("real", "fake")}
    square = {kind: reports["Loss/squares/" + kind] for kind in ("real", "fake")}
    penalty = square["real"] + 0.4 * mean["real"] + 0.2**2 + square["fake"] - 0.8 * mean["fake"] + 0.4**2
    assert reports["Loss/lecam_penalty"] == pytest.approx(penalty, rel=1e-4)
    assert loss == pytest.approx(plain + 0.5 * penalty, rel=1e-5) and reports["Loss/D/loss"] == pytest.approx(plain, rel=1e-6)
    expected = [0.99 * 0.4 + 0.01 * mean["real"], 0.99 * -0.2 + 0.01 * mean["fake"]]
    np.testing.assert_allclose(state.lecam_means.numpy(), expected, rtol=1e-4)
    assert state.save()[1]["lecam_means"].shape == (2,) and make()[0].lecam_means is None


def test_fakes_are_shown_as_real_with_probability_p(relmax):
    state, phases = make(pseudo=True)
    images, labels = reals(64)
    shown = phases._with_pseudo_reals
    step, floats = tf.cast(seed("D_main"), tf.int32), tf.cast(images, tf.float32) / 127.5 - 1.0
    before = state.G.variables["dlatent_avg"].numpy()
    none, all_of_them = shown(step, floats, labels, tf.constant(0.0)), shown(step, floats, labels, tf.constant(1.0))
    np.testing.assert_array_equal(none, floats)
    w, synthesize = phases._generate(substream(step, "pseudo"), labels, average=False)
    np.testing.assert_array_equal(all_of_them, synthesize(w))  # of the labels of the images that they replace
    np.testing.assert_array_equal(state.G.variables["dlatent_avg"].numpy(), before)
    replaced = np.mean([
        (shown(tf.cast(seed("D_main", k), tf.int32), floats, labels, tf.constant(0.3)).numpy() != floats.numpy()).any((1, 2, 3))
        for k in range(20)
    ])  # fmt: skip
    assert replaced == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / (64 * 20)) ** 0.5)
    plain, same = main_loss(make()[1], 0.0), main_loss(phases, 0.0)
    assert same == plain and main_loss(phases, 1.0) != plain
