"""While programs are compiled the log, the events and the bar say which, for how long, and how long it took the last time."""

import io
import json
import types

import pytest

from sg2ada_colab.colab.run_view import RunView
from sg2ada_colab.compile.compiling import COMPILING, LOADING, READY, TRACING
from sg2ada_colab.compile.durations import Durations
from sg2ada_colab.runs import compile_log as module
from sg2ada_colab.runs.compile_log import CompileLog
from sg2ada_colab.runs.log_file import Log


@pytest.fixture
def clock():
    return types.SimpleNamespace(s=1000.0)


def log_of(tmp_path, clock, **more):
    return CompileLog(Log(tmp_path, quiet=True), Durations("x", [tmp_path]), "32 px", clock=lambda: clock.s, **more)


def test_the_second_start_tells_how_long_the_first_one_took(tmp_path, clock):
    for _ in range(2):
        with log_of(tmp_path, clock, hide_bar=True) as tell:
            for name in ("D_reg", "G_reg"):
                tell(name, TRACING, 2)
                tell(name, COMPILING, 2)
            for name in ("G_reg", "D_reg"):
                clock.s += 20
                tell(name, READY, 2)
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        "Compiling D_reg.", "Compiling G_reg.",
        "G_reg is compiled after 20s: 1 of 2 programs are ready.", "D_reg is compiled after 40s: 2 of 2 programs are ready.",
        "Compiling D_reg, which took 40s the last time.", "Compiling G_reg, which took 20s the last time.",
        "G_reg is compiled after 20s: 1 of 2 programs are ready.", "D_reg is compiled after 40s: 2 of 2 programs are ready.",
    ]  # fmt: skip


def test_a_program_from_the_cache_is_told_apart_and_needs_no_line(tmp_path, clock):
    with log_of(tmp_path, clock, hide_bar=True) as tell:
        tell("D_reg", LOADING, 1)
        clock.s += 2
        tell("D_reg", READY, 1)
    assert (tmp_path / "log.txt").read_text() == ""
    known = Durations("x", [tmp_path])
    assert known.last_s("loading D_reg, 32 px") == 2.0 and known.last_s("compiling D_reg, 32 px") is None


def test_the_panel_reads_it_from_the_events(tmp_path, clock, monkeypatch):
    log, view = log_of(tmp_path, clock, hide_bar=True), RunView(tmp_path)
    log.log.event("stage", "compiling the networks")
    log("D_reg", COMPILING, 3)
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    view.update()
    monkeypatch.setattr("sg2ada_colab.colab.run_view.time.time", lambda: event["time"] + 40)
    assert view.doing() == "compiling D_reg (40s so far); 0 of 3 programs are ready" and view.notes == []
    log("D_reg", READY, 3)
    view.update()
    assert view.doing() == "compiling the networks"
    log("G_reg", COMPILING, 3)
    log.log.event("stage", "training on the first images")
    view.update()
    assert view.doing() == "training on the first images"
    log.log.close()


def test_the_bar_and_the_log_move_while_nothing_else_happens(tmp_path, clock, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(module.sys, "stderr", screen)
    monkeypatch.setattr(module, "MOVE_EVERY_S", 0.01)
    Durations("x", [tmp_path]).keep({"compiling D_reg, 32 px": 55.0})
    log = log_of(tmp_path, clock)
    with log as tell:
        tell("D_reg", COMPILING, 3)
        clock.s += 31
        for _ in range(500):
            if "31s so far" in screen.getvalue() and log._said == clock.s:
                break
            log._over.wait(0.01)
    assert "Compiling D_reg (31s so far, 55s the last time): 0/3 programs" in screen.getvalue()
    assert "Compiling D_reg (31s so far, 55s the last time); 0 of 3 programs are ready.\n" in (tmp_path / "log.txt").read_text()


def test_nothing_is_kept_of_what_failed(tmp_path, clock):
    with pytest.raises(ZeroDivisionError), log_of(tmp_path, clock, hide_bar=True) as tell:
        tell("D_reg", COMPILING, 1)
        raise ZeroDivisionError
    assert Durations("x", [tmp_path]).last_s("compiling D_reg, 32 px") is None
