"""A start says what it does, how long it has taken, and how long the last one took on this kind of machine."""

import types

import pytest

from sg2ada_colab.colab import starting as module
from sg2ada_colab.colab.starting import NOT_KNOWN, Starting, StartTimes
from sg2ada_colab.compile.durations import FILE, Durations


@pytest.fixture(name="clock")
def clock_fixture():
    now = types.SimpleNamespace(s=50.0)
    now.read = lambda: now.s
    return now


def pulse(images_per_second):
    return {"kimg": 0.1, "images_per_second": images_per_second, "session_s": 1.0, "time": 1.0}


def test_the_time_goes_on_and_the_first_images_end_it(clock):
    start = Starting(None, clock.read)
    assert start.sentences("") == ("Starting: loading TensorFlow.", "0s so far. " + NOT_KNOWN)
    clock.s += 75
    assert start.sentences("compiling the networks") == ("Starting: compiling the networks.", "1m 15s so far. " + NOT_KNOWN)
    assert not start.update(None) and not start.update(pulse(0.0))
    assert start.update(pulse(12.0)) and start.update(None), "once it is over, it is over"


def test_the_next_start_says_how_long_this_one_took(clock, tmp_path):
    def times(pixels=256, device="Tesla T4", tensorflow="2.20.0"):
        return StartTimes(Durations(f"{device}-tf{tensorflow}", [tmp_path]), pixels, device)

    first = Starting(times(), clock.read)
    clock.s += 200
    first.update(pulse(12.0))
    clock.s += 999
    first.update(pulse(12.0))  # changes nothing
    again = Starting(times(), clock.read)
    assert again.sentences("x")[1] == "0s so far. The last start on this kind of machine (Tesla T4) took 3m 20s."
    for other in (times(pixels=512), times(device="L4"), times(tensorflow="2.21.0")):
        assert Starting(other, clock.read).sentences("x")[1] == "0s so far. " + NOT_KNOWN


def test_a_disk_that_fails_and_a_damaged_file_cost_nothing(clock, tmp_path):
    (tmp_path / FILE).write_text('{"x": {"start, 256 px": "soon"}}')
    start = Starting(StartTimes(Durations("x", [tmp_path]), 256, "Tesla T4"), clock.read)
    assert NOT_KNOWN in start.sentences("x")[1]
    (tmp_path / "file").write_text("")
    start = Starting(StartTimes(Durations("x", [tmp_path / "file"]), 256, "Tesla T4"), clock.read)
    assert start.update(pulse(12.0)), "there is no such folder, and none can be made"


@pytest.mark.parametrize("cards, device", [([], "no GPU"), ([{"name": "NVIDIA L4"}], "NVIDIA L4")])
def test_the_machine_is_asked_for_its_gpu(monkeypatch, cards, device):
    monkeypatch.setattr(module, "gpus", lambda: cards)
    assert StartTimes(Durations("x"), 64).device == device and StartTimes(Durations("x"), 64).last_s() is None
