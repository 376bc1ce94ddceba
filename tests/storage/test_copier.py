"""The copier against the fake Drive (FUSE): each documented fault of Drive, and that training's side never waits.

Most tests step it by hand, pass by pass, with a clock of their own; `start` is for what its thread does.
"""

import json
import os
import threading
import time

import numpy as np
import pytest
from fake_drive import FakeDrive, needs_fuse
from hand_clock import HandClock
from waiting import wait_until

from sg2ada_colab import files as file_module
from sg2ada_colab.storage import mirror
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.copier import Copier
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.lease import Lease, LeaseLostError
from sg2ada_colab.storage.retention import Retention
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.verified_copy import fetch_run
from sg2ada_colab.storage.which_run import choose_run

RUN = "00000-x"


def write(store, kimg, size=1000):
    content = bytes([kimg]) * size
    store.write_snapshot_async(kimg, lambda file: file.write(content), {"w": np.full([100], kimg)}, {"nimg": kimg * 1000})
    store.wait()


class Setting:
    """A run on this machine, the fake Drive, and a copier between them."""

    def __init__(self, tmp_path, **settings):
        self.drive = FakeDrive(tmp_path / "drive", **settings)
        self.drive.start()
        (self.drive.mount / "results").mkdir()
        self.drive_dir = self.drive.mount / "results" / RUN
        self.store, self.said = RunStore(tmp_path / "local" / RUN), []
        self.copier = None

    def copy(self, **options):
        """Return a copier that is not started."""
        defaults = {"retention": Retention(3), "settle_s": 0, "say": self.said.append, "first_wait_s": 0.05}
        defaults["longest_wait_s"] = 0.2
        self.copier = Copier(self.store, self.drive_dir, **dict(defaults, **options))
        return self.copier

    def copied(self):
        return newest_good([self.drive_dir]).candidate

    def end(self):
        if self.copier:
            self.copier.stop(0.1)
        self.drive.stop()


@pytest.fixture
def setting(tmp_path):
    one = Setting(tmp_path)
    yield one
    one.end()


def attempts(copier, until, most=40):
    """Run passes until something is true."""
    for _ in range(most):
        copier.attempt()
        if until():
            return
    raise AssertionError(f"not after {most} passes")


def names(folder):
    return [record.name for record in RunStore(folder).snapshots()]


def test_nothing_is_written_under_a_mount_that_goes_in_the_middle_of_a_pass(tmp_path, monkeypatch):
    store, said = RunStore(tmp_path / "local" / RUN), []
    write(store, 4)
    (tmp_path / "mount" / "results").mkdir(parents=True)
    real = mirror.make_drive_folder

    def made_and_gone(path):
        real(path)
        if (tmp_path / "mount" / "results").exists():
            os.rename(str(tmp_path / "mount" / "results"), str(tmp_path / "behind"))  # the folder is bare, as after umount

    monkeypatch.setattr(mirror, "make_drive_folder", made_and_gone)
    copier = Copier(store, tmp_path / "mount" / "results" / RUN, say=said.append)
    for _ in range(3):
        assert copier.attempt()
    assert os.listdir(str(tmp_path / "mount")) == [], "what lies there blocks the next mount"
    assert "Drive is not mounted" in said[0]


@needs_fuse
def test_copies_the_newest_first_and_lists_it_last(setting):
    for kimg in (4, 8, 12):
        write(setting.store, kimg)
    open(setting.store.path("log.txt"), "w").close()
    assert setting.copy().start().finish(60)
    assert names(setting.drive_dir) == ["000004", "000008", "000012"]
    assert RunStore(setting.drive_dir).snapshots() == setting.store.snapshots()
    assert setting.copied().verified_by == "digest"
    files = sorted(os.listdir(str(setting.drive_dir)))
    assert "log.txt" in files and "drive-status.json" not in files and not [name for name in files if ".part" in name]
    status = setting.copier.status()
    assert (status.state, status.waiting, status.waiting_bytes) == ("stopped", 0, 0) and status.last_copied == "000004"


