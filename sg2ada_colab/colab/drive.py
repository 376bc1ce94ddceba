"""Google Drive behind one small interface: in Colab the mounted Drive, elsewhere a folder."""

import errno
import os
import subprocess
import threading
import time
from typing import Any, Callable, List, Optional, Union

from .. import machine
from ..errors import UserError
from ..files import FilePath
from ..machine import disk_bytes, drive_free_bytes, has_front_end, in_colab, in_kaggle
from ..storage.verified_copy import is_uploaded
from ..storage.workspace import MOUNTPOINT, usual_folder
from ..words import counted
from .kaggle import KEPT

DRIVEFS_LOG = "/root/.config/Google/DriveFS/Logs/drive_fs.txt"
LOG_TAIL_BYTES = 1 << 20
LONGEST_WAIT_S, LOOK_EVERY_S = 1800.0, 5.0  # for uploads without unmounting
ANSWER_S = 30.0  # a Drive that takes longer to list its top folder counts as silent

# What google.colab raises, in the order of its own checks: a piece of its text, and the three parts of ours.
MOUNT_FAILURES = (
    (
        "Mounting drive is unsupported",
        "Google Drive cannot be mounted here: this is not Colab's hosted runtime.",
        "a notebook at colab.research.google.com that is connected to a hosted runtime",
        "work in a local folder instead: sg2ada init FOLDER",
    ),
    (
        "must not contain a space",
        "Google Drive cannot be mounted at a path with a space.",
        f"the usual place, {MOUNTPOINT}",
        "leave the mount point as it is",
    ),
    (
        "Colab Enterprise",
        "Colab Enterprise does not offer Google Drive.",
        "a notebook at colab.research.google.com",
        "work in a local folder and copy the results to a storage bucket: sg2ada init FOLDER",
    ),
    (
        "credential propagation was unsuccessful",
        "Google Drive was not allowed.",
        "your consent in the window that opens, for the account whose Drive you want, with all boxes ticked",
        "run this cell again; let the browser open pop-ups and third-party cookies for colab.research.google.com, and "
        "be signed in to one Google account only",
    ),
    (
        "must not be a symlink",
        f"{MOUNTPOINT} is a symbolic link.",
        "a folder, or nothing, at that path",
        f"remove the link (!rm {MOUNTPOINT}), then run this cell again",
    ),
    (
        "must not already contain files",
        f"{MOUNTPOINT} already holds files, which were written while Drive was not mounted.",
        "an empty folder, or nothing, at that path",
        f"look at them (!ls -R {MOUNTPOINT}), move what you need with !mv {MOUNTPOINT} /content/drive-before, then run "
        "this cell again",
    ),
    (
        "must either be a directory or not exist",
        f"{MOUNTPOINT} is a file.",
        "a folder, or nothing, at that path",
        f"remove it (!rm {MOUNTPOINT}), then run this cell again",
    ),
    (
        "must be in a directory that exists",
        f"The folder above {MOUNTPOINT} does not exist.",
        "the folder /content, which every Colab machine has",
        f"make it (!mkdir -p {os.path.dirname(MOUNTPOINT)}), then run this cell again",
    ),
    (
        "timeout during initial read of root folder",
        "Google Drive took too long to list its top folder.",
        "a few hundred items at most directly in My Drive",
        "run this cell again, as part of the list is kept by then; if it stays so, move items from My Drive into folders",
    ),
    (
        "domain policy has disabled",
        "Your organisation has switched Drive for desktop off, which Colab's mount is.",
        "an account whose administrator allows it, or a private one",
        "use another account, or work in a local folder and download the results: sg2ada init FOLDER",
    ),
    (
        "mount failed",
        "Google Drive could not be mounted.",
        "a Drive that answers",
        "run this cell again in a minute; if it stays so, Runtime > Disconnect and delete runtime, then Run all",
    ),
)


LOG_COMPLAINTS = (
    (b"QUOTA_EXCEEDED", "a Drive quota is exceeded: see the storage in the browser; if there is room, wait some hours"),
    (b"QueryManager timed out", "a folder holds too many items to list: move items into sub-folders"),
)


def mount_failure(error: BaseException) -> UserError:
    """Return the UserError for an exception of google.colab's `drive.mount`."""
    text = str(error)
    for piece, what, expected, next_step in MOUNT_FAILURES:
        if piece.lower() in text.lower():
            return UserError(what, expected, next_step)
    if os.environ.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE":
        return UserError(*MOUNT_FAILURES[2][1:])
    return UserError(
        f"Google Drive could not be mounted: {type(error).__name__}: {text}",
        "a Drive that answers",
        "run this cell again; if it stays so, Runtime > Disconnect and delete runtime, then Run all",
    )


