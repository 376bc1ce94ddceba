"""Compiling ahead: nothing of the state changes, nothing is left to compile, and names do not depend on what came before."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.compile import warm_up as module
from sg2ada_colab.compile.compiling import COMPILING, LOADING, READY, TRACING
from sg2ada_colab.compile.warm_up import Program, warm_up
from sg2ada_colab.tf import IS_TF1, compiled, repeatable_names, tf
from sg2ada_colab.training.state import flat
from tests.training.test_steps import BATCH, make, reals, seed

pytestmark = pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 compiles nothing")


def values(state):
    return [variable.numpy() for variable in flat(state.variables())]


def one_minibatch(phases, rounds):
    images, labels = reals()
    p = tf.constant(0.0)
    reports = []
    for r in range(rounds):
        reports += [phases["G_main"].run(r, seed("G"), labels, p), phases["G_reg"].run(r, seed("R"), labels[: BATCH // 2], p)]
    phases.update_average(tf.constant(0.9))
    for r in range(rounds):
        reports.append(phases["D_main"].run(r, seed("D"), labels, images, labels, p))
        reports.append(phases["D_reg"].run(r, seed("Q"), images, labels, p))
    return [report.numpy() for report, _ in reports]


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.once)])
def test_a_warmed_up_run_equals_one_that_was_not(rounds):
    cold, cold_phases = make(rounds)
    warm, warm_phases = make(rounds)
    before = values(warm)
    ready = warm_up(warm_phases.programs(), flat(warm.variables()) + warm_phases.variables())
    assert set(ready) == {program.name for program in warm_phases.programs()} | {"tracing"}
    for left, right in zip(before, values(warm)):
        np.testing.assert_array_equal(left, right)

    def tracing_counts():
        phases = warm_phases.generator + warm_phases.discriminator
        return {phase.name: phase.program.experimental_get_tracing_count() for phase in phases}

    traced = tracing_counts()
    for left, right in zip(one_minibatch(cold_phases, rounds), one_minibatch(warm_phases, rounds)):
        np.testing.assert_array_equal(left, right)
    for left, right in zip(values(cold), values(warm)):
        np.testing.assert_array_equal(left, right)
    assert tracing_counts() == traced
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


def names_of(code):
    """Return what a new process prints that traces programs of one step after `code`."""
    lines = (
        "from sg2ada_colab.tf import compiled, compiling_for, repeatable_names, tf",
        "from test_steps import make",
        "def show(name, function, inputs):",
        "    with repeatable_names(name), compiling_for('gpu'):",
        "        graph = function.get_concrete_function(*inputs).graph.as_graph_def()",
        "    print(name, zlib.crc32(graph.SerializeToString(deterministic=True)))",
        "def other(x):",
        "    return tf.custom_gradient(lambda x: (x, lambda dy: dy))(x)",
        code,
        "_, phases = make()",
        "[show(p.name, p.function, p.inputs) for p in phases.programs() if p.name == 'D_reg']",
        "done.append(True)",
    )
    # The folder of tests comes first: IPython, which Keras imports, puts one with a package of that name on the path.
    command = [sys.executable, "-c", "import threading, zlib, tests.training\ndone = []\n" + "\n".join(lines)]
    folders = [str(Path(__file__).parents[1] / "training"), str(Path(__file__).parents[2])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(folders + [os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[-1]


def test_names_do_not_depend_on_what_was_or_is_done_besides():
    before = "show('grid', compiled(other, xla=False), (tf.constant(1.0),))"
    beside = """
def busy():
    while not done:
        tf.Variable(1.0).assign(2.0)
        compiled(lambda x: x * 2, xla=False)(tf.constant(1.0))
threading.Thread(target=busy).start()
"""
    assert names_of("") == names_of(before + beside)


def test_a_program_can_be_traced_again_in_the_same_process():
    def once():
        function = compiled(lambda x: tf.custom_gradient(lambda x: (x, lambda dy: dy))(x), xla=False)
        with repeatable_names("one"):
            return function.get_concrete_function(tf.constant(1.0)).name

    assert once() != once()


class FakeCache:
    """Keeps the programs of the given names; the file stands for what XLA writes after timing algorithms."""

    def __init__(self, autotuning, kept):
        self.autotuning, self.kept = str(autotuning), kept

    def has_program(self, traced):
        return traced in self.kept


class FakeFunction:
    """A function whose call does what it is given to do; its graph is its name."""

    def __init__(self, name, call):
        self.name, self.call, self.graph = name, call, self

    def get_concrete_function(self):
        return self

    def as_graph_def(self):
        return self

    def SerializeToString(self, deterministic):  # noqa: N802
        return self.name

    def __call__(self):
        self.call()


@pytest.mark.parametrize("kept, together", [(["a", "b"], True), (["a"], True), (["b"], True), ([], False)])
def test_only_programs_that_are_not_kept_wait_for_one_another(monkeypatch, tmp_path, kept, together):
    monkeypatch.setattr(module, "gpus", lambda: ["one"])
    timed, both = tmp_path / "autotuning", threading.Barrier(2)
    met = []

    def call(name):
        try:
            both.wait(60 if together else 0.5)
            met.append(name)
        except threading.BrokenBarrierError:
            timed.write_text(name)

    warm_up([Program(n, FakeFunction(n, lambda n=n: call(n)), ()) for n in "ab"], [], FakeCache(timed, kept))
    assert (len(met) == 2) == together


def test_the_next_one_starts_when_the_algorithms_of_the_one_before_are_timed(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "gpus", lambda: ["one"])
    timed, second = tmp_path / "autotuning", threading.Event()

    def first():
        timed.write_text("a")
        assert second.wait(60)  # it still compiles; the second must not wait for that

    programs = [Program("a", FakeFunction("a", first), ()), Program("b", FakeFunction("b", second.set), ())]
    warm_up(programs, [], FakeCache(timed, []))
    assert second.is_set()


@pytest.mark.parametrize("kept, doing", [(["a", "b"], LOADING), ([], COMPILING)])
def test_each_step_of_each_program_is_told(tmp_path, kept, doing):
    told = []
    programs = [Program(name, FakeFunction(name, lambda: None), ()) for name in "ab"]
    warm_up(programs, [], FakeCache(tmp_path / "autotuning", kept), lambda *words: told.append(words))
    for name in "ab":
        assert [one for one in told if one[0] == name] == [(name, what, 2) for what in (TRACING, doing, READY)]
