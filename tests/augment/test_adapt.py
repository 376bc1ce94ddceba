"""The controller of p against the original's sequences; limits, state, warnings, options."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.augment.adapt import AdaptConfig, AdaptiveController
from sg2ada_colab.errors import UserError

TOLERANCE = 1e-9


def config_of(params):
    return AdaptConfig(params["heuristic"], params["target"], params["tune_kimg"], params["images_per_tune"], params["initial_p"])


@pytest.mark.parametrize("case", ["default", "resume", "clamp0", "beyond1", "exact_target"])
def test_rt_follows_the_original(reference, case):
    golden = reference("ada")
    params = golden.json("params")[case]
    controller = AdaptiveController(config_of(params))
    for tuning, scores in enumerate(golden[case + ".scores_real"]):
        for minibatch in scores.astype(np.float64):
            controller.observe({"real": minibatch.mean()}, np.sign(minibatch).mean())
        p = controller.update()
        assert abs(controller.statistic - golden[case + ".r_t"][tuning]) < 1e-6  # the reference holds r_t as float32
        assert abs(p - golden[case + ".p_after"][tuning]) < TOLERANCE
        assert controller.p_float32 == golden[case + ".p_variable_after"][tuning]


def test_rv_follows_the_original(reference):
    golden = reference("ada")
    params = golden.json("params")["rv"]
    controller = AdaptiveController(config_of(params))
    for tuning, scores in enumerate(golden["rv.scores"]):
        for real, fake, valid in scores.astype(np.float64).mean(axis=2):
            controller.observe({"real": real, "fake": fake})
            controller.observe({"valid": valid, "real": None})
        p = controller.update()
        assert abs(controller.statistic - golden["rv.r_v"][tuning]) < 1e-6 * max(1, abs(golden["rv.r_v"][tuning]))
        assert abs(p - golden["rv.p_after"][tuning]) < TOLERANCE


def run(controller, mean_sign, updates):
    for _ in range(updates):
        controller.observe({"real": 1.0}, mean_sign)
        controller.update()


def test_speed_and_cap():
    controller = AdaptiveController(AdaptConfig(images_per_tune=5000, max_p=0.05))
    run(controller, 0.9, 3)
    assert controller.p == pytest.approx(0.03, abs=1e-12)
    run(controller, 0.9, 10)
    assert controller.p == 0.05 and "held at its cap" in controller.status()
    run(controller, 0.1, 100)
    assert controller.p == 0.0
    faster = AdaptiveController(AdaptConfig(images_per_tune=5000, tune_kimg=100))
    run(faster, 0.9, 3)
    assert faster.p == pytest.approx(0.15, abs=1e-12)


def test_no_scores_and_broken_scores_leave_p():
    controller = AdaptiveController(AdaptConfig(initial_p=0.3))
    controller.update()
    controller.observe({"fake": 1.0, "real": None})
    controller.update()
    controller.observe({"real": 1.0}, math.nan)
    controller.update()
    assert controller.p == 0.3 and controller.statistic is None
    fixed = AdaptiveController(AdaptConfig(None, initial_p=0.7))
    run(fixed, 1.0, 5)
    assert fixed.p == 0.7 and fixed.warning() is None


def test_state_restores_exactly_between_updates():
    def make():
        return AdaptiveController(AdaptConfig(initial_p=0.1, images_per_tune=32))

    straight, resumed = make(), make()
    scores = np.random.RandomState(0).randn(40, 8) + 0.9
    for step, minibatch in enumerate(scores):
        for controller in (straight, resumed):
            controller.observe({"real": minibatch.mean()}, np.sign(minibatch).mean())
            if step % 4 == 3:
                controller.update()
        if step == 17:  # in the middle of an interval
            text = json.dumps(resumed.state(), allow_nan=False)
            resumed = make()
            resumed.restore(json.loads(text))
    assert resumed.p == straight.p and resumed.statistic == straight.statistic and resumed.p != 0.1
    assert resumed.state() == straight.state()


def test_warnings_come_once_a_level():
    controller = AdaptiveController(AdaptConfig(initial_p=0.79, images_per_tune=5000))
    texts = []
    for _ in range(320):
        run(controller, 0.95, 1)
        texts.append((controller.p, controller.warning()))
    warned = [(round(p, 2), text) for p, text in texts if text]
    assert [p for p, _ in warned] == pytest.approx([0.8, 1.0, 2.0, 3.0], abs=0.011)
    assert "imitate the augmentations" in warned[0][1]
    assert "memorises" in warned[1][1] and "statistic 0.95, target 0.60" in warned[1][1]
    assert "beyond 1" in controller.status() and controller.status().startswith("p 3.990 (r_t 0.95, target 0.60)")


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: AdaptConfig(target=1.5, initial_p=-0.1), "target 1.5 (expected 0...1); p -0.1 (expected 0...1)"),
        (lambda: AdaptConfig("rx"), "heuristic 'rx'"),
        (lambda: AdaptConfig(initial_p=0.5, max_p=0.2), "largest p 0.2"),
        (lambda: AdaptConfig(tune_kimg=0), "tune_kimg 0"),
        (lambda: AdaptConfig(initial_p=math.nan), "p nan"),
    ],
)
def test_bad_options_are_refused(make, text):
    with pytest.raises(UserError) as caught:
        make()
    assert text in caught.value.what


def test_what_a_run_sets_decides_how_p_moves():
    settings = SimpleNamespace(heuristic="rv", target=None, initial_p=0.0, tune_kimg=100, max_p=0.5, pipe=None, pseudo=False)
    assert AdaptConfig.of(settings, 64) == AdaptConfig("rv", 0.5, 100, 256, 0.0, 0.5)
    settings.heuristic = None
    assert AdaptConfig.of(settings, 64) is None  # nothing is augmented
    settings.initial_p = 0.3
    assert AdaptConfig.of(settings, 32) == AdaptConfig(None, None, 100, 128, 0.3, 0.5)


def test_default_targets():
    assert (AdaptConfig().target, AdaptConfig("rv").target, AdaptConfig(None).target) == (0.6, 0.5, None)