@needs_fuse
def test_short_writes_that_report_success_are_noticed_and_repaired(setting):
    setting.drive.set(short_write=1.0)
    write(setting.store, 4)
    copier = setting.copy()
    copier.attempt()
    assert copier.status().state == "waiting" and setting.copied() is None
    assert any("did not read back" in sentence for sentence in setting.said)
    setting.drive.set(short_write=0)
    attempts(copier, lambda: copier.status().state == "idle")  # a change of the fake Drive's faults takes a moment
    assert setting.copied().name == "000004"
    assert any("works again" in sentence for sentence in setting.said)


@needs_fuse
@pytest.mark.parametrize("fault", ["eio", "eio_on_write"])
def test_input_output_errors_are_tried_again(setting, fault):
    setting.drive.set(**{fault: 0.1})
    for kimg in (4, 8):
        write(setting.store, kimg)
    copier = setting.copy()
    attempts(copier, lambda: copier.status().waiting == 0, 200)
    setting.drive.set(**{fault: 0})
    assert setting.copied().name == "000008"


@needs_fuse
def test_a_full_drive_is_named_and_does_not_stop_the_run(setting):
    big = setting.drive.mount / "results" / "00007-big"
    big.mkdir()
    (big / "network-snapshot-000004.pkl").write_bytes(b"x" * 400_000)
    setting.drive.set(quota_bytes=500_000)
    write(setting.store, 4, 200_000)
    copier = setting.copy()
    attempts(copier, lambda: copier.status().state == "full")
    (sentence,) = [one for one in setting.said if "Drive is full" in one]
    assert "00007-big" in sentence and "1 snapshot waits" in sentence and "trash" in sentence
    write(setting.store, 8, 200_000)  # the run goes on
    assert setting.store.newest_good().name == "000008"
    setting.drive.set(quota_bytes=None)
    attempts(copier, lambda: copier.status().waiting == 0)
    assert setting.copied().name == "000008"


@needs_fuse
def test_a_dead_mount_queues_and_drains(setting):
    write(setting.store, 4)
    copier = setting.copy()
    copier.attempt()
    assert copier.status().waiting == 0
    setting.drive.die()  # DriveFS is gone: Errno 107 from the kernel
    for kimg in (8, 12):
        write(setting.store, kimg)
    for _ in range(3):
        copier.attempt()
    assert copier.status().state == "waiting"
    assert copier.status().waiting >= 2 and "Errno 107" in copier.status().sentence
    assert len([sentence for sentence in setting.said if "Errno 107" in sentence]) == 1  # said once, not at every attempt
    setting.drive.remount()
    attempts(copier, lambda: copier.status().waiting == 0)
    assert names(setting.drive_dir) == ["000004", "000008", "000012"]


def write_and_copy(setting, kimgs):
    for kimg in kimgs:
        write(setting.store, kimg)
        setting.copier.attempt()
        assert setting.copier.status().waiting == 0


@needs_fuse
def test_a_mount_that_is_lost_in_the_middle_of_a_pass_costs_no_old_snapshot(setting):
    """The new ones die with the mount after the pass has looked for losses, and before it makes room."""
    copier = setting.copy(retention=Retention(2))
    write_and_copy(setting, (4, 8))
    setting.drive.wait_until_uploaded(60)
    setting.drive.set(upload_delay_s=600)
    write_and_copy(setting, (12, 16))
    copy_small_files = copier._copy_small_files

    def in_between():
        copy_small_files()
        copier._copy_small_files = copy_small_files
        setting.drive.die()
        setting.drive.remount()

    copier._copy_small_files = in_between
    copier.attempt()
    attempts(copier, lambda: any("Drive has lost" in sentence for sentence in setting.said))
    attempts(copier, lambda: copier.status().waiting == 0)
    assert names(setting.drive_dir) == ["000004", "000008", "000012", "000016"]


