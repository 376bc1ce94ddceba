"""Kaggle, FAKED: its folders and variables, in an image that is made from Colab's."""

import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import wait_until

import sg2ada_colab as sg2
from sg2ada_colab import machine
from sg2ada_colab.colab import calls, cost, doctor, find_images, make_environment, panel, session
from sg2ada_colab.colab.drive import KaggleDrive, choose_drive
from sg2ada_colab.colab.kaggle import ending_in_time, input_path
from sg2ada_colab.colab.supervisor import supervise
from sg2ada_colab.errors import UserError

TINY = {"batch": 16, "cbase": 64, "cmax": 8, "tick": 0.25, "snap": 1, "metrics": "none", "no_xla": True, "img_snap": 4}
SPEED_OF_TWO = " img/s by 2 processes"
TREE = Path("colab-sg2-ada", "stylegan2-ada")


@pytest.fixture
def on_kaggle(tmp_path, monkeypatch, fake_colab):
    """Kaggle's folders in a test's own; google.colab can be imported there, and Colab's mark may be there, too."""
    for name in ("working", "input"):
        (tmp_path / "kaggle" / name).mkdir(parents=True)
    monkeypatch.setattr(machine, "KAGGLE_WORKING", str(tmp_path / "kaggle" / "working"))
    monkeypatch.setattr(machine, "KAGGLE_INPUT", str(tmp_path / "kaggle" / "input"))
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setattr(session, "_open", {})
    monkeypatch.setattr(doctor, "_tensorflow", lambda: doctor.Finding("TensorFlow", "2.20.0"))
    monkeypatch.setattr(doctor, "_gpus_of_tensorflow", lambda: 0)
    return tmp_path / "kaggle"


def add_images(folder):
    random = np.random.RandomState(3)
    folder.mkdir(parents=True)
    for number in range(24):
        base = random.randint(0, 255, [1, 1, 3]) * np.ones([8, 8, 1]) + random.randint(-20, 20, [8, 8, 3])
        Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).save(str(folder / f"{number}.png"))


def test_it_is_told_from_colab_whose_image_it_has(on_kaggle, fake_colab, monkeypatch):
    assert machine.in_kaggle() and not machine.in_colab()
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE")
    assert machine.in_colab() and not machine.in_kaggle()
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    shutil.rmtree(str(on_kaggle / "working"))
    assert not machine.in_kaggle(), "somebody else's variable"


def test_setup_mounts_nothing_and_says_what_is_kept(on_kaggle, fake_colab, capsys):
    workspace = sg2.setup()
    assert workspace.root == str(on_kaggle / "working" / TREE) and isinstance(choose_drive(), KaggleDrive)
    assert workspace.machine_results == workspace.results
    said = capsys.readouterr().out
    assert "Only /kaggle/working is kept, and only once a version is saved." in said and "Save Version" in said
    assert "Kaggle Interactive" in said and "Settings > Accelerator > GPU T4 x2" in said
    assert fake_colab.calls == []
    sg2.finish(unmount=True, disconnect=True)
    said = capsys.readouterr().out
    assert said.startswith(f"Everything lies in {workspace.root}. Only /kaggle/working is kept") and "Drive" not in said
    assert fake_colab.calls == []


def test_without_a_gpu_the_warning_names_kaggles_menu(on_kaggle, monkeypatch, capsys):
    monkeypatch.setattr(cost, "gpus", lambda: [])
    assert cost.warn_without_gpu() is False
    said = capsys.readouterr().out
    assert "Settings → Accelerator → GPU T4 x2" in said and "Run → Run All" in said and "Runtime" not in said


@pytest.mark.parametrize("place", ["photos", "datasets/someone/photos"])
def test_an_input_is_found_by_its_name(on_kaggle, place):
    add_images(on_kaggle / "input" / place)
    assert input_path("photos") == input_path("/photos/") == str(on_kaggle / "input" / place)
    assert input_path("") is input_path("hotos") is input_path("nothing") is None
    path = sg2.prepare_dataset("photos", resolution=8, workers=1)
    assert path == str(on_kaggle / "working" / TREE / "datasets" / "photos")
    assert find_images.source_path(str(on_kaggle / "nowhere")) == str(on_kaggle / "nowhere")


