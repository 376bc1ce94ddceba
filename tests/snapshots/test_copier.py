"""The copier against the fake Drive (FUSE): each documented fault of Drive, and that training's side never waits."""

import json
import os
import threading
import time

import numpy as np
import pytest
from fake_drive import FakeDrive, needs_fuse
from waiting import wait_until

from sg2ada_colab.snapshots.choose import latest_run, newest_good
from sg2ada_colab.snapshots.copier import Copier
from sg2ada_colab.snapshots.lease import Lease, LeaseLostError
from sg2ada_colab.snapshots.retention import Retention
from sg2ada_colab.snapshots.store import RunStore
from sg2ada_colab.snapshots.verified_copy import fetch_run

RUN = "00000-x"


def write(store, kimg, size=1000):
    content = bytes([kimg]) * size
    return store.write_snapshot(kimg, lambda file: file.write(content), {"w": np.full([100], kimg)}, {"nimg": kimg * 1000})


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
        defaults = {"retention": Retention(3), "settle_s": 0, "say": self.said.append, "first_wait_s": 0.05}
        defaults["longest_wait_s"] = 0.2
        self.copier = Copier(self.store, self.drive_dir, **dict(defaults, **options)).start()
        return self.copier

    def copied(self):
        return newest_good([self.drive_dir], refuse).candidate

    def end(self):
        if self.copier:
            self.copier.stop(0.1)
        self.drive.stop()


def refuse(path):
    raise AssertionError("{} had to be unpickled".format(path))


@pytest.fixture
def setting(tmp_path):
    one = Setting(tmp_path)
    yield one
    one.end()


def test_nothing_is_written_under_a_mount_that_goes_in_the_middle_of_a_pass(tmp_path, monkeypatch):
    from sg2ada_colab.snapshots import copier as module

    store, said = RunStore(tmp_path / "local" / RUN), []
    write(store, 4)
    (tmp_path / "mount" / "results").mkdir(parents=True)
    real = module.make_drive_folder

    def made_and_gone(path):
        real(path)
        if (tmp_path / "mount" / "results").exists():
            os.rename(str(tmp_path / "mount" / "results"), str(tmp_path / "behind"))  # the folder is bare, as after umount

    monkeypatch.setattr(module, "make_drive_folder", made_and_gone)
    copier = Copier(store, tmp_path / "mount" / "results" / RUN, say=said.append, first_wait_s=0.05, longest_wait_s=0.1).start()
    wait_until(lambda: said)
    time.sleep(0.3)
    copier.stop()
    assert os.listdir(str(tmp_path / "mount")) == [], "what lies there blocks the next mount"
    assert "Drive is not mounted" in said[0]


@needs_fuse
def test_copies_the_newest_first_and_lists_it_last(setting):
    for kimg in (4, 8, 12):
        write(setting.store, kimg)
    open(setting.store.path("log.txt"), "w").close()
    assert setting.copy().finish(20)
    assert [record.name for record in RunStore(setting.drive_dir).snapshots()] == ["000004", "000008", "000012"]
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
    wait_until(lambda: copier.status().state == "waiting")
    assert setting.copied() is None
    assert any("did not read back" in sentence for sentence in setting.said)
    setting.drive.set(short_write=0)
    assert copier.finish(20) and setting.copied().name == "000004"
    assert any("works again" in sentence for sentence in setting.said)


@needs_fuse
@pytest.mark.parametrize("fault", ["eio", "eio_on_write"])
def test_input_output_errors_are_tried_again(setting, fault):
    setting.drive.set(**{fault: 0.1})
    for kimg in (4, 8):
        write(setting.store, kimg)
    copier = setting.copy()
    wait_until(lambda: copier.status().waiting == 0, 40)
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
    wait_until(lambda: copier.status().state == "full")
    (sentence,) = [one for one in setting.said if "Drive is full" in one]
    assert "00007-big" in sentence and "1 snapshot waits" in sentence and "trash" in sentence
    write(setting.store, 8, 200_000)  # the run goes on
    assert setting.store.newest_good(refuse).name == "000008"
    setting.drive.set(quota_bytes=None)
    wait_until(lambda: copier.status().waiting == 0)
    assert setting.copied().name == "000008"


