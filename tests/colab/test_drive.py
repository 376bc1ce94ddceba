"""Drive's interface: against a FAKE google.colab with the real signatures and texts, and on a local folder."""

import inspect
import os
import time

import pytest
from fake_drive import FakeDrive, needs_fuse
from fake_google_colab import MOUNT_ERRORS
from waiting import wait_until

from sg2ada_colab.colab.drive import ColabDrive, LocalDrive, choose_drive, finish, mount_failure, state_of
from sg2ada_colab.errors import UserError


@pytest.fixture
def drive(fake_colab):
    return ColabDrive(fake_colab.content / "drive")


def test_the_fake_has_the_signatures_of_google_colab(fake_colab):
    modules = fake_colab.modules()
    mount = inspect.signature(modules["google.colab.drive"].mount)
    assert str(mount) == "(mountpoint, force_remount=False, timeout_ms=120000, readonly=False)"
    flush = inspect.signature(modules["google.colab.drive"].flush_and_unmount)
    assert str(flush) == "(timeout_ms=86400000)"
    assert str(inspect.signature(modules["google.colab.runtime"].unassign)) == "()"


def test_mounts_once_and_never_by_force(fake_colab, front_end, drive):
    assert drive.state() == "absent"
    assert drive.mount() == str(fake_colab.content / "drive" / "MyDrive") == drive.root
    assert drive.state() == "alive"
    assert drive.mount() == drive.root
    assert fake_colab.calls == [("mount", drive.mountpoint, False)]


@pytest.mark.parametrize(
    "case, words, remedy",
    [
        ("unsupported", "not Colab's hosted runtime", "sg2ada init"),
        ("space", "a path with a space", "leave the mount point"),
        ("credentials", "was not allowed", "pop-ups"),
        ("symlink", "symbolic link", "remove the link"),
        ("files", "already holds files", "!mv"),
        ("file", "is a file", "remove it"),
        ("parent", "does not exist", "mkdir"),
        ("timeout", "too long to list", "move items from My Drive into folders"),
        ("policy", "organisation has switched", "another account"),
        ("failed", "could not be mounted", "Disconnect and delete runtime"),
    ],
)
def test_every_documented_failure_becomes_a_plain_sentence(fake_colab, front_end, drive, case, words, remedy):
    fake_colab.mount_error = MOUNT_ERRORS[case]
    with pytest.raises(UserError) as error:
        drive.mount()
    assert words in error.value.what and remedy in error.value.next_step and error.value.expected
    assert "Error" not in error.value.what


def test_every_text_of_the_fake_has_its_own_sentence():
    sentences = {mount_failure(error).what for error in MOUNT_ERRORS.values()}
    assert len(sentences) == len(MOUNT_ERRORS)


def test_colab_enterprise_and_unknown_errors(monkeypatch):
    assert "RuntimeError: something new" in mount_failure(RuntimeError("something new")).what
    monkeypatch.setenv("VERTEX_PRODUCT", "COLAB_ENTERPRISE")
    assert "Enterprise" in mount_failure(NotImplementedError()).what


def test_a_process_without_front_end_does_not_ask(fake_colab, drive):
    with pytest.raises(UserError, match="cannot ask you"):
        drive.mount()
    assert fake_colab.calls == []


def test_already_mounted_but_not_there_is_noticed(fake_colab, front_end, drive):
    fake_colab.mounts = False  # "already mounted" is printed, and nothing is there
    with pytest.raises(UserError, match="does not answer"):
        drive.mount()


@needs_fuse
def test_a_dead_mount_is_taken_away_and_mounted_again(fake_colab, front_end):
    with FakeDrive(fake_colab.content / "d") as fuse:
        drive = ColabDrive(fuse.mount)
        os.mkdir(drive.root)
        assert drive.state() == "alive" and drive.mount() == drive.root and fake_colab.calls == []
        fuse.die()
        assert drive.state() == "dead"
        drive.mount()
        assert fake_colab.calls == [("mount", str(fuse.mount), False)] and drive.state() == "alive"


@needs_fuse
def test_a_drive_that_fails_is_left_mounted(fake_colab, front_end):
    with FakeDrive(fake_colab.content / "d") as fuse:
        drive = ColabDrive(fuse.mount)
        os.mkdir(drive.root)
        fuse.set(eio=1.0)
        assert drive.state() == "silent"
        with pytest.raises(UserError, match="does not answer") as error:
            drive.mount()
        assert "Do not remount by force" in error.value.next_step and fake_colab.calls == []


@needs_fuse
def test_a_drive_that_hangs_is_silent_and_holds_nobody_up(tmp_path):
    with FakeDrive(tmp_path, list_delay_s=30) as fuse:
        started = time.monotonic()
        assert state_of(str(fuse.mount), timeout_s=0.2) == "silent"
        assert time.monotonic() - started < 15


@needs_fuse
def test_pending_uploads_are_counted(fake_colab):
    with FakeDrive(fake_colab.content / "d", upload_delay_s=60) as fuse:
        drive = ColabDrive(fuse.mount)
        path = fuse.mount / "network-snapshot-000004.pkl"
        path.write_bytes(b"x")
        wait_until(lambda: drive.pending_uploads(fuse.mount) == [str(path)])  # FUSE tells it of a closed file a moment later
        fuse.set(upload_delay_s=0)
        fuse.wait_until_uploaded()
        wait_until(lambda: drive.pending_uploads(fuse.mount) == [])


