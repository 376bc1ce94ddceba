"""A FAKE of the parts of google.colab that this package calls: the real signatures and error texts, no Drive behind it."""

import os
import sys
import types
from pathlib import Path


class MessageError(Exception):
    """Stands for google.colab._message.MessageError."""


# The texts of google.colab, in the order of its own checks.
MOUNT_ERRORS = {
    "unsupported": NotImplementedError(
        "Mounting drive is unsupported in this environment. Use PyDrive instead. See examples at "
        "https://colab.research.google.com/notebooks/io.ipynb#scrollTo=7taylj9wpsA2."
    ),
    "space": ValueError("Mountpoint must not contain a space."),
    "credentials": MessageError("Error: credential propagation was unsuccessful"),
    "symlink": ValueError("Mountpoint must not be a symlink"),
    "files": ValueError("Mountpoint must not already contain files"),
    "file": ValueError("Mountpoint must either be a directory or not exist"),
    "parent": ValueError("Mountpoint must be in a directory that exists"),
    "timeout": ValueError(
        "mount failed: timeout during initial read of root folder; for more info: "
        "https://research.google.com/colaboratory/faq.html#drive-timeout"
    ),
    "policy": ValueError("The domain policy has disabled Drive File Stream. Please contact your administrator."),
    "failed": ValueError("mount failed"),
}


class FakeColab:
    """What the fake was asked to do, and how it is to answer.

    Args:
        folder: Its /content.
    """

    def __init__(self, folder):
        self.content, self.calls = Path(str(folder)), []
        self.mount_error = self.flush_error = self.unassign_error = None
        self.mountpoint, self.cloud = None, self.content / ".cloud"  # what is on Drive while it is not mounted
        self.picked = {}  # what the person picks in the window of files.upload: name -> bytes
        self.mounts = True  # False: says that it is mounted already, as the real one does without looking

    def _mount(self, mountpoint):
        """Show what is on Drive at a mount point; a test may have put it there before."""
        if self.mountpoint is not None or os.path.isdir(os.path.join(mountpoint, "MyDrive")):
            self.mountpoint = mountpoint
            return
        if os.path.isdir(mountpoint) and os.listdir(mountpoint):
            raise MOUNT_ERRORS["files"]
        os.makedirs(mountpoint, exist_ok=True)
        os.makedirs(str(self.cloud), exist_ok=True)
        os.replace(str(self.cloud), os.path.join(mountpoint, "MyDrive"))
        self.mountpoint = mountpoint

    def modules(self):
        """Return {name: module} for sys.modules."""
        names = ("google.colab", "google.colab.drive", "google.colab.runtime", "google.colab._message", "google.colab.files")
        colab, drive, runtime, message, files = map(types.ModuleType, names)

        def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
            self.calls.append(("mount", mountpoint, force_remount))
            if self.mount_error:
                raise self.mount_error
            if self.mounts:
                self._mount(mountpoint)
            print(f"Mounted at {mountpoint}")

        def flush_and_unmount(timeout_ms=24 * 60 * 60 * 1000):
            self.calls.append(("flush_and_unmount",))
            if self.flush_error:
                raise self.flush_error
            mydrive = os.path.join(self.mountpoint or str(self.content / "drive"), "MyDrive")
            if not os.path.isdir(mydrive):
                print("Drive not mounted, so nothing to flush and unmount.")
                return
            os.replace(mydrive, str(self.cloud))
            self.mountpoint = None

        def unassign():
            self.calls.append(("unassign",))
            if self.unassign_error:
                raise self.unassign_error

        def download(filename):
            if not os.path.exists(filename):
                raise FileNotFoundError(f"Cannot find file: {filename}")
            self.calls.append(("download", filename))

        def upload(target_dir=""):
            self.calls.append(("upload", target_dir))
            for name, data in self.picked.items():
                with open(os.path.join(target_dir, name), "wb") as file:
                    file.write(data)
            return dict(self.picked)

        files.download, files.upload = download, upload
        drive.mount, drive.flush_and_unmount = mount, flush_and_unmount
        runtime.unassign, message.MessageError = unassign, MessageError
        colab.drive, colab.runtime, colab._message, colab.files = drive, runtime, message, files
        google = sys.modules.get("google") or types.ModuleType("google")
        return {
            "google": google,
            "google.colab": colab,
            "google.colab.drive": drive,
            "google.colab.runtime": runtime,
            "google.colab._message": message,
            "google.colab.files": files,
        }
