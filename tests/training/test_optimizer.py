"""Adam with lazy regularisation, accumulation, skipped steps and the moving average, against reference sequences."""

import json
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.tf import compiling_for, tf
from sg2ada_colab.training.optimizer import Accumulator, LazyAdam, all_finite, ema_beta, update_average

DATA = np.load(str(Path(__file__).parents[1] / "data" / "optimizer.npz"))
PARAMS = json.loads(str(DATA["params"]))
TOLERANCE = 3e-6


@pytest.mark.parametrize("case", sorted(PARAMS["adam"]))
def test_adam_matches_reference(case):
    p = PARAMS["adam"][case]
    variables = OrderedDict((n, tf.Variable(DATA[f"{case}.init_{n}"])) for n in "abc")
    adam = LazyAdam(variables, p["lr_unscaled"], p["beta1_unscaled"], p["beta2_unscaled"], p["interval"])
    accumulators = {kind: Accumulator(variables, p["rounds"]) for kind in ("main", "reg")}
    calls = {"main": 0, "reg": 0}
    for i, kind in enumerate(DATA[case + ".kind"]):
        kind = str(kind)
        ga, gb = tf.constant(DATA[case + ".ga"][i]), tf.constant(DATA[case + ".gb"][i])
        gradients = [ga, gb, tf.zeros([3])] if kind == "main" else [ga * p["interval"], tf.zeros([2, 3]), tf.zeros([3])]
        accumulators[kind].add(gradients)
        calls[kind] += 1
        if calls[kind] % p["rounds"] == 0:
            adam.apply(accumulators[kind].take())
        for n in "abc":
            np.testing.assert_allclose(
                variables[n].numpy(), DATA[f"{case}.{n}"][i], rtol=0, atol=TOLERANCE, err_msg="step %d" % i
            )
            np.testing.assert_allclose(adam.second[n].numpy(), DATA[f"{case}.v_{n}"][i], rtol=1e-5, atol=TOLERANCE)
            if adam.first and n != "c":
                np.testing.assert_allclose(adam.first[n].numpy(), DATA[f"{case}.m_{n}"][i], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(
            adam.powers.numpy(), [DATA[case + ".beta1_power"][i], DATA[case + ".beta2_power"][i]], rtol=0, atol=TOLERANCE
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite_sees_one_bad_element(bad):
    good = [tf.constant([1.0, 3e38]), tf.constant([[-3e38, 0.0]])]
    assert bool(all_finite(good))
    assert not bool(all_finite(good + [tf.constant([0.0, bad])]))


@pytest.mark.parametrize("case", sorted(PARAMS["ema"]))
def test_average_matches_reference(case):
    p, key = PARAMS["ema"][case], "ema_" + case

    def network(w, n):
        variables = OrderedDict(w=tf.Variable(w), n=tf.Variable(n))
        return SimpleNamespace(variables=variables, trainable={"w": variables["w"]})

    G, Gs = network(DATA[key + ".init_w"], np.zeros(3, np.float32)), network(DATA[key + ".init_w"], np.zeros(3, np.float32))
    for i, before in enumerate(DATA[key + ".images_before"]):
        if i % p["minibatches_per_beta"] == 0:
            beta = ema_beta(p["minibatch"], int(before), p["ema_kimg"], p["rampup"])
        np.testing.assert_allclose(beta, DATA[key + ".beta"][i], rtol=1e-5, atol=1e-7)
        G.variables["w"].assign(DATA[key + ".G_w"][i])
        G.variables["n"].assign(DATA[key + ".G_n"][i])
        update_average(G, Gs, np.float32(beta))
        np.testing.assert_allclose(Gs.variables["w"].numpy(), DATA[key + ".Gs_w"][i], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(Gs.variables["n"].numpy(), DATA[key + ".Gs_n"][i], rtol=0, atol=0)


@pytest.mark.parametrize("target", [None, "gpu"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_found_wherever_it_is(target, value):
    shapes = [(3, 3, 64, 32), (200, 100), (3, 3, 4, 4), (7,), ()]
    gradients = [np.float32(np.random.RandomState(1).standard_normal(shape)) for shape in shapes]
    with compiling_for(target):
        assert all_finite([tf.constant(g) for g in gradients])
        for k, shape in enumerate(shapes):
            for place in {(0,) * len(shape), tuple(side - 1 for side in shape)}:
                spoilt = [np.array(g) for g in gradients]
                spoilt[k][place] = value
                assert not all_finite([tf.constant(g) for g in spoilt])
