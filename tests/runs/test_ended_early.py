"""A run that an exception or a second Ctrl-C ends: no process, thread, open file or lease is left behind, and it can go on."""

import os
import signal
import sys
import threading
import time

import pytest

from sg2ada_colab import run_files
from sg2ada_colab.processes import ChildProcess
from sg2ada_colab.runs import metrics as metrics_module
from sg2ada_colab.runs import stop
from sg2ada_colab.runs.start import start
from sg2ada_colab.training.loop import Callback

THREADS = ("read batches ahead", "grids", "snapshot-memory", "snapshot-writer", "lease")
# A measurement with a process of its own, and one that does not hear Ctrl-C.
MEASURES = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).wait()"
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);" + MEASURES


@pytest.fixture
def children(request, monkeypatch):
    """Let a stand-in, the program that it is given, measure in a separate process; return the list of those that were started."""
    started = []

    def child(words, log):
        started.append(ChildProcess(["-c", request.param], log, command=[sys.executable]))
        time.sleep(0.5)  # it has started its own process
        return started[-1]

    monkeypatch.setattr(metrics_module, "ChildProcess", child)
    monkeypatch.setattr(metrics_module, "CLOSE_S", 1.0)
    monkeypatch.setattr(metrics_module, "missing_weights_message", lambda network: None)
    return started


class Fails(Callback):
    """Raises at a moment of training."""

    def __init__(self, moment):
        self.moment = moment

    def on_start(self, progress):
        assert alive(THREADS[:1]) == []
        if self.moment == "start":
            raise RuntimeError("a callback failed")

    def on_group(self, progress):
        if self.moment == "group" and progress.state.counters.tick == 2:
            raise RuntimeError("a callback failed")

    def on_end(self, progress):
        if self.moment == "end":
            raise RuntimeError("a callback failed")


class InterruptsTwice(Callback):
    """Presses Ctrl-C, which is heard, and again once an echo is over."""

    def on_group(self, progress):
        if progress.state.counters.tick == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)


def alive(names):
    return [one.name for one in threading.enumerate() if one.name.startswith(tuple(names))]


def open_files(folder):
    """Return the files below a folder that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink("/proc/self/fd/" + number))
        except OSError:
            continue
    return [path for path in found if path.startswith(str(folder))]


def is_gone(group):
    """Return whether no process of a group is left; one that nobody waits for any more is init's to collect."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/stat") as file:
                state, _, its_group = file.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            return False
    return True


def assert_nothing_is_left(run, children):
    assert alive(THREADS) == [] and open_files(run) == []
    assert not (run / run_files.LEASE).exists()
    deadline = time.monotonic() + 60
    while not all(is_gone(child.pid) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    for child in children:
        assert child.poll() is not None and is_gone(child.pid)


@pytest.mark.once
@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    "children, callback, error, count",
    [
        pytest.param(MEASURES, Fails("start"), RuntimeError, 0, id="on_start"),
        pytest.param(DEAF, Fails("group"), RuntimeError, 1, id="on_group"),
        pytest.param(MEASURES, InterruptsTwice(), KeyboardInterrupt, 1, id="second Ctrl-C"),
    ],
    indirect=["children"],
)
def test_nothing_is_left_behind(children, callback, error, count, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(stop, "ECHO_S", 0.01)
    run, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    config = tiny_config(metrics=["kid64_efflite0"], metrics_aside=True)
    with pytest.raises(error):
        start(config, str(run), quiet=True, extra_callbacks=[callback])
    assert len(children) == count and signal.getsignal(signal.SIGINT) is handler
    assert_nothing_is_left(run, children)
    assert start(tiny_config(), str(run), resume=True if count else None, quiet=True) == 0


@pytest.mark.once
@pytest.mark.usefixtures("untrained")
def test_a_callback_that_fails_at_the_end_keeps_no_other_from_closing(tiny_config, tmp_path):
    with pytest.raises(RuntimeError, match="a callback failed"):
        start(tiny_config(), str(tmp_path / "run"), quiet=True, extra_callbacks=[Fails("end")])
    assert_nothing_is_left(tmp_path / "run", [])
