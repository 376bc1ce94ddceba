"""Local first: a thread carries finished files from the VM's disk to Drive, verifies them, and never stops training."""

import errno
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Optional

from .atomic import sha256_of, write_text
from .choose import list_folder
from .lease import LeaseLostError
from .manifest import SnapshotRecord, read_manifest
from .retention import Entry, Retention, what_to_delete
from .room import what_takes_room
from .store import RunStore
from .tidy import tidy
from .verified_copy import (
    STATUS_FILE,
    DamagedSourceError,
    MismatchError,
    copy_verified,
    is_uploaded,
    make_drive_folder,
    small_files,
)

FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = (errno.ENOTCONN, errno.ENOENT, errno.ENOTDIR)  # the mount died; what it had not uploaded died with it
# A kernel does one thing at a time, so the cell that connects cannot run beside the one that trains.
RECONNECT = "To connect again, stop the training cell, which saves first, and run all cells; the copies then go on."
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 100.0  # shorter than a lease lasts
SETTLE_S = 900.0  # Drive uploads in the background, and neither the upload nor its end can be waited for
STUCK_S = 1800.0  # a file that DriveFS has not uploaded after this long is worth a sentence
BEHIND = 3  # so many snapshots waiting are worth a sentence
LOCAL_RESERVE = 4  # prune the VM's disk, copied or not, when it has room for fewer than this many snapshots


class StoppedError(Exception):
    """The copier was asked to stop in the middle of a copy."""


@dataclass(frozen=True)
class CopierStatus:
    """Where the copies stand; `sentence` is for a person."""

    state: str  # "idle", "copying", "waiting" (Drive fails, tries again), "full", "lost" (another writer), "stopped"
    sentence: str
    waiting: int  # snapshots that are not verified on Drive yet
    waiting_bytes: int
    behind_s: float  # age of the oldest of them
    last_copied: Optional[str]  # snapshot name