@needs_fuse
def test_what_a_mount_lost_while_nothing_was_copied_is_copied_again(setting):
    copier = setting.copy(retention=Retention(2))
    write_and_copy(setting, (4, 8))
    setting.drive.wait_until_uploaded(60)
    setting.drive.set(upload_delay_s=600)
    write_and_copy(setting, (12, 16))
    with open(setting.store.path("log.txt"), "w") as file:
        file.write("a log")
    copier.attempt()
    assert (setting.drive_dir / "log.txt").exists() and copier.status().state == "idle"
    setting.drive.die()
    setting.drive.remount()  # no operation of the copier has met this
    assert not (setting.drive_dir / "network-snapshot-000016.pkl").exists()
    write(setting.store, 20)
    copier.attempt()
    assert any("Drive has lost" in sentence for sentence in setting.said)
    assert (copier.status().waiting, copier.status().state) == (0, "idle")
    assert names(setting.drive_dir) == ["000004", "000008", "000016", "000020"]  # nothing of old while the new is not uploaded
    assert (setting.drive_dir / "log.txt").exists()
    setting.drive.set(upload_delay_s=0)
    setting.drive.wait_until_uploaded(60)
    copier.attempt()
    assert names(setting.drive_dir) == ["000016", "000020"]


def test_a_small_file_that_drive_lost_is_copied_again_and_others_are_left_alone(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for name in ("fakes000004.png", "fakes000008.png"):
        with open(store.path(name), "wb") as file:
            file.write(b"a grid")
    copier = Copier(store, drive_dir, settle_s=0, say=print)
    copier.attempt()
    (drive_dir / "fakes000004.png").unlink()
    left_alone = os.stat(str(drive_dir / "fakes000008.png"))
    copier.attempt()
    assert (drive_dir / "fakes000004.png").read_bytes() == b"a grid"
    assert os.stat(str(drive_dir / "fakes000008.png")).st_ino == left_alone.st_ino  # a copy takes another's place


def test_a_manifest_that_went_back_is_written_anew_and_otherwise_left_alone(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    write(store, 4)
    copier = Copier(store, drive_dir, Retention(2), settle_s=0, say=print)
    copier.attempt()
    before = os.stat(str(drive_dir / "manifest.json"))
    for _ in range(3):
        copier.attempt()
    assert os.stat(str(drive_dir / "manifest.json")).st_mtime_ns == before.st_mtime_ns
    (drive_dir / "manifest.json").unlink()
    copier.attempt()
    assert RunStore(drive_dir).snapshots() == store.snapshots()


@needs_fuse
def test_an_unmounted_drive_is_never_replaced_by_a_local_folder(setting):
    write(setting.store, 4)
    setting.drive.stop()
    copier = setting.copy()
    copier.attempt()
    assert copier.status().state == "waiting" and "not mounted" in copier.status().sentence
    assert os.listdir(str(setting.drive.mount)) == []  # a file here would block the next mount
    assert not copier.start().finish(0.5)


@needs_fuse
def test_a_slow_drive_costs_the_writer_nothing(setting):
    setting.drive.set(bytes_s=50_000, list_delay_s=0.3)
    copier = setting.copy().start()
    for kimg in (4, 8, 12):
        write(setting.store, kimg, 300_000)
        copier.notify()
    # By way of Drive the first alone would take 6 s; they are written here while the first is still on its way.
    assert copier.status().waiting == 3
    wait_until(lambda: any("Drive is slow: 3 snapshots" in sentence for sentence in setting.said), 60)
    setting.drive.set(bytes_s=None, list_delay_s=None)
    assert copier.finish(60)


@needs_fuse
def test_finish_gives_up_on_a_drive_that_hangs(setting):
    setting.drive.set(bytes_s=10_000)
    write(setting.store, 4, 500_000)
    copier = setting.copy().start()
    started = time.monotonic()
    assert not copier.finish(0.5)
    assert time.monotonic() - started < 10


@needs_fuse
def test_the_tail_that_was_not_uploaded_is_lost_with_the_vm_and_nothing_else(setting, tmp_path):
    write(setting.store, 4)
    copier = setting.copy()
    copier.attempt()
    setting.drive.wait_until_uploaded(60)
    setting.drive.set(upload_delay_s=600)
    write(setting.store, 8)
    copier.attempt()  # Drive acknowledged it, and it reads back
    assert copier.status().waiting == 0 and setting.copied().name == "000008"
    setting.drive.lose_vm()
    choice = choose_run([tmp_path / "new-vm", setting.drive.mount / "results"])
    assert choice.candidate.name == "000004"


@needs_fuse
def test_nothing_old_goes_before_the_new_is_uploaded(setting):
    setting.drive.set(upload_delay_s=600)
    copier = setting.copy(retention=Retention(1))
    write_and_copy(setting, (4, 8, 12))
    assert len(RunStore(setting.drive_dir).snapshots()) >= 2
    assert len(setting.store.snapshots()) == 3
    setting.drive.set(upload_delay_s=0)
    setting.drive.wait_until_uploaded(60)
    copier.attempt()
    assert names(setting.drive_dir) == names(setting.store.run_dir) == ["000012"]


@needs_fuse
def test_a_drive_that_stumbles_while_choosing_does_not_lead_to_an_older_snapshot(setting):
    for kimg in (4, 8):
        write(setting.store, kimg)
    setting.copy().attempt()
    setting.drive.set(eio=0.15)
    for _ in range(5):
        assert setting.copied().name == "000008"


@needs_fuse
def test_an_upload_that_never_happens_is_said(setting):
    setting.drive.set(silent_quota_bytes=0)  # over quota: bytes are taken without an error and never uploaded
    write(setting.store, 4)
    clock = HandClock()
    copier = setting.copy(stuck_s=1800, clock=clock)
    copier.attempt()
    clock.step(1700)
    copier.attempt()
    assert setting.said == [] and copier.status().waiting == 0
    for _ in range(3):
        clock.step(200)
        copier.attempt()
    (sentence,) = setting.said
    assert "not uploaded it for 30 min" in sentence and "over a quota" in sentence
    for kimg in (8, 12, 16, 20):
        write(setting.store, kimg)
    copier.attempt()
    assert copier.status().waiting == 0
    assert len(setting.store.snapshots()) == 5  # nothing counts as safe, so nothing goes


def folder_on_disk(tmp_path):
    (tmp_path / "drive").mkdir()
    return RunStore(tmp_path / "local" / RUN), tmp_path / "drive" / RUN


class HangingLease:
    """Drive hangs while a pass looks at the lease; once `released` the look ends with `error`."""

    ttl_s = 60.0

    def __init__(self, error):
        self.error, self.reached, self.released = error, threading.Event(), threading.Event()

    def check(self):
        self.reached.set()
        self.released.wait(60)
        raise self.error

    renew_if_due = check


LOST = LeaseLostError("Another writes.", "one writer", "stop the other one")


@pytest.mark.parametrize(
    ("error", "says"), [(OSError(107, "Transport endpoint is not connected"), []), (LOST, ["Another writes."])]
)
def test_a_copier_that_was_stopped_says_no_more_unless_the_run_is_lost(tmp_path, error, says):
    store, drive_dir = folder_on_disk(tmp_path)
    write(store, 4)
    said, lease = [], HangingLease(error)
    copier = Copier(store, drive_dir, lease=lease, say=said.append).start()
    assert lease.reached.wait(60)
    assert not copier.finish(0.1)
    lease.released.set()
    wait_until(lambda: not copier._alive())
    assert said == says and copier.status().waiting == 1


def test_a_copy_must_settle_before_older_ones_go(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    clock = HandClock()
    copier = Copier(store, drive_dir, Retention(1), settle_s=900, say=print, clock=clock)
    copier.attempt()
    clock.step(899)
    copier.attempt()
    assert names(store.run_dir) == ["000004", "000008"] and names(drive_dir) == ["000008"]
    clock.step(2)
    copier.attempt()
    assert names(store.run_dir) == names(drive_dir) == ["000008"]


def test_a_drive_that_is_always_behind_is_pruned_all_the_same(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    kept, number = [], [0]

    class AlwaysBehind(Copier):
        def is_copying(self, record):
            """A further snapshot is written while each is copied, so that the pass never comes to its end."""
            kept.append((len(names(drive_dir)), len(store.snapshots())))
            if number[0] < 12:
                number[0] += 1
                write(store, number[0])

    write(store, 0)
    AlwaysBehind(store, drive_dir, Retention(2), settle_s=0, say=print).attempt()
    assert number[0] == 12 and max(max(counts) for counts in kept) <= 5, kept  # of 12 that were written


def test_a_second_copier_recognises_what_is_there(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    Copier(store, drive_dir).attempt()
    before = {name: os.stat(str(drive_dir / name)).st_mtime_ns for name in os.listdir(str(drive_dir)) if "snapshot" in name}
    assert Copier(store, drive_dir).start().finish(60)
    assert before == {name: os.stat(str(drive_dir / name)).st_mtime_ns for name in before}
    (drive_dir / "network-snapshot-000004.pkl").write_bytes(b"")  # lost meanwhile: copied again
    assert Copier(store, drive_dir).start().finish(60)
    assert (drive_dir / "network-snapshot-000004.pkl").stat().st_size == 1000


def test_a_damaged_local_snapshot_is_not_copied(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    with open(store.path("training-state-000008.npz"), "r+b") as file:
        file.write(b"#" * 50)
    said = []
    assert Copier(store, drive_dir, say=said.append).start().finish(60)
    assert names(drive_dir) == ["000004"]
    assert any("is not what its manifest says" in sentence for sentence in said)


def test_growing_logs_are_copied_whole_and_seldom(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    clock = HandClock()
    copier = Copier(store, drive_dir, logs_every_s=60, clock=clock)
    for line in ("one\n", "two\n"):
        with open(store.path("log.txt"), "a") as file:
            file.write(line)
        copier.attempt()
        assert (drive_dir / "log.txt").read_text() == "one\n"  # not due yet
        clock.step(50)
    copier.attempt()
    assert (drive_dir / "log.txt").read_text() == "one\ntwo\n"
    with open(store.path("log.txt"), "a") as file:
        file.write("three\n")
    assert copier.start().finish(60)
    assert (drive_dir / "log.txt").read_text() == "one\ntwo\nthree\n"


def held_lease(drive_dir, clock=None):
    drive_dir.mkdir()
    lease = Lease(drive_dir, clock=clock)
    lease.acquire()
    return lease


def take_over(drive_dir):
    """Put another machine's lease in place of the one that is there."""
    taken = json.loads((drive_dir / "lease.json").read_text())
    (drive_dir / "lease.json").write_text(json.dumps(dict(taken, host="another-vm", token="another")))


def test_stops_when_another_process_took_the_run(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    said = []
    copier = Copier(store, drive_dir, lease=held_lease(drive_dir), say=said.append)
    assert copier.attempt()
    take_over(drive_dir)
    write(store, 4)
    assert not copier.attempt()
    assert copier.status().state == "lost"
    assert "another-vm" in said[-1] and "network-snapshot-000004.pkl" not in os.listdir(str(drive_dir))
    assert not copier.finish(5)


@pytest.mark.parametrize(
    "when", ["before the first byte", "within a file", "between the files", "before the manifest", "small file"]
)
def test_a_holder_that_was_frozen_while_another_took_the_run_writes_no_more(tmp_path, monkeypatch, when):
    store, drive_dir = folder_on_disk(tmp_path)
    clock = HandClock()
    lease = held_lease(drive_dir, clock)
    write(store, 4)
    copier = Copier(store, drive_dir, lease=lease, say=print, clock=clock)
    copier.attempt()
    write(store, 8, 3_000_000)
    open(store.path("log.txt"), "w").close()
    seen = []

    def freeze():
        """The machine stands still for longer than the lease lasts; another takes the run over, and notes what lies there."""
        if seen:
            return
        clock.step(400)
        take_over(drive_dir)
        seen.append({name: (drive_dir / name).stat().st_size for name in os.listdir(str(drive_dir))})

    real = mirror.copy_verified

    def copy(source, target, expected=None, report=None, *_):
        is_state = "training-state-000008" in str(source)
        if when == "small file" and str(source).endswith("log.txt"):
            result = real(source, target, expected, report)
            freeze()
            return result
        if when == "within a file" and not is_state and "000008" in str(source):

            def late(count):
                if os.path.exists(str(target)) and os.path.getsize(str(target)) >= 1 << 20:
                    freeze()
                return report(count)

            return real(source, target, expected, late)
        if when == "before the manifest" and not is_state and "000008" in str(source):
            result = real(source, target, expected, report)
            freeze()
            return result
        result = real(source, target, expected, report)
        if when == "between the files" and is_state:
            freeze()
        return result

    monkeypatch.setattr(mirror, "copy_verified", copy)
    monkeypatch.setattr(file_module, "copy_verified", copy)  # of small files, by way of another name
    if when == "before the first byte":
        copier.is_copying = lambda record: freeze()
    assert not copier.attempt() and copier.status().state == "lost"
    after = {name: (drive_dir / name).stat().st_size for name in os.listdir(str(drive_dir))}
    assert seen and after == seen[0], "it wrote after it had woken"
    assert names(drive_dir) == (["000004", "000008"] if when == "small file" else ["000004"])


def test_a_full_local_disk_is_pruned_even_while_drive_is_away(tmp_path, monkeypatch):
    store, drive_dir = RunStore(tmp_path / "local" / RUN), tmp_path / "absent" / RUN
    for kimg in (4, 8, 12, 16):
        write(store, kimg)
    copier = Copier(store, drive_dir, Retention(2), say=print)
    copier.attempt()
    assert copier.status().state == "waiting" and len(store.snapshots()) == 4
    monkeypatch.setattr(mirror, "LOCAL_RESERVE", 10**15)
    copier.attempt()
    assert len(store.snapshots()) == 2


def delete(folder, kimg, *kinds):
    for kind, ending in (("network-snapshot", "pkl"), ("training-state", "npz")):
        if not kinds or kind in kinds:
            os.unlink(os.path.join(str(folder), f"{kind}-{kimg:06d}.{ending}"))


@pytest.mark.parametrize("kinds", [(), ("network-snapshot",), ("training-state",)])
def test_a_listed_snapshot_whose_files_are_gone_holds_up_no_other(tmp_path, kinds):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8, 12):
        write(store, kimg)
    delete(store.run_dir, 8, *kinds)
    delete(store.run_dir, 12, *kinds)
    said = []
    copier = Copier(store, drive_dir, Retention(0), say=said.append)
    copier.attempt()
    assert names(drive_dir) == names(store.run_dir) == ["000004"] and copier.status().state == "idle"
    gone = [sentence for sentence in said if "are gone from" in sentence]
    assert [sentence.split()[4] for sentence in gone] == ["000012", "000008"]
    assert copier.start().finish(60)


def test_a_run_that_was_killed_within_pruning_goes_on_keeping_all(tmp_path, monkeypatch):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8, 12):
        write(store, kimg)

    def killed(folder, name, truncate=False):
        delete(folder, int(name), "network-snapshot")
        raise SystemExit("killed")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("sg2ada_colab.storage.store.delete_files", killed)
        store.prune(Retention(1), lambda record: True)
    again = RunStore(store.run_dir)
    with RunKeeper(again, drive_dir, Retention(0), say=print) as keeper:
        assert keeper.finish(60)
    assert names(drive_dir) == names(store.run_dir) == [name for name in ("000004", "000008", "000012") if name != "000004"]


def test_a_local_file_that_cannot_be_read_holds_up_no_other(tmp_path, monkeypatch):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    os.unlink(store.path("network-snapshot-000008.pkl"))
    os.mkdir(store.path("network-snapshot-000008.pkl"))  # whatever it is that the machine's disk refuses to read
    said = []
    copier = Copier(store, drive_dir, say=said.append)
    copier.attempt()
    assert names(drive_dir) == ["000004"] and copier.status().state == "idle"
    assert said == ["Snapshot 000008 cannot be read here (Is a directory); it is not copied to Drive."]


@pytest.mark.parametrize("killed_at", ["the manifest is written", "the pickle is gone", "the state is gone"])
def test_the_index_on_drive_never_names_a_snapshot_that_was_pruned(tmp_path, monkeypatch, killed_at):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8, 12):
        write(store, kimg)
    copier = Copier(store, drive_dir, Retention(0), settle_s=0, say=print)
    copier.attempt()
    copier.retention = Retention(2)
    deleted = []

    def die_at(path, truncate=False):
        if str(path).startswith(str(drive_dir)):
            if len(deleted) == ["the manifest is written", "the pickle is gone", "the state is gone"].index(killed_at):
                raise SystemExit("killed")
            deleted.append(path)
        os.unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr("sg2ada_colab.storage.retention.delete_file", die_at)
        if killed_at == "the state is gone":
            copier.attempt()
        else:
            with pytest.raises(SystemExit):
                copier.attempt()
    assert names(drive_dir) == ["000008", "000012"]
    assert newest_good([drive_dir]).skipped == () or all("is listed" not in one for one in newest_good([drive_dir]).skipped)
    Copier(store, drive_dir, Retention(2), settle_s=0, say=print).attempt()  # the next process
    left = {name for name in os.listdir(str(drive_dir)) if name.endswith((".pkl", ".npz"))}
    assert names(drive_dir) == ["000008", "000012"] and len(left) == 4, left


def test_what_an_earlier_process_copied_and_a_person_deleted_leaves_the_index(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    Copier(store, drive_dir, Retention(0), say=print).attempt()
    again = RunStore(tmp_path / "new-vm" / RUN)
    write(again, 12)
    copier = Copier(again, drive_dir, Retention(0), say=print)
    copier.attempt()
    delete(drive_dir, 4, "training-state")
    copier.attempt()
    assert names(drive_dir) == ["000008", "000012"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_deleting_on_drive_cuts_no_file_that_a_link_leads_to(tmp_path, link):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    copier = Copier(store, drive_dir, Retention(0), settle_s=0, say=print)
    copier.attempt()
    mine = tmp_path / "mine.pkl"
    mine.write_bytes((drive_dir / "network-snapshot-000004.pkl").read_bytes())
    (drive_dir / "network-snapshot-000004.pkl").unlink()
    link(str(mine), str(drive_dir / "network-snapshot-000004.pkl"))
    (drive_dir / "log.txt.part").symlink_to(mine)
    (drive_dir / "training-state-000016.npz").symlink_to(mine)  # a lone state, which `tidy` takes away
    (drive_dir / "network-snapshot-000012.pkl").symlink_to(mine)  # where a copy will be written
    open(store.path("log.txt"), "w").close()
    write(store, 12)
    Copier(store, drive_dir, Retention(2), settle_s=0, say=print).attempt()
    assert mine.read_bytes() == bytes([4]) * 1000
    assert names(drive_dir) == ["000008", "000012"]
    assert not (drive_dir / "network-snapshot-000004.pkl").exists() and not (drive_dir / "training-state-000016.npz").exists()
    assert not (drive_dir / "network-snapshot-000012.pkl").is_symlink()


def test_fetching_a_run_brings_its_logs_and_its_best(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    store.note_metric("000004", "fid50k_full", 12.5)
    for name in ("log.txt", "stats.jsonl", "fakes000004.png"):
        with open(store.path(name), "w") as file:
            file.write(name)
    assert Copier(store, drive_dir).start().finish(60)
    candidate = newest_good([drive_dir]).candidate
    fetched = fetch_run(candidate, tmp_path / "new-vm")
    assert fetched.run_dir == str(tmp_path / "new-vm" / RUN)
    assert sorted(os.listdir(fetched.run_dir)) == [
        "log.txt",
        "manifest.json",
        "network-snapshot-000008.pkl",
        "stats.jsonl",
        "training-state-000008.npz",
    ]
    assert fetched.snapshots() == store.snapshots()[1:] and fetched.best() == {"fid50k_full": (12.5, "000004")}
    assert Copier(fetched, drive_dir, Retention(2), settle_s=0).start().finish(60)
    assert len(RunStore(drive_dir).snapshots()) == 2 and RunStore(drive_dir).best() == fetched.best()


def test_fetching_a_local_run_copies_nothing(tmp_path):
    store, _ = folder_on_disk(tmp_path)
    write(store, 4)
    candidate = newest_good([store.run_dir]).candidate
    assert fetch_run(candidate, tmp_path / "local").snapshots() == store.snapshots()
