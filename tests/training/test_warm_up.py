"""Compiling ahead: nothing of the state changes, nothing is left to compile, and names do not depend on what came before."""

import numpy as np
import pytest

from sg2ada_colab.tf import IS_TF1, compiled, restart_names, tf
from sg2ada_colab.training.warm_up import Program, warm_up

from .test_steps import BATCH, make, reals, seed

pytestmark = pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 compiles nothing")


def values(state):
    return [variable.numpy() for variable in state.variables()]


def one_minibatch(phases, rounds):
    images, labels = reals()
    p = tf.constant(0.0)
    reports = []
    for r in range(rounds):
        reports += [phases.run("G_main", r, seed("G"), labels, p), phases.run("G_reg", r, seed("R"), labels[: BATCH // 2], p)]
    phases.update_average(tf.constant(0.9))
    for r in range(rounds):
        reports.append(phases.run("D_main", r, seed("D"), labels, images, labels, p))
        reports.append(phases.run("D_reg", r, seed("Q"), images, labels, p))
    return [report.numpy() for report, _ in reports]


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_warmed_up_run_equals_one_that_was_not(rounds):
    cold, cold_phases = make(rounds)
    warm, warm_phases = make(rounds)
    before = values(warm)
    ready = warm_up(warm_phases.programs(), warm.variables() + warm_phases.variables())
    assert set(ready) == {program.name for program in warm_phases.programs()} | {"tracing"}
    for left, right in zip(before, values(warm)):
        np.testing.assert_array_equal(left, right)
    traced = {name: function.experimental_get_tracing_count() for name, function in warm_phases._rounds.items()}
    for left, right in zip(one_minibatch(cold_phases, rounds), one_minibatch(warm_phases, rounds)):
        np.testing.assert_array_equal(left, right)
    for left, right in zip(values(cold), values(warm)):
        np.testing.assert_array_equal(left, right)
    assert {name: function.experimental_get_tracing_count() for name, function in warm_phases._rounds.items()} == traced
    assert set(traced.values()) == {1}


def test_without_room_for_all_at_once_the_rest_goes_on():
    def full():
        raise tf.errors.ResourceExhaustedError(None, None, "no room")

    class Function:
        get_concrete_function = staticmethod(lambda: None)
        __call__ = staticmethod(full)

    variable = tf.Variable(1.0)
    doubled = compiled(lambda: variable.assign(2 * variable), xla=False)
    ready = warm_up([Program("full", Function(), ()), Program("doubled", doubled, ())], [variable])
    assert "doubled" in ready and variable.numpy() == 1.0


def test_names_do_not_depend_on_what_was_done_before():
    def name():
        restart_names()
        return compiled(lambda x: x + 1, xla=False).get_concrete_function(tf.constant(1.0)).name

    first = name()
    for _ in range(50):
        tf.Variable(1.0).assign(2.0)
    step = 1 << 17
    number = int(first.decode().rsplit("_", 1)[1]) % step
    assert int(name().decode().rsplit("_", 1)[1]) % step == number
