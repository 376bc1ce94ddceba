"""Start, break and lose the fake Drive mount of `drive_fuse.py`."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_counts import FaultCounts

PROGRAM = Path(__file__).parent / "drive_fuse.py"


def can_mount():
    """Return why this machine cannot mount a FUSE file system, or an empty string when it can."""
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    if os.geteuid() != 0 and not shutil.which("fusermount3") and not shutil.which("fusermount"):
        return "neither root nor fusermount"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError):
        try:
            import fuse  # noqa: F401
        except (ImportError, OSError) as error:
            return f"no FUSE binding for Python ({error})"
    return ""


needs_fuse = pytest.mark.skipif(bool(can_mount()), reason=f"cannot mount the fake Drive: {can_mount()}")


class FakeDrive:
    """The mount and what lies behind it; a context manager.

    Args:
        folder: Scratch folder; gets `mount` (what the VM sees), `cloud` (what is safe) and a cache for each VM.
        settings: Faults by name, as listed in `drive_fuse.py`.
    """

    def __init__(self, folder, **settings):
        self.folder = Path(str(folder))
        self.mount, self.cloud, self.control = (self.folder / name for name in ("mount", "cloud", "control.json"))
        for path in (self.mount, self.cloud):
            path.mkdir(parents=True, exist_ok=True)
        self.settings, self.process, self.vm = dict(settings), None, 0
        self.counts = FaultCounts(self.folder / "counts")
        self.never_persisted = {"absent": 0, "of zero bytes": 0, "cut short": 0}  # files, as a lost VM left them in the cloud
        self._write_settings()

    @property
    def cache(self):
        """What the VM sees, as it lies on the VM's disk: what is read here meets no fault of the mount."""
        return self.folder / f"cache-{self.vm}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *ignored):
        self.stop()

    def set(self, **settings):
        self.settings.update(settings)
        self._write_settings()

    def _write_settings(self):
        temporary = self.control.with_suffix(".new")
        temporary.write_text(json.dumps(self.settings))
        os.replace(str(temporary), str(self.control))

    def start(self):
        """Mount it as a fresh VM would see it: with what reached the cloud."""
        self.vm += 1
        with open(str(self.folder / "fuse.log"), "ab") as log:
            paths = [self.mount, self.cache, self.cloud, self.control, self.folder / "counts"]
            command = [sys.executable, str(PROGRAM)] + [str(path) for path in paths]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not os.path.ismount(str(self.mount)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the fake Drive does not mount: " + (self.folder / "fuse.log").read_text()[-2000:])
            time.sleep(0.01)

    def die(self):
        """Kill the process behind the mount: every call answers ENOTCONN, as when DriveFS dies."""
        self.process.kill()
        self.process.wait()

    def remount(self):
        """Mount again after `die`: what was written and not uploaded is gone."""
        self._unmount()
        self.start()

    def unpersisted(self, folder):
        """Return the names of a folder's files that are not in the cloud byte for byte; asked while nothing is uploaded."""
        cloud = self.cloud / folder
        names = [(name, self.cache / folder / name) for name in sizes(self.cache / folder)]
        return {name for name, path in names if not (cloud / name).exists() or (cloud / name).read_bytes() != path.read_bytes()}

    def lose_vm(self):
        """End this VM: what was not uploaded is lost, and the next mount begins with what is in the cloud."""
        self.stop()
        cloud = sizes(self.cloud)
        for name, size in sizes(self.cache).items():
            if cloud.get(name, -1) < size:
                kind = "absent" if name not in cloud else "cut short" if cloud[name] else "of zero bytes"
                self.never_persisted[kind] += 1
        shutil.rmtree(str(self.cache), ignore_errors=True)
        self.start()

    def stop(self):
        if self.process.poll() is None:
            self.die()
        self._unmount()

    def _unmount(self):
        # Lazily, as a killed child may still be listed as holding a file open.
        subprocess.run(["umount", "-l", str(self.mount)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_until_uploaded(self, timeout_s=60):
        """Wait until cloud and cache hold the same names and sizes; twins are made in the cloud only, and differ."""
        deadline = time.monotonic() + timeout_s
        while True:
            both = (self.cache, self.cloud)
            here, there = ({name: size for name, size in sizes(one).items() if " (" not in name} for one in both)
            if here == there:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not uploaded: {sorted(set(here.items()) ^ set(there.items()))}")
            time.sleep(0.02)


def sizes(folder):
    found = {}
    for where, _, names in os.walk(str(folder)):
        for name in names:
            path = os.path.join(where, name)
            try:
                found[os.path.relpath(path, str(folder))] = os.path.getsize(path)
            except OSError:
                continue
    return found
