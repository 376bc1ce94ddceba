"""Local first: a thread carries finished files from the VM's disk to Drive, verifies them, and never stops training."""

import errno
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Callable, Optional

from ..clock import Clock
from ..files import FilePath, write_text
from ..run_files import DRIVE_STATUS
from ..words import counted
from .choose import Candidate
from .disk_space import largest_runs
from .lease import Lease, LeaseLostError
from .manifest import SnapshotRecord
from .mirror import DriveMirror, MirrorTimes, StoppedError
from .retention import Retention
from .store import RunStore

FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = (errno.ENOTCONN, errno.ENOENT, errno.ENOTDIR)  # the mount died; what it had not uploaded died with it
# A kernel does one thing at a time, so the cell that connects cannot run beside the one that trains.
RECONNECT = "To connect again, stop the training cell, which saves first, and run all cells; the copies then go on."
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 100.0  # shorter than a lease lasts


@dataclass(frozen=True)
class CopierStatus:
    """Where the copies stand; `sentence` is for a person."""

    state: str  # "idle", "copying", "waiting" (Drive fails, tries again), "full", "lost" (another writer), "stopped"
    sentence: str
    waiting: int  # snapshots that are not verified on Drive yet
    waiting_bytes: int
    behind_s: float  # age of the oldest of them
    last_copied: Optional[str]  # snapshot name


class Copier(DriveMirror):
    """Keep a run's folder on Drive a mirror of this machine's in the background, pass by pass.

    While Drive fails the work waits and is tried again with growing pauses.

    Args:
        store, drive_dir, retention, lease, say, clock, known: As for `DriveMirror`.
        first_wait_s, longest_wait_s: The pauses between attempts.
        times: What `MirrorTimes` takes.
    """

    def __init__(
        self,
        store: RunStore,
        drive_dir: FilePath,
        retention: Optional[Retention] = None,
        lease: Optional[Lease] = None,
        say: Callable[[str], Any] = print,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
        clock: Optional[Clock] = None,
        known: Optional[Candidate] = None,
        **times: float,
    ) -> None:
        super().__init__(store, drive_dir, retention, lease, say, MirrorTimes(**times), clock, known)
        self.first_wait_s, self.longest_wait_s = first_wait_s, longest_wait_s
        self._wait_s, self._state, self._sentence = 0.0, "idle", "Nothing to copy yet."
        self._wake, self._stop, self._passed = threading.Event(), threading.Event(), threading.Condition()
        self._passes_clean = 0
        self._thread: Optional[threading.Thread] = None
        self._trouble: Optional[str] = None  # the problem that was reported and is not yet resolved

    # --- for the training loop

    def start(self) -> "Copier":
        """Start the thread; it ends with the process."""
        self._thread = threading.Thread(target=self._run, name="drive-copier", daemon=True)
        self._thread.start()
        return self

    def notify(self) -> None:
        """Say that something new may be copied; returns at once."""
        self._wake.set()

    def status(self) -> CopierStatus:
        """Return the `CopierStatus` of this moment."""
        waiting = self._missing()
        oldest = min((record.time for record in waiting), default=self.clock.time())
        return CopierStatus(
            self._state,
            self._sentence,
            len(waiting),
            sum(record.bytes for record in waiting),
            max(0.0, self.clock.time() - oldest),
            self._last,
        )

    def finish(self, timeout_s: float) -> bool:
        """Copy all that is left, logs included, and stop; return whether everything is verified on Drive.

        Args:
            timeout_s: Longest wait for one more file to be on Drive: a slow Drive gets its time, one that hangs holds up this
                thread only so long.
        """
        deadline, files = time.monotonic() + timeout_s, self._files
        with self._passed:
            seen, self._finishing, self._wait_s = self._passes_clean, True, 0.0
            self._wake.set()
            # Two: the pass that runs now may have begun before the last file was written.
            while self._passes_clean < seen + 2 and self._alive() and time.monotonic() < deadline:
                if self._files != files:
                    deadline, files = time.monotonic() + timeout_s, self._files
                self._passed.wait(min(0.2, max(0.0, deadline - time.monotonic())))
                self._wake.set()
        done = self._passes_clean >= seen + 2 and not self._missing()
        self.stop(timeout_s=1.0)
        return done

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread without copying what is left."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._state != "lost":
            self._state = "stopped"

    def _alive(self):
        return self._thread is not None and self._thread.is_alive()

    # --- the thread

    def say(self, sentence: str) -> None:
        """Tell the user, unless the copies were stopped: who stopped them has said how they stand."""
        if not self._stop.is_set():
            self._say(sentence)

    def _run(self):
        while not self._stop.is_set() and self.attempt():
            if self._wait_s:
                self._stop.wait(self._wait_s if not self._finishing else min(self._wait_s, 1.0))
            elif self._wake.wait(self._idle_s()):
                self._wake.clear()

    def attempt(self) -> bool:
        """Run one pass and note how it ended; return whether there can be a further one."""
        try:
            self.run_pass()
            self._succeeded()
        except StoppedError:
            return False
        except LeaseLostError as error:
            self._state, self._sentence = "lost", error.what
            self._say(self._sentence)
            self._write_status()
            return False
        except OSError as error:
            self._failed(error)
        except Exception as error:  # a bug here must not end the copies of a night: say it and go on
            self._failed(OSError(None, f"{type(error).__name__}: {error}"))
        self._write_status()
        return True

    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def is_copying(self, record: SnapshotRecord) -> None:
        self._state, self._sentence = "copying", f"Copying {record.name} to Drive."
        self._write_status()

    def _idle_s(self):
        return min(self.times.logs_every_s, self.lease.ttl_s / 3 if self.lease else self.times.logs_every_s)

    def _succeeded(self):
        if self._trouble:
            self.say("Drive works again; all snapshots are there.")
        self._trouble = None
        self._state, self._sentence = "idle", "All snapshots are on Drive."
        with self._passed:
            self._wait_s = 0.0
            self._passes_clean += 1
            self._passed.notify_all()

    def _failed(self, error):
        self._wait_s = min(self.longest_wait_s, max(self.first_wait_s, self._wait_s * 2))
        self.forget_drive(is_gone=error.errno in GONE)  # it may hold less than it did
        self._state, self._sentence = "full" if error.errno in FULL else "waiting", self._what_failed(error)
        if self._trouble != self._state:  # said once, not at every attempt
            self.say(self._sentence)
        self._trouble = self._state
        self._make_room_here()

    def _what_failed(self, error):
        waiting = len(self._missing())
        rest = f"Training goes on; {counted(waiting, 'snapshot waits', 'snapshots wait')} on this machine's disk."
        if error.errno in FULL:
            return f"Drive is full. {rest} Free space on Drive: {largest_runs(os.path.dirname(self.drive_dir))}"
        if error.errno == errno.ENOTCONN:
            return f"Drive's connection is dead (Errno 107). {rest} {RECONNECT}"
        if error.errno == errno.ENOENT:
            return f"Drive is not mounted. {rest} {RECONNECT}"
        return f"Drive does not take files at the moment ({error.strerror or error}). {rest} It is tried again."

    def _write_status(self):
        with suppress(OSError):  # the disk is full: the training loop will say so
            write_text(self.store.path(DRIVE_STATUS), json.dumps(asdict(self.status())))