@needs_fuse
def test_a_dead_mount_queues_and_drains(setting):
    write(setting.store, 4)
    copier = setting.copy()
    wait_until(lambda: copier.status().waiting == 0)
    setting.drive.die()  # DriveFS is gone: Errno 107 from the kernel
    for kimg in (8, 12):
        write(setting.store, kimg)
    copier.notify()
    wait_until(lambda: copier.status().state == "waiting")
    assert copier.status().waiting >= 2 and "Errno 107" in copier.status().sentence
    assert len([sentence for sentence in setting.said if "Errno 107" in sentence]) == 1  # said once, not at every attempt
    setting.drive.remount()
    wait_until(lambda: copier.status().waiting == 0)
    assert [record.name for record in RunStore(setting.drive_dir).snapshots()] == ["000004", "000008", "000012"]


@needs_fuse
def test_a_mount_that_is_lost_in_the_middle_of_a_pass_costs_no_old_snapshot(setting):
    """The new ones die with the mount after the pass has looked for losses, and before it makes room."""
    copier = setting.copy(retention=Retention(2))
    for kimg in (4, 8):
        write(setting.store, kimg)
        copier.notify()
        wait_until(lambda: copier.status().waiting == 0)
    setting.drive.wait_until_uploaded()
    setting.drive.set(upload_delay_s=60)
    for kimg in (12, 16):
        write(setting.store, kimg)
        copier.notify()
        wait_until(lambda: copier.status().waiting == 0)
    copy_small_files, passes = copier._copy_small_files, []

    def in_between():
        copy_small_files()
        if not passes:
            setting.drive.die()
            setting.drive.remount()
        passes.append(None)

    copier._copy_small_files = in_between
    copier.notify()
    wait_until(lambda: passes)
    wait_until(lambda: any("Drive has lost" in sentence for sentence in setting.said) or copier.notify())
    wait_until(lambda: copier.status().waiting == 0)
    assert [record.name for record in RunStore(setting.drive_dir).snapshots()] == ["000004", "000008", "000012", "000016"]


@needs_fuse
def test_what_a_mount_lost_while_nothing_was_copied_is_copied_again(setting):
    copier = setting.copy(retention=Retention(2))
    for delay_s, kimgs in ((0, (4, 8)), (60, (12, 16))):
        setting.drive.set(upload_delay_s=delay_s)
        for kimg in kimgs:
            write(setting.store, kimg)
            copier.notify()
            wait_until(lambda: copier.status().waiting == 0)
        if not delay_s:
            setting.drive.wait_until_uploaded()
    with open(setting.store.path("log.txt"), "w") as file:
        file.write("a log")
    copier.notify()
    wait_until((setting.drive_dir / "log.txt").exists)
    wait_until(lambda: copier.status().state == "idle")
    setting.drive.die()
    setting.drive.remount()  # no operation of the copier has met this
    assert not (setting.drive_dir / "network-snapshot-000016.pkl").exists()
    write(setting.store, 20)
    copier.notify()
    wait_until(lambda: any("Drive has lost" in sentence for sentence in setting.said))
    wait_until(lambda: copier.status().waiting == 0 and copier.status().state == "idle")
    there = [record.name for record in RunStore(setting.drive_dir).snapshots()]
    assert there == ["000004", "000008", "000016", "000020"]  # nothing of old while the new is not uploaded
    assert (setting.drive_dir / "log.txt").exists()
    setting.drive.set(upload_delay_s=0)
    setting.drive.wait_until_uploaded()
    assert copier.finish(20)
    assert [record.name for record in RunStore(setting.drive_dir).snapshots()] == ["000016", "000020"]


