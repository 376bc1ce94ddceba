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
        self.mounts = True  # False: says that it is mounted already, as the real one does without looking

    def modules(self):
        """Return {name: module} for sys.modules."""
        colab, drive, runtime, message = (
            types.ModuleType(name)
            for name in ("google.colab", "google.colab.drive", "google.colab.runtime", "google.colab._message")
        )

        def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
            self.calls.append(("mount", mountpoint, force_remount))
            if self.mount_error:
                raise self.mount_error
            if self.mounts:
                os.makedirs(os.path.join(mountpoint, "MyDrive"), exist_ok=True)
            print("Mounted at {}".format(mountpoint))

        def flush_and_unmount(timeout_ms=24 * 60 * 60 * 1000):
            self.calls.append(("flush_and_unmount",))
            if self.flush_error:
                raise self.flush_error

        def unassign():
            self.calls.append(("unassign",))
            if self.unassign_error:
                raise self.unassign_error

        drive.mount, drive.flush_and_unmount = mount, flush_and_unmount
        runtime.unassign, message.MessageError = unassign, MessageError
        colab.drive, colab.runtime, colab._message = drive, runtime, message
        google = sys.modules.get("google") or types.ModuleType("google")
        return {
            "google": google,
            "google.colab": colab,
            "google.colab.drive": drive,
            "google.colab.runtime": runtime,
            "google.colab._message": message,
        }