class Copier:
    """Copy a run's finished files to its folder on Drive in the background.

    Each pass compares the two folders, so nothing has to be remembered over a crash: the newest missing snapshot goes first,
    is read back, and only then listed in Drive's manifest.json. While Drive fails the work waits and is tried again with
    growing pauses.

    Args:
        store: The `RunStore` on the VM's disk.
        drive_dir: The run's folder on Drive. Its parent must exist: a missing parent means that Drive is not mounted.
        retention: `Retention` for both places.
        lease: Optional `Lease` on `drive_dir`, held; the copier renews it and stops when it is lost.
        say: Callable that gets a sentence when something changes for the user.
        settle_s: How long a copy must have lain on Drive before an older snapshot is deleted because of it: the upload
            happens later and cannot be waited for.
        logs_every_s: How often files that grow (logs, statistics) are copied; other small files go at once.
        first_wait_s, longest_wait_s: The pauses between attempts.
        stuck_s: After how long without an upload the user is told; Drive's quota can run out without any error.
    """

    def __init__(
        self,
        store,
        drive_dir,
        retention=None,
        lease=None,
        say=print,
        settle_s=SETTLE_S,
        logs_every_s=300.0,
        first_wait_s=FIRST_WAIT_S,
        longest_wait_s=LONGEST_WAIT_S,
        stuck_s=STUCK_S,
    ):
        self.store, self.drive_dir, self.retention = store, str(drive_dir), retention or Retention()
        self.lease, self._say, self.settle_s, self.logs_every_s = lease, say, settle_s, logs_every_s
        self.first_wait_s, self.longest_wait_s, self.stuck_s = first_wait_s, longest_wait_s, stuck_s
        self._safe = {}  # snapshot name -> (record, monotonic time of its verification on Drive, in this process)
        self._unusable = set()  # names whose local files are damaged: copying them would help nobody
        self._small = {}  # file name -> (size, mtime_ns, monotonic time) as last copied
        self._wait_s, self._state, self._sentence, self._last = 0.0, "idle", "Nothing to copy yet.", None
        self._wake, self._stop, self._passed = threading.Event(), threading.Event(), threading.Condition()
        self._finishing, self._passes_clean = False, 0
        self._files = 0  # verified on Drive by this process
        self._thread = self._drive = None
        self._trouble, self._said_behind, self._said_stuck = None, False, False  # what the user was told and not yet untold

    # --- for the training loop

    def start(self):
        """Start the thread; it ends with the process."""
        self._thread = threading.Thread(target=self._run, name="drive-copier", daemon=True)
        self._thread.start()
        return self

    def notify(self):
        """Say that something new may be copied; returns at once."""
        self._wake.set()

    def status(self):
        """Return the `CopierStatus` of this moment."""
        waiting = self._missing()
        oldest = min((record.time for record in waiting), default=time.time())
        return CopierStatus(
            self._state,
            self._sentence,
            len(waiting),
            sum(record.bytes for record in waiting),
            max(0.0, time.time() - oldest),
            self._last,
        )

    def finish(self, timeout_s):
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

    def stop(self, timeout_s=5.0):
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

    def say(self, sentence):
        """Tell the user, unless the copies were stopped: who stopped them has said how they stand."""
        if not self._stop.is_set():
            self._say(sentence)

    def _run(self):
        while not self._stop.is_set():
            try:
                self._pass()
                self._succeeded()
            except StoppedError:
                return
            except LeaseLostError as error:
                self._state, self._sentence = "lost", str(error)
                self._say(self._sentence)
                self._write_status()
                return
            except OSError as error:
                self._failed(error)
            except Exception as error:  # a bug here must not end the copies of a night: say it and go on
                self._failed(OSError(None, "{}: {}".format(type(error).__name__, error)))
            self._write_status()
            if self._wait_s:
                self._stop.wait(self._wait_s if not self._finishing else min(self._wait_s, 1.0))
            elif self._wake.wait(self._idle_s()):
                self._wake.clear()

    def _idle_s(self):
        return min(self.logs_every_s, self.lease.ttl_s / 3 if self.lease else self.logs_every_s)

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
        self._drive = None  # it may hold less than it did: look again
        if error.errno in GONE:
            self._safe.clear()
            self._small.clear()
        self._state, self._sentence = "full" if error.errno in FULL else "waiting", self._what_failed(error)
        if self._trouble != self._state:  # said once, not at every attempt
            self.say(self._sentence)
        self._trouble = self._state
        self._make_room_here()

    def _what_failed(self, error):
        waiting = len(self._missing())
        rest = "Training goes on; {} snapshot{} on this machine's disk.".format(waiting, " waits" if waiting == 1 else "s wait")
        if error.errno in FULL:
            return "Drive is full. {} Make room on Drive: {}".format(rest, what_takes_room(os.path.dirname(self.drive_dir)))
        if error.errno == errno.ENOTCONN:
            return "Drive's connection is dead (Errno 107). {} {}".format(rest, RECONNECT)
        if error.errno == errno.ENOENT:
            return "Drive is not mounted. {} {}".format(rest, RECONNECT)
        return "Drive does not take files at the moment ({}). {} It is tried again.".format(error.strerror or error, rest)

    # --- one pass

    def _pass(self):
        make_drive_folder(self.drive_dir)
        if self.lease:
            self.lease.check()
            self.lease.renew_if_due()
        if self._drive is None:
            self._open_drive()
        # Room is made after each snapshot, not after the last: a Drive slower than training would fill up otherwise.
        missing = True
        while missing and not self._stop.is_set():
            self._look_for_losses()
            missing = self._missing()
            if missing:
                self._say_if_behind(missing)
                self._copy_snapshot(missing[-1])
            self._copy_small_files()
            self._drive.adopt_best(self.store.best())
            self._drive.prune(self.retention, self._is_safe, truncate=True)
            self._make_room_here()
        self._say_if_stuck()

    def _look_for_losses(self):
        """Take back what was said of copies that Drive has no more.

        A mount that dies and comes back while nothing is copied raises no error: it just lacks what was not uploaded, which may
        be snapshots, the manifest, or the newest version of it.
        """
        listed = self._drive.snapshots()
        lost = [record.name for record in listed if record.name in self._safe and not self._lies_there(record)]
        if lost or list(read_manifest(self.drive_dir).snapshots) != listed:
            self._drive.forget(lost)
            for name in lost:
                self._safe.pop(name, None)
        if lost:
            which = "{} snapshots".format(len(lost)) if len(lost) > 1 else "snapshot " + lost[0]
            sentence = "Drive has lost {} that it had taken, as when its connection breaks; what is still here is copied again."
            self.say(sentence.format(which))

    def _lies_there(self, record):
        """Return whether a snapshot's files lie on Drive in their full size."""
        try:
            return all(os.stat(os.path.join(self.drive_dir, name)).st_size == file.bytes for name, file in record.files.items())
        except FileNotFoundError:
            return False

    def _missing(self):
        """Return the local snapshots, old to new, that are not verified on Drive and would not be deleted there at once."""
        records = [record for record in self.store.snapshots() if record.name not in self._unusable]
        entries = [Entry(record.name, True) for record in records]
        best = {name for _, name in self.store.best().values()}
        spent = what_to_delete(entries, self.retention.keep_last, self.retention.keep_every_kimg, best)
        return [one for one in records if one.name not in spent and self._safe.get(one.name, (None,))[0] != one]

    def _say_if_behind(self, missing):
        if len(missing) >= BEHIND and not self._said_behind:
            minutes = (time.time() - missing[0].time) / 60
            sentence = "Drive is slow: {} snapshots ({:.1f} GB) wait on this machine's disk, the oldest for {:.0f} min."
            self.say(sentence.format(len(missing), sum(record.bytes for record in missing) / 1e9, minutes))
        self._said_behind = len(missing) >= BEHIND

    def _say_if_stuck(self):
        now = time.monotonic()
        old = [record for record, when in list(self._safe.values()) if now - when > self.stuck_s]
        stuck = [record for record in old if self._upload_states(record).count(False)]
        if stuck and not self._said_stuck:
            sentence = "Drive has taken {} but not uploaded it for {:.0f} min: it may be full or over a quota."
            self.say(sentence.format(stuck[-1].name, self.stuck_s / 60))
        self._said_stuck = bool(stuck)

    def _upload_states(self, record):
        return [is_uploaded(os.path.join(self.drive_dir, name)) for name in record.files]

    def _open_drive(self):
        """Put Drive's folder in order and verify what an earlier process already copied."""
        drive = RunStore(self.drive_dir, make=False)
        tidy(drive, truncate=True)
        for record in reversed(self._missing()):
            listed = drive.record(record.name)
            if listed and listed.files == record.files and self._reads_back(record):
                self._safe[record.name] = (record, time.monotonic())
        self._drive = drive

    def _reads_back(self, record):
        for name, file in record.files.items():
            path = os.path.join(self.drive_dir, name)
            if not os.path.isfile(path) or sha256_of(path) != (file.bytes, file.sha256):
                return False
        return True

    def _copy_snapshot(self, record: SnapshotRecord):
        self._state, self._sentence = "copying", "Copying {} to Drive.".format(record.name)
        self._write_status()
        try:
            # The state first: a copy that is cut off here leaves a state, which `tidy` knows to be ours.
            for name, file in sorted(record.files.items(), reverse=True):
                copy_verified(self.store.path(name), os.path.join(self.drive_dir, name), file, self._beat)
                self._files += 1
        except FileNotFoundError:
            if self.store.record(record.name) and all(os.path.exists(self.store.path(name)) for name in record.files):
                raise  # it is Drive's side that is gone
            return  # deleted here meanwhile, and nothing is lost by it
        except DamagedSourceError as error:
            self._unusable.add(record.name)
            self.say("{}; it is not copied to Drive.".format(error))
            return
        if self.lease:
            self.lease.check()
        self._drive.adopt(record)
        if read_manifest(self.drive_dir).get(record.name) != record:
            raise MismatchError("manifest.json did not read back as it was written")
        self._safe[record.name] = (record, time.monotonic())
        self._last = record.name

    def _beat(self):
        """Keep the lease while a long copy runs, and let the process end in the middle of one."""
        if self.lease:
            self.lease.renew_if_due()
        if self._stop.is_set():
            raise StoppedError

    def _copy_small_files(self):
        there = set(list_folder(self.drive_dir))  # a grid that Drive has lost again will not change any more
        for name in small_files(self.store.run_dir):
            source = self.store.path(name)
            try:
                found = os.stat(source)
            except FileNotFoundError:
                continue
            size, changed, when = self._small.get(name, (None, None, None))
            due = when is None or self._finishing or time.monotonic() - when >= self.logs_every_s
            if name not in there or ((size, changed) != (found.st_size, found.st_mtime_ns) and due):
                self._copy_small_file(name)
                self._small[name] = (found.st_size, found.st_mtime_ns, time.monotonic())

    def _copy_small_file(self, name):
        target = os.path.join(self.drive_dir, name)
        # By way of another name: a log is overwritten many times, and the reader never sees it empty.
        copy_verified(self.store.path(name), target + ".part")
        os.replace(target + ".part", target)

    # --- making room

    def _is_safe(self, record):
        """Return whether a snapshot is as safe on Drive as can be known: read back, settled, and uploaded where it shows."""
        known, when = self._safe.get(record.name, (None, 0.0))
        if known != record or time.monotonic() - when < self.settle_s:
            return False
        return False not in self._upload_states(record)

    def _make_room_here(self):
        try:
            largest = max((record.bytes for record in self.store.snapshots()), default=0)
            disk = os.statvfs(self.store.run_dir)
            short = disk.f_bavail * disk.f_frsize < LOCAL_RESERVE * largest
            for name in self.store.prune(self.retention, (lambda record: True) if short else self._is_safe):
                self._safe.pop(name, None)
        except OSError as error:
            self.say("This machine's disk does not let old snapshots be deleted ({}).".format(error.strerror or error))

    def _write_status(self):
        with suppress(OSError):  # the disk is full: the training loop will say so
            write_text(self.store.path(STATUS_FILE), json.dumps(asdict(self.status())))
