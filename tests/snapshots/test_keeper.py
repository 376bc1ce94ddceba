"""RunKeeper: snapshots of one run on this machine and on Drive, by one writer."""

import os
import time

import numpy as np
import pytest
from fake_drive import FakeDrive, needs_fuse
from waiting import wait_until

from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots.choose import latest_run
from sg2ada_colab.snapshots.keeper import RunKeeper
from sg2ada_colab.snapshots.retention import Retention
from sg2ada_colab.snapshots.store import RunStore
from sg2ada_colab.snapshots.verified_copy import fetch_run

RUN = "00000-x"


def refuse(path):
    raise AssertionError("{} had to be unpickled".format(path))


def snapshots(keeper, *kimgs):
    for kimg in kimgs:
        content = b"pickle %d" % kimg
        keeper.snapshot(kimg, lambda file, content=content: file.write(content), {"w": np.ones(5)}, {"nimg": kimg * 1000})


def names(folder):
    return [record.name for record in RunStore(folder).snapshots()]


def test_without_drive_the_run_stays_in_its_folder(tmp_path):
    with RunKeeper(tmp_path / RUN, retention=Retention(2)) as keeper:
        snapshots(keeper, 4, 8, 12)
        with pytest.raises(UserError, match="is being written by"):
            RunKeeper(tmp_path / RUN)
    assert names(tmp_path / RUN) == ["000008", "000012"] and not (tmp_path / RUN / "lease.json").exists()


def test_a_run_moves_from_machine_to_machine(tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    for machine, kimgs in (("a", (4, 8)), ("b", (12,)), ("c", (16, 20))):
        local = tmp_path / machine
        choice = latest_run([local, drive], refuse)
        assert (choice.candidate.kimg if choice.candidate else None) == {"a": None, "b": 8, "c": 12}[machine]
        if choice.candidate:
            fetch_run(choice.candidate, local, read_pickle=refuse)
        with RunKeeper(local / RUN, drive / RUN, Retention(3), say=print, read_pickle=refuse, settle_s=0) as keeper:
            snapshots(keeper, *kimgs)
            assert keeper.finish(30)
    assert names(drive / RUN) == ["000012", "000016", "000020"] and "lease.json" not in os.listdir(str(drive / RUN))


def test_a_drive_that_is_not_there_is_said_before_training_starts(tmp_path):
    with pytest.raises(UserError, match="does not answer") as error:
        RunKeeper(tmp_path / RUN, tmp_path / "absent" / RUN)
    assert "connects Drive" in error.value.next_step


@needs_fuse
def test_a_full_drive_is_said_before_training_starts(tmp_path):
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results" / "00007-big").mkdir(parents=True)
        (fuse.mount / "results" / "00007-big" / "network-snapshot-000004.pkl").write_bytes(b"x" * 1000)
        fuse.set(quota_bytes=1000)
        with pytest.raises(UserError, match="no room at all") as error:
            RunKeeper(tmp_path / RUN, fuse.mount / "results" / RUN)
        assert "00007-big" in error.value.next_step


def test_an_error_of_the_writer_still_gives_the_run_up(tmp_path):
    keeper = RunKeeper(tmp_path / RUN)

    def fail(file):
        raise OSError(28, "No space left on device")

    keeper.snapshot(4, fail, {}, {})
    with pytest.raises(OSError, match="No space"):
        keeper.finish()
    RunKeeper(tmp_path / RUN).finish()


@needs_fuse
def test_what_does_not_reach_drive_at_the_end_is_said(tmp_path):
    said = []
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results").mkdir()
        keeper = RunKeeper(tmp_path / RUN, fuse.mount / "results" / RUN, say=said.append, first_wait_s=0.05, longest_wait_s=0.1)
        fuse.set(dead=True)
        snapshots(keeper, 4)
        wait_until(lambda: said)
        assert not keeper.finish(1.0)
    assert "Drive's connection is dead" in said[0]
    assert said[-2].startswith("Drive is given what it lacks before this process ends: 1 snapshot")
    assert "on this machine's disk only, in {}: 1 snapshot. Keep this session".format(tmp_path / RUN) in said[-1]
    assert names(tmp_path / RUN) == ["000004"]


@needs_fuse
def test_the_end_waits_for_a_slow_drive_as_long_as_files_arrive(tmp_path):
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results").mkdir()
        keeper = RunKeeper(tmp_path / RUN, fuse.mount / "results" / RUN, say=print, settle_s=0)
        fuse.set(bytes_s=400_000)
        for kimg in (4, 8, 12):
            keeper.snapshot(kimg, lambda file: file.write(bytes(200_000)), {"w": np.ones(5)}, {"nimg": kimg * 1000})
        started = time.monotonic()
        assert keeper.finish(2.0)
        assert time.monotonic() - started > 2.0, "the Drive was not slow enough to show anything"
        assert names(fuse.mount / "results" / RUN) == ["000004", "000008", "000012"]