class LocalDrive:
    """A folder that plays Drive's part outside Colab: what is written there stays there at once.

    Args:
        folder: The folder; made by `mount`.
    """

    is_remote = False  # runs are written into it directly; nothing needs copying
    kept = ", on this computer. There is nothing to wait for."  # what follows "Everything lies in FOLDER"

    def __init__(self, folder: FilePath) -> None:
        self.root = os.path.abspath(os.path.expanduser(str(folder)))

    def mount(self) -> str:
        """Make the folder ready and return its path. Raises UserError when it cannot be made."""
        try:
            os.makedirs(self.root, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"The folder {self.root} cannot be made: {error.strerror}",
                "a folder that you may write to",
                "choose another one: sg2ada init FOLDER",
            ) from error
        return self.root

    def state(self) -> str:
        """Return "alive", "absent", "dead" (its process has died) or "silent" (it hangs or fails)."""
        return state_of(self.root)

    def free_bytes(self) -> Optional[int]:
        """Return the free bytes, or None where they cannot be read."""
        return disk_bytes(self.root)[1]

    def complaints(self) -> List[str]:
        """Return sentences about what Drive's own log complains of."""
        return []

    def pending_uploads(self, folder: FilePath) -> List[str]:
        """Return the paths under `folder` that are known not to be uploaded yet."""
        return []

    def flush(self) -> None:
        """Do nothing: a folder needs no flush."""

    def disconnect(self) -> None:
        """Do nothing: there is no session to end."""


class KaggleDrive(LocalDrive):
    """The folder that Kaggle keeps of a notebook, once a version of it is saved. There is no Drive to mount."""

    kept = ". " + " ".join(KEPT)

    def __init__(self) -> None:
        super().__init__(machine.KAGGLE_WORKING)


