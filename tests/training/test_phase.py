"""A phase: when it is due, the names of what it reports, and what its optimiser does after the last of several rounds."""

from collections import OrderedDict

import numpy as np
import pytest

from sg2ada_colab.tf import tf
from sg2ada_colab.training.optimizer import LazyAdam
from sg2ada_colab.training.phase import OptimizerStep, Phase, PhaseSettings, TrainingPhase, scores_of

SEED = tf.constant([1, 2])


@pytest.mark.parametrize("interval, due", [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (None, []), (0, [])])
def test_when_it_is_due(interval, due):
    phase = Phase(PhaseSettings("G_reg", "G", interval, 4), lambda seed: {})
    assert [index for index in range(5) if phase.is_due(index)] == due


def test_reports_are_named_as_they_are_traced_and_come_in_that_order():
    def judge(seed, x):
        return {"b": x, "a": 2 * x, **scores_of("valid", tf.stack([x, -x]))}

    phase = Phase(PhaseSettings("D_valid", "D", 1, 0, xla=False), judge)
    assert phase.reports == ()
    values, finite = phase.run(0, SEED, tf.constant(3.0))
    assert phase.reports == ("b", "a", "Loss/scores/valid", "Loss/signs/valid", "Loss/squares/valid")
    assert values.numpy().tolist() == [3, 6, 0, 0, 9] and finite is None
    with pytest.raises(AssertionError, match="D_valid reports other values than before"):
        phase.pack({"a": tf.constant(1.0), "b": tf.constant(1.0)})


def training_phase(rounds, variable):
    def loss(seed, x):
        return variable * x, {"Loss/G/loss": variable * x}

    trainable = OrderedDict(v=variable)
    optimizer = LazyAdam(trainable, 0.1)
    settings = PhaseSettings("G_main", "G", 1, 4, rounds, xla=False)
    return TrainingPhase(settings, loss, OptimizerStep("Train", trainable, optimizer, 1))


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_optimiser_steps_after_the_last_round_by_the_mean_of_their_gradients(rounds):
    variable = tf.Variable(1.0)
    phase = training_phase(rounds, variable)
    assert phase.overflow_name == "TrainG/overflow_frequency" and phase.accumulator is None or rounds > 1
    slopes = [3.0, 6.0, 0.0][:rounds]
    for index, slope in enumerate(slopes):
        assert variable.numpy() == 1
        values, finite = phase.run(index, SEED, tf.constant(slope))
        assert values.numpy().tolist() == [slope]
        assert bool(finite) if index == rounds - 1 else finite is None
    assert variable.numpy() == pytest.approx(0.9)  # Adam's first step has the length of the learning rate
    np.testing.assert_allclose(phase.optimizer.second["v"].numpy(), 0.01 * np.mean(slopes) ** 2, rtol=1e-5)


def test_a_step_that_is_not_finite_is_reported_and_changes_nothing():
    variable = tf.Variable(1.0)
    _, finite = training_phase(1, variable).run(0, SEED, tf.constant(np.inf, tf.float32))
    assert not bool(finite) and variable.numpy() == 1
