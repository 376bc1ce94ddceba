"""The notebooks' calls, outside a notebook: idempotent, errors in three parts, a run begun, stopped, gone on with."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sg2ada_colab as sg2
from sg2ada_colab.colab import calls, session
from sg2ada_colab.colab.evaluate import Output, run_verb
from sg2ada_colab.colab.session import ShownError, plainly
from sg2ada_colab.colab.workspace import open_workspace
from sg2ada_colab.errors import UserError

TINY = {"batch": 16, "cbase": 64, "cmax": 8, "tick": 0.25, "snap": 1, "metrics": "none", "no_xla": True, "img_snap": 4}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An open workspace, and a folder of images."""
    random = np.random.RandomState(3)
    (tmp_path / "images").mkdir()
    for number in range(24):
        base = random.randint(0, 255, [1, 1, 3]) * np.ones([8, 8, 1]) + random.randint(-20, 20, [8, 8, 3])
        Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).save(str(tmp_path / "images" / "{}.png".format(number)))
    drive = session.choose_drive(str(tmp_path))
    monkeypatch.setattr(session, "_open", {"drive": drive, "workspace": open_workspace(drive.mount())})
    return tmp_path


def test_preparing_twice_makes_it_once_and_remembers_it(home, capsys):
    path = sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    made = os.stat(os.path.join(path, "manifest.json")).st_mtime_ns
    assert sg2.prepare_dataset("nowhere", "colours") == path
    assert os.stat(os.path.join(path, "manifest.json")).st_mtime_ns == made
    assert "colours is there already: 24 images of 8 px." in capsys.readouterr().out
    assert open_workspace(str(home)).choices == {"dataset": "colours"}


def test_reports_name_fields_and_not_options_of_the_command_line():
    assert calls.as_fields("few (--fit tiles or --full-only) -- a--b") == "few (fit tiles or full_only) -- a--b"


def test_preview_before_preparing_writes_nothing(home, capsys):
    before = sorted(str(path) for path in home.rglob("*"))
    report = sg2.preview_dataset(str(home / "images"), 8)
    assert report.good == 24 and "24 image files" in capsys.readouterr().out
    assert sorted(str(path) for path in home.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", None])
def test_a_name_that_cannot_be_a_folder_is_refused(home, name):
    with pytest.raises(UserError, match="cannot be the name"):
        sg2.prepare_dataset(str(home / "images"), name)


def test_in_colab_a_dataset_reaches_drive_whole_or_not_at_all(home, monkeypatch):
    monkeypatch.setattr(calls, "in_colab", lambda: True)
    monkeypatch.setattr(calls, "MACHINE_FOLDER", str(home / "machine"))

    def cut_off(path, folder):
        Path(folder, "colours").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "local_copy", cut_off)
    with pytest.raises(KeyboardInterrupt):
        sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    assert not os.path.exists(os.path.join(session.workspace().datasets, "colours"))
    monkeypatch.undo()
    monkeypatch.setattr(session, "_open", {"drive": session.choose_drive(str(home)), "workspace": open_workspace(str(home))})
    monkeypatch.setattr(calls, "in_colab", lambda: True)
    monkeypatch.setattr(calls, "MACHINE_FOLDER", str(home / "machine"))
    path = sg2.prepare_dataset("the images are not read again", "colours", 8)
    assert path == os.path.join(session.workspace().datasets, "colours") and os.path.isfile(os.path.join(path, "manifest.json"))


def test_a_users_error_is_shown_without_a_traceback():
    @plainly
    def call():
        raise UserError("This is wrong.", "That.", "Do so.")

    with pytest.raises(ShownError) as caught:
        call()
    assert caught.value._render_traceback_() == ["✖ This is wrong.", "  Expected: That.", "  Next: Do so."]
    assert isinstance(caught.value, UserError) and caught.value.__suppress_context__


def test_without_a_dataset_train_says_what_to_do(home):
    with pytest.raises(UserError, match="It is not clear which dataset"):
        sg2.train(**TINY)


class FakeProcess:
    """A training process that has ended in the way that it was told to."""

    ending_state, code = "done", 0

    def __init__(self, plan):
        self.plan = plan

    def start(self):
        os.makedirs(self.plan.run_dir)

    def poll(self):
        return self.code

    def pulse(self):
        return None

    def close(self):
        pass

    forget = close

    def ending(self):
        error = UserError("Bad.", "Good.", "Mend it.") if self.ending_state == "error" else None
        return calls.Ending(self.ending_state, "It is so.", "", error)


@pytest.mark.parametrize("state, code", [("done", 0), ("stopped", 130), ("died", -9)])
def test_train_tells_how_it_ended(home, monkeypatch, capsys, state, code):
    sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    monkeypatch.setattr(FakeProcess, "ending_state", state)
    monkeypatch.setattr(FakeProcess, "code", code)
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    result = sg2.train(kimg=7, gamma="", **TINY)
    assert (result.state, result.exit_code, result.total_kimg) == (state, code, 7)
    assert "It is so." in capsys.readouterr().out and "0.0 of 7 kimg" in repr(result)
    assert open_workspace(str(home)).choices["run"].startswith("00000-colours")


def test_a_users_error_of_the_child_is_raised_here(home, monkeypatch):
    sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    monkeypatch.setattr(FakeProcess, "ending_state", "error")
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    with pytest.raises(ShownError, match="Mend it."):
        sg2.train(kimg=7, **TINY)


def test_a_verb_is_run_and_its_progress_bar_is_one_line_now_and_then():
    lines = []
    code = "import sys; print('hello'); sys.stderr.write('  5%|#  | 1/20\\r 10%|## | 2/20\\n'); print('bye'); sys.exit(3)"
    assert run_verb(["-c", code], lines.append, [sys.executable]) == (3, "hello\nbye")
    assert lines == ["hello", "bye"]
    output = Output(lines.append)
    output._next = 0
    output.add("fid 40%|####     | 4/10 [00:01]")
    assert lines[-1] == "fid 40 %" and output.last == []


def test_a_verb_that_is_interrupted_ends_cleanly(tmp_path):
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *a: (print('saved', flush=True), sys.exit(130)))\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    lines = []

    def say(line):
        lines.append(line)
        if line == "ready":
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    assert run_verb(["-c", code], say, [sys.executable]) == (130, "ready\nsaved")
    assert lines == ["ready", "Stopping; what was measured is kept.", "saved"]


@pytest.mark.slow
def test_a_real_run_is_stopped_by_the_button_and_gone_on_with_by_the_same_call(home, capsys):
    sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    results = Path(session.workspace().results)

    def press_when_saved():
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline and not list(results.glob("*/network-snapshot-*.pkl")):
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_when_saved, daemon=True).start()
    first = sg2.train(kimg=50, **TINY)
    assert (first.state, first.exit_code) == ("stopped", 130), capsys.readouterr().out
    more = int(first.kimg) + 1
    second = sg2.train(kimg=more, no_xla=True)
    assert (second.state, second.run_dir) == ("done", first.run_dir) and second.kimg >= more
    assert sg2.train(kimg=more).sentence.startswith("This run is finished")
    log = Path(first.run_dir, "log.txt").read_text()
    assert "Stopped: interrupted." in log and "Going on from network-snapshot-" in log
