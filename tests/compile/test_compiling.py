"""The words for programs that are being compiled: which, for how long, how long it took the last time, how many are ready."""

import pytest

from sg2ada_colab.compile.compiling import COMPILING, LOADING, READY, TRACING, WAITING, Compiling, Step, read_step


def compiling(*steps):
    found = Compiling()
    for step in steps:
        found.take(step)
    return found


def test_each_program_has_its_time_and_the_one_of_the_last_start():
    found = compiling(
        Step("D_reg", TRACING, 90.0, 5), Step("D_reg", COMPILING, 100.0, 5, 55.0), Step("G_reg", COMPILING, 128.0, 5),
        Step("average", COMPILING, 100.0, 5), Step("average", READY, 101.0, 5), Step("G_main", TRACING, 139.0, 5),
    )  # fmt: skip
    assert found.words(140.0) == (
        "compiling D_reg (40s so far, 55s the last time), compiling G_reg (12s so far), tracing G_main (1s so far); "
        "1 of 5 programs are ready"
    )


def test_what_is_compiled_comes_first_and_no_more_than_three_are_named():
    found = compiling(
        Step("a", WAITING, 1.0, 6), Step("b", TRACING, 2.0, 6), Step("c", LOADING, 3.0, 6), Step("d", COMPILING, 4.0, 6),
    )  # fmt: skip
    assert [step.name for step in found.under_way()] == ["d", "c", "b", "a"]
    assert found.words(4.0).endswith("tracing b (2s so far), and 1 more; 0 of 6 programs are ready")


def test_nothing_under_way_has_no_words():
    assert compiling().words(5.0) == "" and compiling(Step("a", READY, 1.0, 1)).words(5.0) == ""


def test_a_step_survives_its_event():
    step = Step("D_reg", COMPILING, 100.0, 5, 55.0)
    assert read_step(dict(step.event(), time=100.0)) == step
    assert read_step(dict(step._replace(last_s=None).event(), time=100.0)) == step._replace(last_s=None)


@pytest.mark.parametrize("damage", [{"doing": 1}, {"of": "5"}, {"of": None}, {"time": "now"}])
def test_an_event_of_another_kind_is_no_step(damage):
    assert read_step(dict(Step("D_reg", COMPILING, 100.0, 5).event(), **dict({"time": 1.0}, **damage))) is None
