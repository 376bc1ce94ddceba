"""The notebooks' calls, outside a notebook: idempotent, errors in three parts, a run begun, stopped, gone on with."""

import errno
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from run_folders import add_ticks

import sg2ada_colab as sg2
from sg2ada_colab.colab import calls, session
from sg2ada_colab.colab.session import ShownError, plainly
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.workspace import open_workspace

TINY = {"batch": 16, "cbase": 64, "cmax": 8, "tick": 0.25, "snap": 1, "metrics": "none", "no_xla": True, "img_snap": 4}


def test_a_users_error_is_shown_without_a_traceback():
    @plainly
    def call():
        raise UserError("This is wrong.", "That.", "Do so.")

    with pytest.raises(ShownError) as caught:
        call()
    assert caught.value._render_traceback_() == ["✖ This is wrong.", "  Expected: That.", "  Next: Do so."]
    assert isinstance(caught.value, UserError) and caught.value.__suppress_context__


def test_what_the_system_refuses_is_shown_in_three_parts_too():
    @plainly
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device", "red\x1b[31m.pkl")

    with pytest.raises(ShownError) as caught:
        fail()
    lines = caught.value._render_traceback_()
    assert lines[0] == "✖ red\\x1b[31m.pkl: No space left on device." and lines[2].startswith("  Next: free space")


def test_without_a_dataset_train_says_what_to_do(home):
    with pytest.raises(UserError, match="It is not clear which dataset"):
        sg2.train(**TINY)


class FakeProcess:
    """A training process that has ended in the way that it was told to."""

    ending_state, code, ticks = "done", 0, ()

    def __init__(self, plan, environment=None):
        self.plan = plan

    def start(self):
        os.makedirs(self.plan.run_dir)
        add_ticks(Path(self.plan.run_dir), self.ticks)

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
    monkeypatch.setattr(FakeProcess, "ticks", (0, 3))  # over before anybody looks
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    result = sg2.train(kimg=7, gamma="", **TINY)
    assert (result.state, result.exit_code, result.total_kimg) == (state, code, 7)
    assert "It is so." in capsys.readouterr().out and "3.0 of 7 kimg" in repr(result)
    assert open_workspace(str(home)).choices["run"].startswith("00000-colours")


def test_a_new_run_that_is_asked_for_is_said_so_that_it_is_not_asked_for_again(home, monkeypatch, capsys):
    sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    sg2.train(new_run=True, kimg=7, **TINY)
    assert "new_run is ticked, so a new run begins.\nUntick it now" in capsys.readouterr().out


def test_a_users_error_of_the_child_is_raised_here(home, monkeypatch):
    sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    monkeypatch.setattr(FakeProcess, "ending_state", "error")
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    with pytest.raises(ShownError, match="Mend it."):
        sg2.train(kimg=7, **TINY)


def test_after_finish_the_training_cell_mounts_drive_again_and_finds_everything(colab_home, fake_colab, monkeypatch, capsys):
    sg2.prepare_dataset(str(colab_home / "images"), "", 8, workers=1)
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    monkeypatch.setattr("sg2ada_colab.colab.cost.gpus", lambda: [{"name": "Tesla T4", "driver": "550", "memory_mib": 15360}])
    first = sg2.train(kimg=7, **TINY)
    sg2.finish(unmount=True)
    assert not (colab_home / "drive" / "MyDrive").exists(), "the fake Drive is unmounted"
    second = sg2.train(kimg=7, **TINY)
    assert second.state == "done" and os.path.basename(second.run_dir)[5:] == os.path.basename(first.run_dir)[5:]
    assert [name for name, *_ in fake_colab.calls] == ["mount", "flush_and_unmount", "mount"]
    assert os.listdir(session.workspace().datasets) == ["images"]
    capsys.readouterr()
    sg2.finish()
    said = capsys.readouterr().out
    assert "no file that still waits" in said and "Everything is on Drive" not in said


def test_in_colab_without_a_gpu_nothing_is_started_unless_it_is_asked_for(colab_home, monkeypatch, capsys):
    sg2.prepare_dataset(str(colab_home / "images"), "", 8, workers=1)
    monkeypatch.setattr("sg2ada_colab.colab.cost.gpus", lambda: [])
    monkeypatch.setattr(calls.TrainingProcess, "of_plan", FakeProcess)
    with pytest.raises(ShownError) as error:
        sg2.train(kimg=7, **TINY)
    assert error.value.what == "Nothing was started, because this machine has no GPU."
    assert "Runtime > Change runtime type > T4 GPU" in error.value.next_step and "tick without_gpu" in error.value.next_step
    said = capsys.readouterr().out
    assert "There is no GPU on this machine. Choose Runtime → Change runtime type → T4 GPU" in said
    assert "Beginning" not in said and "run" not in session.workspace().choices
    assert not os.listdir(session.workspace().results)
    assert sg2.train(without_gpu=True, kimg=7, **TINY).state == "done"


def test_a_drive_that_was_unmounted_by_hand_is_mounted_again_too(colab_home, fake_colab):
    path = sg2.prepare_dataset(str(colab_home / "images"), "", 8, workers=1)
    sys.modules["google.colab.drive"].flush_and_unmount()
    assert not os.path.exists(path)
    assert sg2.prepare_dataset(str(colab_home / "images"), "", 8, workers=1) == path and os.path.exists(path)


def test_outside_colab_finish_says_where_everything_lies(home, capsys):
    sg2.finish(True, True)
    said = capsys.readouterr().out
    assert f"Everything lies in {session.workspace().root}, on this computer." in said and "Drive" not in said


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
    first = sg2.train(kimg=50, augpipe="noise", **TINY)
    assert (first.state, first.exit_code) == ("stopped", 130), capsys.readouterr().out
    more = int(first.kimg) + 1
    second = sg2.train(kimg=more, no_xla=True)
    assert (second.state, second.run_dir) == ("done", first.run_dir) and second.kimg >= more
    assert sg2.train(kimg=more).sentence.startswith("This run is finished")
    log = Path(first.run_dir, "log.txt").read_text()
    assert "Stopped: interrupted." in log and "Going on from network-snapshot-" in log
