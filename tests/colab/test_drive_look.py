"""The look at Drive: what it finds there, what it passes over, and that nobody waits for a Drive that hangs."""

import threading
import time

import pytest

from sg2ada_colab.colab import drive_look as module
from sg2ada_colab.colab.drive_look import DriveLook
from sg2ada_colab.storage.manifest import Manifest

from .run_folders import add_snapshots


@pytest.fixture
def look_at(tmp_path):
    """Return a function that begins a look at `tmp_path`; all of them end with the test."""
    looks = []

    def begin(jpeg_of=lambda path: path.rsplit("fakes", 1)[1].encode(), most_frames=3):
        looks.append(DriveLook(tmp_path, most_frames, jpeg_of, every_s=0.01))
        return looks[-1]

    yield begin
    for look in looks:
        look.stop()


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


def add_grids(folder, kimgs):
    for kimg in kimgs:
        (folder / f"fakes{kimg:06d}.png").write_bytes(b"a grid")


def test_grids_are_spread_evenly_and_snapshots_that_come_later_are_seen(tmp_path, look_at):
    add_grids(tmp_path, [10, 20, 30, 40, 50])
    look = look_at()
    wait_until(lambda: len(look.frames) == 3)
    assert look.frames == {10: b"000010.png", 30: b"000030.png", 50: b"000050.png"} and look.records == {}
    add_snapshots(tmp_path, [30, 50])
    wait_until(lambda: set(look.records) == {"000030", "000050"})


def test_a_grid_that_was_cut_short_is_left_out(tmp_path, look_at):
    add_grids(tmp_path, [10, 20, 30])

    def jpeg_of(path):
        if "000020" in path:
            raise ValueError("cut short")
        return b"jpeg"

    look = look_at(jpeg_of)
    wait_until(lambda: 30 in look.frames)
    assert look.frames == {10: b"jpeg", 30: b"jpeg"}


def test_a_drive_that_fails_is_looked_at_again(tmp_path, look_at, monkeypatch):
    answers = [OSError(5, "Input/output error"), OSError(107, "not connected")]

    def read_manifest(folder):
        if answers:
            raise answers.pop(0)
        return Manifest()

    monkeypatch.setattr(module, "read_manifest", read_manifest)
    add_grids(tmp_path, [10])
    look = look_at()
    wait_until(lambda: look.frames)
    assert answers == []


def test_nobody_waits_for_a_drive_that_hangs(tmp_path, look_at):
    answers, asked = threading.Event(), threading.Event()

    def jpeg_of(path):
        asked.set()
        assert answers.wait(30)
        return b"late"

    add_grids(tmp_path, [10, 20])
    look = look_at(jpeg_of)
    assert asked.wait(30)
    look.stop()  # returns, though the thread still waits for Drive
    assert look.frames == {} and not answers.is_set()
    answers.set()
    wait_until(lambda: look.frames)
    time.sleep(0.05)
    assert look.frames == {10: b"late"}, "after a stop no further grid is read"
