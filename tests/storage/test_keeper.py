"""RunKeeper: snapshots of one run on this machine and on Drive, by one writer."""

import json
import os
import time

import numpy as np
import pytest
from fake_drive import FakeDrive, needs_fuse
from waiting import wait_until

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage import check_files
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.retention import Retention
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.verified_copy import CopiesOnTheWay, fetch_run
from sg2ada_colab.storage.which_run import choose_run

RUN = "00000-x"


def snapshots(keeper, *kimgs):
    for kimg in kimgs:
        content = b"pickle %d" % kimg
        keeper.store.write_snapshot_async(
            kimg, lambda file, content=content: file.write(content), {"w": np.ones(5)}, {"nimg": kimg * 1000}
        )


def names(folder):
    return [record.name for record in RunStore(folder).snapshots()]


def test_without_drive_the_run_stays_in_its_folder(tmp_path):
    with RunKeeper(RunStore(tmp_path / RUN), retention=Retention(2)) as keeper:
        snapshots(keeper, 4, 8, 12)
        with pytest.raises(UserError, match="is being written by"):
            RunKeeper(RunStore(tmp_path / RUN))
    assert names(tmp_path / RUN) == ["000008", "000012"] and not (tmp_path / RUN / "lease.json").exists()


def test_a_run_moves_from_machine_to_machine(tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    for machine, kimgs in (("a", (4, 8)), ("b", (12,)), ("c", (16, 20))):
        local = tmp_path / machine
        choice = choose_run([local, drive])
        assert (choice.candidate.kimg if choice.candidate else None) == {"a": None, "b": 8, "c": 12}[machine]
        if choice.candidate:
            fetch_run(choice.candidate, local)
        with RunKeeper(RunStore(local / RUN), drive / RUN, Retention(3), say=print, settle_s=0) as keeper:
            snapshots(keeper, *kimgs)
            assert keeper.finish(30)
    assert names(drive / RUN) == ["000012", "000016", "000020"] and "lease.json" not in os.listdir(str(drive / RUN))


def test_a_drive_that_is_not_there_is_said_before_training_starts(tmp_path):
    with pytest.raises(UserError, match="does not answer") as error:
        RunKeeper(RunStore(tmp_path / RUN), tmp_path / "absent" / RUN)
    assert "connects Drive" in error.value.next_step


@needs_fuse
def test_a_full_drive_is_said_before_training_starts(tmp_path, no_pauses):
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results" / "00007-big").mkdir(parents=True)
        (fuse.mount / "results" / "00007-big" / "network-snapshot-000004.pkl").write_bytes(b"x" * 1000)
        fuse.set(quota_bytes=1000)
        with pytest.raises(UserError, match="The disk of .* is full") as error:
            RunKeeper(RunStore(tmp_path / RUN), fuse.mount / "results" / RUN)
        assert "00007-big" in error.value.next_step


def test_an_error_of_the_writer_still_gives_the_run_up(tmp_path):
    keeper = RunKeeper(RunStore(tmp_path / RUN))

    def fail(file):
        raise OSError(28, "No space left on device")

    keeper.store.write_snapshot_async(4, fail, {}, {})
    with pytest.raises(OSError, match="No space"):
        keeper.finish()
    RunKeeper(RunStore(tmp_path / RUN)).finish()


@needs_fuse
def test_what_does_not_reach_drive_at_the_end_is_said(tmp_path):
    said = []
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results").mkdir()
        keeper = RunKeeper(
            RunStore(tmp_path / RUN), fuse.mount / "results" / RUN, say=said.append, first_wait_s=0.05, longest_wait_s=0.1
        )
        fuse.set(dead=True)
        snapshots(keeper, 4)
        wait_until(lambda: said)
        assert not keeper.finish(1.0)
    assert "Drive's connection is dead" in said[0]
    assert said[-2].startswith("Drive is given what it lacks before this process ends: 1 snapshot")
    assert f"on this machine's disk only, in {tmp_path / RUN}: 1 snapshot. Keep this session" in said[-1]
    assert names(tmp_path / RUN) == ["000004"]


@needs_fuse
def test_the_end_waits_for_a_slow_drive_as_long_as_files_arrive(tmp_path):
    with FakeDrive(tmp_path / "d") as fuse:
        (fuse.mount / "results").mkdir()
        keeper = RunKeeper(RunStore(tmp_path / RUN), fuse.mount / "results" / RUN, say=print, settle_s=0)
        fuse.set(bytes_s=400_000)
        for kimg in (4, 8, 12):
            keeper.store.write_snapshot_async(
                kimg, lambda file: file.write(bytes(200_000)), {"w": np.ones(5)}, {"nimg": kimg * 1000}
            )
        started = time.monotonic()
        assert keeper.finish(2.0)
        assert time.monotonic() - started > 2.0, "the Drive was not slow enough to show anything"
        assert names(fuse.mount / "results" / RUN) == ["000004", "000008", "000012"]


def other_machine(folder):
    holder = json.loads((folder / "lease.json").read_text())
    (folder / "lease.json").write_text(json.dumps(dict(holder, token="other", host="vm-b", boot="x")))


def test_without_drive_a_frozen_holder_writes_no_snapshot_into_anothers_run(tmp_path):
    keeper = RunKeeper(RunStore(tmp_path / RUN))
    snapshots(keeper, 4)
    keeper.store.wait()
    other_machine(tmp_path / RUN)
    before = sorted(os.listdir(str(tmp_path / RUN)))
    snapshots(keeper, 8)
    with pytest.raises(UserError, match="is now written by process .* on vm-b") as error:
        keeper.store.wait()
    assert "stop the other one" in error.value.next_step
    with pytest.raises(UserError, match="is now written by"):
        keeper.store.note_metric("000004", "fid50k_full", 3.0)
    keeper.finish()
    assert sorted(os.listdir(str(tmp_path / RUN))) == before and names(tmp_path / RUN) == ["000004"]


def test_without_drive_the_lease_is_renewed_between_snapshots(tmp_path):
    with RunKeeper(RunStore(tmp_path / RUN), lease_ttl_s=0.3) as keeper:
        first = keeper.lease.holders()[0].renewed
        wait_until(lambda: keeper.lease.holders()[0].renewed > first, 60)
    assert not (tmp_path / RUN / "lease.json").exists()


@pytest.fixture
def on_drive(tmp_path):
    """A run on Drive, from a machine that is gone."""
    drive = tmp_path / "drive" / RUN
    drive.parent.mkdir()
    with RunKeeper(RunStore(tmp_path / "gone" / RUN), drive, settle_s=0, say=print) as keeper:
        snapshots(keeper, 4, 8)
        assert keeper.finish(60)
    return drive


@pytest.fixture
def opened(monkeypatch):
    """The paths that are opened, one after the other."""
    paths, real = [], open

    def counting(path, *more, **options):
        paths.append(str(path))
        return real(path, *more, **options)

    monkeypatch.setattr("builtins.open", counting)
    return paths


def go_on(candidate, here, drive, between=lambda: None, copies=None):
    store = fetch_run(candidate, here, copies=copies)
    between()
    with RunKeeper(store, drive, settle_s=0, say=print, known=candidate.moved_to(store.run_dir)) as keeper:
        assert keeper.finish(60)


def test_a_resume_from_drive_reads_the_snapshot_there_once_and_here_once(tmp_path, on_drive, opened):
    """It is copied while it is chosen; with the lease held its size, time and inode are compared. Here its copy is read back."""
    here = tmp_path / "here"
    copies = CopiesOnTheWay(here)
    found = choose_run([here, tmp_path / "drive"], digest=copies.digest)
    names = list(found.candidate.record.files)
    go_on(found.candidate, here, on_drive, copies=copies)
    assert [opened.count(str(on_drive / name)) for name in names] == [1, 1]
    assert not any(path.startswith(str(here / RUN / name)) for path in opened for name in names), "the copies were moved there"
    assert sum("/.fetching-" in path for path in opened) == 4  # each written, and read back
    copies.close()
    assert os.listdir(str(here)) == [RUN]
    assert sorted(path.read_bytes() for path in (here / RUN).glob("*-000008.*")) == sorted(
        path.read_bytes() for path in on_drive.glob("*-000008.*")
    )


def test_what_was_copied_while_it_was_chosen_is_fetched_again_where_it_does_not_fit(tmp_path, on_drive, opened):
    """The copy is of another file than the one that was chosen, or gone; then Drive is read once more."""
    here = tmp_path / "here"
    copies = CopiesOnTheWay(here)
    candidate = choose_run([here, tmp_path / "drive"], digest=copies.digest).candidate
    names = list(candidate.record.files)
    copies._copies[candidate.pickle] = copies._copies[candidate.state]
    os.unlink(copies._copies[candidate.state][0])
    opened.clear()
    go_on(candidate, here, on_drive, copies=copies)
    assert [opened.count(str(on_drive / name)) for name in names] == [1, 1]
    assert newest_good([here / RUN]).candidate.name == "000008"


def test_a_disk_here_that_takes_no_copy_does_no_harm(tmp_path, on_drive, no_pauses):
    (tmp_path / "here").write_text("no folder")
    candidate = choose_run([tmp_path / "here", tmp_path / "drive"], digest=CopiesOnTheWay(tmp_path / "here").digest).candidate
    assert candidate.name == "000008" and candidate.verified_by == "digest"


def test_copies_of_a_process_that_was_killed_are_deleted(tmp_path, on_drive):
    left = tmp_path / "here" / ".fetching-999999999-x"
    left.mkdir(parents=True)
    copies = CopiesOnTheWay(tmp_path / "here")
    copies.digest(on_drive / "network-snapshot-000008.pkl")
    assert not left.exists() and len(list((tmp_path / "here").iterdir())) == 1
    del copies
    assert list((tmp_path / "here").iterdir()) == [], "they go with the object"


def touch(path):
    os.utime(str(path), ns=(1, 1))


def write_again(path):
    """Put another file with the same bytes and the same time in its place."""
    found = path.stat()
    path.with_name("other").write_bytes(path.read_bytes())
    os.utime(str(path.with_name("other")), ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(str(path.with_name("other")), str(path))


@pytest.mark.parametrize("change", [touch, write_again])
def test_what_changed_on_drive_before_the_lease_was_held_is_read_there_again(tmp_path, on_drive, opened, change):
    here = tmp_path / "here"
    candidate = newest_good([here / RUN, on_drive]).candidate
    pickle = on_drive / "network-snapshot-000008.pkl"
    go_on(candidate, here, on_drive, lambda: (change(pickle), opened.clear()))
    assert opened.count(str(pickle)) == 1


def test_what_was_damaged_on_drive_before_the_lease_was_held_is_copied_again(tmp_path, on_drive):
    here = tmp_path / "here"
    candidate = newest_good([here / RUN, on_drive]).candidate
    pickle = on_drive / "network-snapshot-000008.pkl"
    go_on(candidate, here, on_drive, lambda: pickle.write_bytes(b"#" * pickle.stat().st_size))
    assert newest_good([on_drive]).candidate.name == "000008"


def test_a_snapshot_that_changes_while_it_is_verified_is_not_trusted_later(tmp_path, on_drive, monkeypatch):
    candidate = newest_good([on_drive]).candidate
    assert candidate.is_unchanged_in(on_drive) and not candidate.is_unchanged_in(tmp_path)
    real = check_files.sha256_of

    def touching(path):
        found = real(path)
        touch(path)
        return found

    monkeypatch.setattr(check_files, "sha256_of", touching)
    assert not newest_good([on_drive]).candidate.is_unchanged_in(on_drive)