def test_finish_flushes_and_only_then_disconnects(fake_colab, front_end, drive):
    drive.mount()
    said = []
    finish(drive, drive.root, disconnect=True, unmounted=lambda: said.append("unmounted"), say=said.append)
    assert fake_colab.calls[1:] == [("flush_and_unmount",), ("unassign",)]
    assert said == [
        "unmounted", "Everything is on Drive, and Drive is unmounted. Running another cell mounts it again.",
        "Giving the machine back.",
    ]  # fmt: skip
    assert drive.state() == "absent", "the fake unmounts"
    assert drive.mount() == drive.root and drive.state() == "alive"


def test_what_is_on_drive_is_there_again_after_the_next_mount(fake_colab, front_end, drive):
    drive.mount()
    with open(os.path.join(drive.root, "a file"), "w") as file:
        file.write("x")
    finish(drive, drive.root, unmount=True, say=print)
    assert not os.path.exists(drive.root) and ("unassign",) not in fake_colab.calls
    drive.mount()
    assert os.listdir(drive.root) == ["a file"]


def test_finish_waits_for_uploads_and_leaves_drive_mounted(fake_colab, front_end, drive, monkeypatch):
    drive.mount()
    waiting = [["a", "b"], ["a", "b"], ["b"], []]
    monkeypatch.setattr(drive, "pending_uploads", lambda folder: waiting.pop(0))
    monkeypatch.setattr("sg2ada_colab.colab.drive.LOOK_EVERY_S", 0)
    said = []
    finish(drive, drive.root, say=said.append)
    assert said[:2] == [f"{count} still being uploaded; waiting for Drive." for count in ("2 files are", "1 file is")]
    assert said[2].startswith("Drive shows no file that still waits for its upload.") and "tick unmount" in said[2]
    assert len(fake_colab.calls) == 1 and drive.state() == "alive"


def test_finish_does_not_wait_for_ever(fake_colab, front_end, drive, monkeypatch):
    drive.mount()
    monkeypatch.setattr(drive, "pending_uploads", lambda folder: ["a"])
    said = []
    finish(drive, drive.root, say=said.append, wait_s=0)
    assert said == ["1 file is still waiting. Keep this tab open and run this cell again."]


def test_a_failed_flush_keeps_the_machine(fake_colab, drive):
    fake_colab.flush_error = ValueError("flush_and_unmount failed")
    with pytest.raises(UserError, match="did not take all files") as error:
        finish(drive, drive.root, disconnect=True, say=print)
    assert "keep this session" in error.value.next_step and ("unassign",) not in fake_colab.calls


def test_a_session_that_does_not_end_says_how(fake_colab, drive):
    fake_colab.unassign_error = RuntimeError("no TBE_RUNTIME_ADDR")
    with pytest.raises(UserError, match="could not be ended"):
        finish(drive, drive.root, disconnect=True, say=print)


def test_free_space_is_not_known_when_drive_shows_the_machines_disk(fake_colab, front_end, drive, monkeypatch):
    drive.mount()
    assert drive.free_bytes() is None  # the fake's Drive is on the same disk
    monkeypatch.setattr("sg2ada_colab.machine.disk_bytes", lambda path: (15, 5) if "MyDrive" in str(path) else (100, 60))
    assert drive.free_bytes() == 5


def test_what_the_log_of_drivefs_complains_of_is_said(drive, tmp_path, monkeypatch):
    assert drive.complaints() == []
    log = tmp_path / "drive_fs.txt"
    monkeypatch.setattr("sg2ada_colab.colab.drive.DRIVEFS_LOG", str(log))
    log.write_text("fine\n" * 300_000 + "E1123 reason: QUOTA_EXCEEDED\n")
    assert len(drive.complaints()) == 1 and "quota" in drive.complaints()[0]


def test_local_folder_has_the_same_interface(tmp_path, fake_colab):
    drive = LocalDrive(tmp_path / "a" / "b")
    assert drive.state() == "absent"
    assert drive.mount() == str(tmp_path / "a" / "b") and drive.state() == "alive"
    assert drive.free_bytes() > 0 and drive.pending_uploads(drive.root) == []
    said = []
    finish(drive, drive.root, disconnect=True, say=said.append)
    assert said == [f"Everything lies in {drive.root}, on this computer. There is nothing to wait for."]
    assert fake_colab.calls == []
    colab, local = ({name for name in dir(kind) if not name.startswith("_")} for kind in (ColabDrive, LocalDrive))
    assert colab == local


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        LocalDrive(tmp_path / "file" / "x").mount()


def test_the_choice_of_drive(tmp_path, fake_colab, monkeypatch):
    assert isinstance(choose_drive(), ColabDrive)
    assert choose_drive(tmp_path).root == str(tmp_path)
    monkeypatch.setattr("sg2ada_colab.machine.COLAB_MARK", str(tmp_path / "absent"))
    assert choose_drive().root == os.path.expanduser("~")