class ColabDrive:
    """Google Drive as Colab mounts it.

    Args:
        mountpoint: Where; `root` is the folder MyDrive in it.
    """

    is_remote = True
    kept = ", on Drive."

    def __init__(self, mountpoint: FilePath = MOUNTPOINT) -> None:
        self.mountpoint = str(mountpoint)
        self.root = os.path.join(self.mountpoint, "MyDrive")

    def mount(self) -> str:
        """Mount Drive, if it is not, and return the path of MyDrive.

        Never remounts by force, which would lose files that are still to be uploaded. A mount whose process has died holds
        up nothing any more, so it is taken away first; what DriveFS had kept for it is uploaded after the new mount.

        Raises:
            UserError: Drive cannot be mounted, with the reason and the remedy.
        """
        state = self.state()
        if state == "alive":
            return self.root
        if state == "silent":
            raise _silent(self.mountpoint)
        if not has_front_end():
            raise UserError(
                "Google Drive is not mounted, and this process cannot ask you for it.",
                "the mount to be made in the notebook, where your browser can answer",
                "run the notebook's cell that connects Drive, then this again",
            )
        if state == "dead":
            subprocess.run(["umount", "-l", self.mountpoint], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        from google.colab import drive

        try:
            drive.mount(self.mountpoint)
        except Exception as error:  # MessageError derives from Exception alone
            raise mount_failure(error) from error
        if self.state() != "alive":  # "already mounted" is said without looking
            raise _silent(self.mountpoint)
        return self.root

    def state(self) -> str:
        """Return "alive", "absent", "dead" (its process has died) or "silent" (it hangs or fails)."""
        return state_of(self.root, self.mountpoint)

    def free_bytes(self) -> Optional[int]:
        """Return the free bytes of the Drive, or None where they cannot be known."""
        return drive_free_bytes(self.root, os.path.dirname(self.mountpoint))

    def complaints(self) -> List[str]:
        """Return sentences about what Drive's own log complains of; quotas run out without an error for the writer."""
        try:
            with open(DRIVEFS_LOG, "rb") as file:
                file.seek(max(0, os.path.getsize(DRIVEFS_LOG) - LOG_TAIL_BYTES))
                tail = file.read()
        except OSError:
            return []
        return [sentence for word, sentence in LOG_COMPLAINTS if word in tail]

    def pending_uploads(self, folder: FilePath) -> List[str]:
        """Return the paths under `folder` that are known not to be uploaded yet."""
        paths = [os.path.join(where, name) for where, _, names in os.walk(str(folder)) for name in names]
        return [path for path in paths if is_uploaded(path) is False]

    def flush(self) -> None:
        """Wait until all is uploaded, then unmount; there is no flush that keeps the mount. Raises UserError on failure."""
        from google.colab import drive

        try:
            drive.flush_and_unmount()
        except Exception as error:
            raise UserError(
                f"Google Drive did not take all files: {error}",
                "every file uploaded before the machine is given back",
                "keep this session, see in the browser which files of the run are there and whether Drive is full, then "
                "run this cell again",
            ) from error

    def disconnect(self) -> None:
        """Give the machine back, which saves compute units. Raises UserError on failure."""
        from google.colab import runtime

        try:
            runtime.unassign()
        except Exception as error:
            raise UserError(
                f"The session could not be ended: {error}",
                "Colab to give the machine back",
                "Runtime > Disconnect and delete runtime",
            ) from error


def _silent(mountpoint):
    return UserError(
        f"Google Drive is mounted at {mountpoint} but does not answer.",
        f"a listing of My Drive within {ANSWER_S:.0f} s",
        "wait a minute and run this cell again. Training may go on meanwhile: its snapshots wait on this machine and are copied "
        "later. Do not remount by force, which loses files that are being uploaded",
    )


def state_of(root: str, mountpoint: Optional[str] = None, timeout_s: float = ANSWER_S) -> str:
    """Return how a Drive folder answers: "alive", "absent", "dead" (Errno 107) or "silent" (it hangs or fails)."""
    answer: List[Union[str, int, None]] = []  # or the number of the error

    def look():
        try:
            os.listdir(root)
            answer.append("alive")
        except OSError as error:
            answer.append(error.errno)

    # A hanging mount holds up the thread that asks, so another one asks.
    thread = threading.Thread(target=look, name="drive-look", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not answer:
        return "silent"
    if answer[0] in (errno.ENOENT, errno.ENOTDIR):
        return "silent" if mountpoint and os.path.ismount(mountpoint) else "absent"
    return {"alive": "alive", errno.ENOTCONN: "dead"}.get(answer[0], "silent")


def choose_drive(folder: Optional[FilePath] = None) -> Union[LocalDrive, ColabDrive]:
    """Return the Drive to work with: a folder if one is given, Colab's Drive, Kaggle's working folder, else the home folder."""
    if folder is not None:
        return LocalDrive(folder)
    if in_kaggle():
        return KaggleDrive()
    return ColabDrive() if in_colab() else LocalDrive(usual_folder())


def finish(
    drive: Union[LocalDrive, ColabDrive],
    folder: FilePath,
    unmount: bool = False,
    disconnect: bool = False,
    unmounted: Callable[[], Any] = lambda: None,
    say: Callable[[str], Any] = print,
    wait_s: float = LONGEST_WAIT_S,
) -> None:
    """Wait until Drive has taken in a folder; unmount it, and give the machine back, if asked.

    Args:
        drive: `ColabDrive` or `LocalDrive`.
        folder: Folder on it whose waiting uploads are counted.
        unmount: Flush and unmount, which is the only way to be sure of every file.
        disconnect: End the session afterwards.
        unmounted: Called when Drive is unmounted.
        say: Callable that gets sentences.
        wait_s: Longest wait for uploads without unmounting, seconds.

    Raises:
        UserError: Drive did not take everything; the machine is kept.
    """
    if not drive.is_remote:
        say(f"Everything lies in {folder}{drive.kept}")
        return
    if not (unmount or disconnect):
        _wait_for_uploads(drive, folder, say, wait_s)
        return
    waiting = drive.pending_uploads(folder)
    if waiting:
        say(f"{counted(len(waiting), 'file is', 'files are')} still being uploaded; waiting for Drive.")
    drive.flush()
    unmounted()
    say("Everything is on Drive, and Drive is unmounted. Running another cell mounts it again.")
    if disconnect:
        say("Giving the machine back.")
        drive.disconnect()


def _wait_for_uploads(drive, folder, say, wait_s):
    """Wait until no file is known to wait for its upload; say how many are left whenever that changes."""
    deadline, said = time.monotonic() + wait_s, None
    waiting = drive.pending_uploads(folder)
    while waiting and time.monotonic() < deadline:
        if len(waiting) != said:
            said = len(waiting)
            say(f"{counted(said, 'file is', 'files are')} still being uploaded; waiting for Drive.")
        time.sleep(LOOK_EVERY_S)
        waiting = drive.pending_uploads(folder)
    if waiting:
        say(f"{counted(len(waiting), 'file is', 'files are')} still waiting. Keep this tab open and run this cell again.")
    else:
        say("Drive shows no file that still waits for its upload. To be sure before you close the session, tick unmount and run "
            "this cell again.")  # fmt: skip