@pytest.mark.slow
def test_the_output_of_an_earlier_version_is_gone_on_with(on_kaggle, monkeypatch, capsys):
    """Prepared and trained in one session, saved as a version, and in the next one only an input."""
    add_images(on_kaggle / "input" / "photos")
    sg2.prepare_dataset("photos", resolution=8, workers=1)
    first = sg2.train(kimg=1, augpipe="noise", **TINY)
    assert first.state == "done" and first.run_dir.startswith(str(on_kaggle / "working"))

    version = on_kaggle / "input" / "notebooks" / "someone" / "my-training"
    shutil.move(str(on_kaggle / "working"), str(version))
    (on_kaggle / "working").mkdir()
    monkeypatch.setattr(session, "_open", {})
    before = {path: path.stat().st_mtime_ns for path in version.rglob("*") if path.is_file()}
    sg2.setup()
    assert machine.input_folders(str(TREE / "results")) == [str(version / TREE / "results")]
    second = sg2.train("photos", kimg=2, augpipe="noise", **TINY)
    assert second.state == "done" and second.kimg == pytest.approx(2, abs=0.05)
    assert second.run_dir == first.run_dir, "the same run, in /kaggle/working again"
    assert "Going on with " in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in version.rglob("*") if path.is_file()} == before, "inputs are only read"
    with pytest.raises(UserError, match="There is no dataset 'pictures'") as error:
        sg2.train("pictures")
    assert "the workspace holds photos" in error.value.expected


@pytest.mark.slow
def test_both_cards_train_without_being_asked_for_and_the_stop_button_ends_both(on_kaggle, monkeypatch, capsys):
    """Two processes on the processor stand in for the two T4."""
    monkeypatch.setenv("SG2ADA_CPU_RANKS", "2")
    monkeypatch.setattr(panel, "LINE_EVERY_S", 0.5)
    add_images(on_kaggle / "input" / "photos")
    sg2.prepare_dataset("photos", resolution=8, workers=1)
    results = on_kaggle / "working" / TREE / "results"

    def press_when_saved():
        shown = sys.stdout.getvalue  # of what capsys keeps
        with suppress(AssertionError):
            wait_until(lambda: list(results.glob("*/network-snapshot-*.pkl")) and SPEED_OF_TWO in shown(), 400.0)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_when_saved, daemon=True).start()
    first = sg2.train(kimg=1000, snap_minutes=0.01, augpipe="noise", **TINY)
    said = capsys.readouterr().out
    assert (first.state, first.exit_code) == ("stopped", 130), said
    assert "2 processes train, each computes 1 of the 2 rounds of a minibatch" in said, said
    assert SPEED_OF_TWO in said, said
    more = int(first.kimg) + 1
    second = sg2.train(kimg=more, gpus=1, no_xla=True)
    assert (second.state, second.run_dir) == ("done", first.run_dir), capsys.readouterr().out
    assert "by 2 processes" not in capsys.readouterr().out


def test_inputs_are_in_the_list_to_choose_from(on_kaggle, capsys):
    add_images(on_kaggle / "input" / "datasets" / "someone" / "photos")
    (on_kaggle / "input" / "more").mkdir()
    shutil.make_archive(str(on_kaggle / "input" / "more" / "stamps"), "zip", str(on_kaggle / "input" / "datasets"))
    sg2.choose_images()
    said = capsys.readouterr().out
    assert f"datasets/someone/photos (folder, 24 images): {on_kaggle / 'input' / 'datasets' / 'someone' / 'photos'}" in said
    assert "more/stamps.zip (" in said and "The flags that come along" in said


def test_outside_kaggle_no_input_is_looked_for(on_kaggle, monkeypatch):
    add_images(on_kaggle / "input" / "photos")
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE")
    assert input_path("photos") is None


def test_the_session_has_twelve_hours(on_kaggle, monkeypatch):
    monkeypatch.setattr(session, "_machine_started", lambda: time.time() - 3600)
    assert session.session_left_s() == pytest.approx(11 * 3600, abs=5)


class Process:
    """A process that ends when it is asked to."""

    asked = 0

    def poll(self):
        return 130 if self.asked else None

    def interrupt(self):
        self.asked += 1
        return "Stopping."

    def close(self):
        pass

    forget = close

    def ending(self):
        return calls.Ending("stopped", "Stopped.")


@pytest.mark.parametrize("kind, left, stops", [("Batch", 800.0, True), ("Batch", 3600.0, False), ("Interactive", 800.0, False)])
def test_a_version_that_kaggle_runs_ends_in_time(on_kaggle, monkeypatch, capsys, kind, left, stops):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", kind)
    process, looks, said = Process(), [], []

    def look():
        looks.append(1)
        if len(looks) == 5:
            process.asked = 1

    ending = supervise(process, ending_in_time(look, lambda: left), said.append, sleep=lambda _: None)
    assert ending.state == "stopped" and (len(looks) == 1) == stops and said == (["Stopping."] if stops else [])
    assert ("The session ends soon" in capsys.readouterr().out) == stops


def test_it_asks_only_once_for_the_end(on_kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    look = ending_in_time(lambda: None, lambda: 1.0)
    with pytest.raises(KeyboardInterrupt):
        look()
    look()


def test_tensorflow_1_14_comes_with_micromamba_there_too(on_kaggle, monkeypatch):
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(on_kaggle / "cache"))
    monkeypatch.setattr(make_environment, "_run_micromamba", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_environment.make_environment("tf114", print, processor_only=True)
    assert os.path.isdir(str(on_kaggle / "cache" / "envs" / "tf114"))