def test_a_small_file_that_drive_lost_is_copied_again_and_others_are_left_alone(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for name in ("fakes000004.png", "fakes000008.png"):
        with open(store.path(name), "wb") as file:
            file.write(b"a grid")
    copier = Copier(store, drive_dir, settle_s=0, say=print, logs_every_s=0.02).start()
    wait_until(lambda: (drive_dir / "fakes000008.png").exists() and copier.status().state == "idle")
    (drive_dir / "fakes000004.png").unlink()
    left_alone = os.stat(str(drive_dir / "fakes000008.png"))
    wait_until((drive_dir / "fakes000004.png").exists)
    assert (drive_dir / "fakes000004.png").read_bytes() == b"a grid"
    assert os.stat(str(drive_dir / "fakes000008.png")).st_ino == left_alone.st_ino  # a copy takes another's place
    copier.stop()


def test_a_manifest_that_went_back_is_written_anew_and_otherwise_left_alone(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    write(store, 4)
    copier = Copier(store, drive_dir, Retention(2), settle_s=0, say=print, logs_every_s=0.02).start()
    wait_until(lambda: copier.status().waiting == 0)
    before = os.stat(str(drive_dir / "manifest.json"))
    time.sleep(0.3)
    assert os.stat(str(drive_dir / "manifest.json")).st_mtime_ns == before.st_mtime_ns
    (drive_dir / "manifest.json").unlink()
    wait_until((drive_dir / "manifest.json").exists)
    assert RunStore(drive_dir).snapshots() == store.snapshots()
    copier.stop()


@needs_fuse
def test_an_unmounted_drive_is_never_replaced_by_a_local_folder(setting):
    write(setting.store, 4)
    setting.drive.stop()
    copier = setting.copy()
    wait_until(lambda: copier.status().state == "waiting")
    assert "not mounted" in copier.status().sentence
    assert os.listdir(str(setting.drive.mount)) == []  # a file here would block the next mount
    assert not copier.finish(0.5)


@needs_fuse
def test_a_slow_drive_costs_the_writer_nothing(setting):
    setting.drive.set(bytes_s=50_000, list_delay_s=0.3)
    copier = setting.copy()
    for kimg in (4, 8, 12):
        write(setting.store, kimg, 300_000)
        copier.notify()
    # By way of Drive the first alone would take 6 s; they are written here while the first is still on its way.
    assert copier.status().waiting == 3
    wait_until(lambda: any("Drive is slow: 3 snapshots" in sentence for sentence in setting.said))
    setting.drive.set(bytes_s=None, list_delay_s=None)
    assert copier.finish(20)


@needs_fuse
def test_finish_gives_up_on_a_drive_that_hangs(setting):
    setting.drive.set(bytes_s=10_000)
    write(setting.store, 4, 500_000)
    copier = setting.copy()
    started = time.monotonic()
    assert not copier.finish(0.5)
    assert time.monotonic() - started < 10


@needs_fuse
def test_the_tail_that_was_not_uploaded_is_lost_with_the_vm_and_nothing_else(setting, tmp_path):
    write(setting.store, 4)
    copier = setting.copy()
    wait_until(lambda: copier.status().waiting == 0)
    setting.drive.wait_until_uploaded()
    setting.drive.set(upload_delay_s=60)
    write(setting.store, 8)
    copier.notify()
    wait_until(lambda: copier.status().waiting == 0)  # Drive acknowledged it, and it reads back
    assert setting.copied().name == "000008"
    copier.stop()
    setting.drive.lose_vm()
    choice = latest_run([tmp_path / "new-vm", setting.drive.mount / "results"], refuse)
    assert choice.candidate.name == "000004"


@needs_fuse
def test_nothing_old_goes_before_the_new_is_uploaded(setting):
    setting.drive.set(upload_delay_s=60)
    copier = setting.copy(retention=Retention(1))
    for kimg in (4, 8, 12):
        write(setting.store, kimg)
        copier.notify()
        wait_until(lambda: copier.status().waiting == 0)
    assert len(RunStore(setting.drive_dir).snapshots()) >= 2
    assert len(setting.store.snapshots()) == 3
    setting.drive.set(upload_delay_s=0)
    setting.drive.wait_until_uploaded()
    assert copier.finish(20)
    assert [record.name for record in RunStore(setting.drive_dir).snapshots()] == ["000012"]
    assert [record.name for record in setting.store.snapshots()] == ["000012"]


@needs_fuse
def test_a_drive_that_stumbles_while_choosing_does_not_lead_to_an_older_snapshot(setting):
    for kimg in (4, 8):
        write(setting.store, kimg)
    assert setting.copy().finish(20)
    setting.drive.set(eio=0.15)
    for _ in range(5):
        assert setting.copied().name == "000008"


@needs_fuse
def test_an_upload_that_never_happens_is_said(setting):
    setting.drive.set(silent_quota_bytes=0)  # over quota: bytes are taken without an error and never uploaded
    write(setting.store, 4)
    copier = setting.copy(stuck_s=0.5, logs_every_s=0.1)
    wait_until(lambda: any("not uploaded it" in sentence for sentence in setting.said))
    assert copier.status().waiting == 0 and "over a quota" in setting.said[-1]
    time.sleep(0.4)
    assert len(setting.said) == 1
    for kimg in (8, 12, 16, 20):
        write(setting.store, kimg)
    copier.notify()
    wait_until(lambda: copier.status().waiting == 0)
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
        self.released.wait(20)
        raise self.error

    renew_if_due = check


@pytest.mark.parametrize(
    ("error", "says"),
    [(OSError(107, "Transport endpoint is not connected"), []), (LeaseLostError("Another writes."), ["Another writes."])],
)
def test_a_copier_that_was_stopped_says_no_more_unless_the_run_is_lost(tmp_path, error, says):
    store, drive_dir = folder_on_disk(tmp_path)
    write(store, 4)
    said, lease = [], HangingLease(error)
    copier = Copier(store, drive_dir, lease=lease, say=said.append).start()
    assert lease.reached.wait(20)
    assert not copier.finish(0.1)
    lease.released.set()
    wait_until(lambda: not copier._alive())
    assert said == says and copier.status().waiting == 1


def test_a_copy_must_settle_before_older_ones_go(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    copier = Copier(store, drive_dir, Retention(1), settle_s=1.0, say=print, logs_every_s=0.05).start()
    wait_until(lambda: copier.status().waiting == 0)
    time.sleep(0.2)
    assert len(store.snapshots()) == 2
    wait_until(lambda: len(store.snapshots()) == 1)
    assert store.snapshots()[0].name == "000008"
    copier.stop()


def test_a_drive_that_is_always_behind_is_pruned_all_the_same(tmp_path, monkeypatch):
    store, drive_dir = folder_on_disk(tmp_path)
    copier = Copier(store, drive_dir, Retention(2), settle_s=0, say=print)
    kimg, missing, kept = [0], Copier._missing, []

    def never_at_rest(self):
        if threading.current_thread().name == "drive-copier" and kimg[0] < 12:
            kept.append((len(RunStore(drive_dir).snapshots()), len(store.snapshots())))
            kimg[0] += 1
            write(store, kimg[0])
        return missing(self)

    monkeypatch.setattr(Copier, "_missing", never_at_rest)
    copier.start()
    wait_until(lambda: kimg[0] == 12)
    copier.stop()
    assert max(max(counts) for counts in kept) <= 5, kept  # of 12 that were written; seen before each further one


def test_a_second_copier_recognises_what_is_there(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    assert Copier(store, drive_dir).start().finish(20)
    before = {name: os.stat(str(drive_dir / name)).st_mtime_ns for name in os.listdir(str(drive_dir)) if "snapshot" in name}
    assert Copier(store, drive_dir).start().finish(20)
    assert before == {name: os.stat(str(drive_dir / name)).st_mtime_ns for name in before}
    (drive_dir / "network-snapshot-000004.pkl").write_bytes(b"")  # lost meanwhile: copied again
    assert Copier(store, drive_dir).start().finish(20)
    assert (drive_dir / "network-snapshot-000004.pkl").stat().st_size == 1000


def test_a_damaged_local_snapshot_is_not_copied(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    with open(store.path("training-state-000008.npz"), "r+b") as file:
        file.write(b"#" * 50)
    said = []
    assert Copier(store, drive_dir, say=said.append).start().finish(20)
    assert [record.name for record in RunStore(drive_dir).snapshots()] == ["000004"]
    assert any("is not what its manifest says" in sentence for sentence in said)


def test_growing_logs_are_copied_whole_and_seldom(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    copier = Copier(store, drive_dir, logs_every_s=60).start()
    for line in ("one\n", "two\n"):
        with open(store.path("log.txt"), "a") as file:
            file.write(line)
        copier.notify()
        # The file is there before its contents are: the next line must not be written while the first is still being read.
        wait_until(lambda: os.path.exists(str(drive_dir / "log.txt")) and (drive_dir / "log.txt").read_text() == "one\n")
        time.sleep(0.1)
    assert (drive_dir / "log.txt").read_text() == "one\n"  # not due yet
    assert copier.finish(20)
    assert (drive_dir / "log.txt").read_text() == "one\ntwo\n"


def test_stops_when_another_process_took_the_run(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    drive_dir.mkdir()
    lease = Lease(drive_dir)
    lease.acquire()
    said = []
    copier = Copier(store, drive_dir, lease=lease, say=said.append).start()
    wait_until(lambda: copier.status().state == "idle")
    taken = json.loads((drive_dir / "lease.json").read_text())
    (drive_dir / "lease.json").write_text(json.dumps(dict(taken, host="another-vm", token="another")))
    write(store, 4)
    copier.notify()
    wait_until(lambda: copier.status().state == "lost")
    assert "another-vm" in said[-1] and "network-snapshot-000004.pkl" not in os.listdir(str(drive_dir))
    assert not copier.finish(5)


def test_a_full_local_disk_is_pruned_even_while_drive_is_away(tmp_path, monkeypatch):
    store, drive_dir = RunStore(tmp_path / "local" / RUN), tmp_path / "absent" / RUN
    for kimg in (4, 8, 12, 16):
        write(store, kimg)
    copier = Copier(store, drive_dir, Retention(2), say=print, first_wait_s=0.05).start()
    wait_until(lambda: copier.status().state == "waiting")
    assert len(store.snapshots()) == 4
    monkeypatch.setattr("sg2ada_colab.snapshots.copier.LOCAL_RESERVE", 10**15)
    wait_until(lambda: len(store.snapshots()) == 2)
    copier.stop()


def test_fetching_a_run_brings_its_logs_and_its_best(tmp_path):
    store, drive_dir = folder_on_disk(tmp_path)
    for kimg in (4, 8):
        write(store, kimg)
    store.note_metric("000004", "fid50k_full", 12.5)
    for name in ("log.txt", "stats.jsonl", "fakes000004.png"):
        with open(store.path(name), "w") as file:
            file.write(name)
    assert Copier(store, drive_dir).start().finish(20)
    candidate = newest_good([drive_dir], refuse).candidate
    fetched = fetch_run(candidate, tmp_path / "new-vm", read_pickle=refuse)
    assert fetched.run_dir == str(tmp_path / "new-vm" / RUN)
    assert sorted(os.listdir(fetched.run_dir)) == [
        "log.txt",
        "manifest.json",
        "network-snapshot-000008.pkl",
        "stats.jsonl",
        "training-state-000008.npz",
    ]
    assert fetched.snapshots() == store.snapshots()[1:] and fetched.best() == {"fid50k_full": (12.5, "000004")}
    assert Copier(fetched, drive_dir, Retention(2), settle_s=0).start().finish(20)
    assert len(RunStore(drive_dir).snapshots()) == 2 and RunStore(drive_dir).best() == fetched.best()


def test_fetching_a_local_run_copies_nothing(tmp_path):
    store, _ = folder_on_disk(tmp_path)
    write(store, 4)
    candidate = newest_good([store.run_dir], refuse).candidate
    assert fetch_run(candidate, tmp_path / "local", read_pickle=refuse).snapshots() == store.snapshots()
