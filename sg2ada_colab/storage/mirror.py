"""A run's folder on Drive as a mirror of the one on the VM's disk: one pass compares, copies, verifies and makes room."""

import errno
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Set, Tuple

from ..clock import Clock
from ..files import DamagedSourceError, FilePath, MismatchError, copy_verified, replace_with_copy, sha256_of
from ..run_files import SNAPSHOT_PATTERN
from ..words import size_text
from .choose import Candidate, list_folder
from .lease import Lease
from .manifest import SnapshotRecord, read_manifest
from .retention import Entry, Retention, what_to_delete
from .store import RunStore
from .tidy import tidy
from .verified_copy import is_uploaded, make_drive_folder, small_files

SETTLE_S = 900.0  # Drive uploads in the background, and neither the upload nor its end can be waited for
STUCK_S = 1800.0  # a file that DriveFS has not uploaded after this long is worth a sentence
BEHIND = 3  # from this number of waiting snapshots on a sentence reports it
LOCAL_RESERVE = 4  # prune the VM's disk, copied or not, when it has room for fewer than this many snapshots
OF_EITHER_SIDE = (errno.EIO, errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL)  # the VM's disk can raise these, too


class StoppedError(Exception):
    """The copies were to stop in the middle of one."""


@dataclass(frozen=True)
class MirrorTimes:
    """When a pass does what; in seconds."""

    settle_s: float = SETTLE_S  # how long a copy must have lain on Drive before an older snapshot is deleted because of it
    logs_every_s: float = 300.0  # files that grow (logs, statistics) are copied so often; other small files go at once
    stuck_s: float = STUCK_S  # after so long without an upload the user is told; a quota can run out without any error


class DriveMirror:
    """What one pass of the copier does.

    Each pass compares the two folders, so nothing has to be remembered over a crash: the newest missing snapshot goes first,
    is read back, and only then listed in Drive's manifest.json. Before anything on Drive is changed, the lease is looked at.

    Args:
        store: The `RunStore` on the VM's disk.
        drive_dir: The run's folder on Drive. Its parent must exist: a missing parent means that Drive is not mounted.
        retention: `Retention` for both places.
        lease: Optional `Lease` on `drive_dir`, held; it is renewed, and `LeaseLostError` raised when it is lost.
        say: Callable that gets a sentence when something changes for the user.
        times: `MirrorTimes`.
        clock: `Clock`.
        known: Optional `Candidate` that was read on Drive before the lease was taken; it is not read there again while its files
            keep their size, time and inode.
    """

    def __init__(
        self,
        store: RunStore,
        drive_dir: FilePath,
        retention: Optional[Retention] = None,
        lease: Optional[Lease] = None,
        say: Callable[[str], Any] = print,
        times: Optional[MirrorTimes] = None,
        clock: Optional[Clock] = None,
        known: Optional[Candidate] = None,
    ) -> None:
        self.store, self.drive_dir, self.retention = store, str(drive_dir), retention or Retention()
        self.lease, self._say, self.times, self.clock = lease, say, times or MirrorTimes(), clock or Clock()
        # snapshot name -> (record, monotonic time of its verification on Drive, in this process)
        self._verified_on_drive: Dict[str, Tuple[SnapshotRecord, float]] = {}
        self._unusable: Set[str] = set()  # names whose local files are damaged: copying them would help nobody
        self._small: Dict[str, Tuple[int, int, float]] = {}  # file name -> (size, mtime_ns, monotonic time) as last copied
        self._known = known
        self._drive: Any = None  # `RunStore` of the folder on Drive, once it is in order
        self._files = 0  # verified on Drive by this process
        self._last: Optional[str] = None  # the last snapshot's name
        self._finishing = False  # copy growing files whether they are due or not
        self._said_behind = self._said_stuck = False

    def say(self, sentence: str) -> None:
        self._say(sentence)

    def is_stopped(self) -> bool:
        """Return whether the copies are to stop."""
        return False

    def is_copying(self, record: SnapshotRecord) -> None:
        """A snapshot's copy begins."""

    def forget_drive(self, is_gone: bool) -> None:
        """Look at Drive anew in the next pass; with `is_gone`, what it had taken may be lost."""
        self._drive = self._known = None
        if is_gone:
            self._verified_on_drive.clear()
            self._small.clear()

    def run_pass(self) -> None:
        """Copy everything that is missing on Drive, and delete what retention lets go.

        Raises:
            OSError: Drive fails.
            LeaseLostError: Another process writes the run.
            StoppedError: `is_stopped` became true in the middle of a copy.
        """
        make_drive_folder(self.drive_dir)
        if self.lease:
            self.lease.check()
            self.lease.renew_if_due()
        if self._drive is None:
            self._open_drive()
        # Room is made after each snapshot, not after the last: a Drive slower than training would fill up otherwise.
        missing = True
        while missing and not self.is_stopped():
            self._look_for_losses()
            missing = self._missing()
            if missing:
                self._say_if_behind(missing)
                self._copy_snapshot(missing[-1])
            self._copy_small_files()
            self._drive.adopt_best(self.store.best())
            self._drive.prune(self.retention, self._is_verified_on_drive, truncate=True)
            self._make_room_here()
        self._say_if_stuck()

    def _look_for_losses(self):
        """Take back what was said of copies that Drive has no more.

        A mount that dies and comes back while nothing is copied raises no error: it just lacks what was not uploaded, which may
        be snapshots, the manifest, or the newest version of it.
        """
        listed, there = self._drive.snapshots(), _kinds_of(list_folder(self.drive_dir))
        lost = [record.name for record in listed if record.name in self._verified_on_drive and not self._lies_there(record)]
        # What an earlier process has copied may be gone, too: deleted by a person, or by a process that was killed at it.
        gone = [record.name for record in listed if record.name not in self._verified_on_drive and _lacks(record, there)]
        if lost or gone or list(read_manifest(self.drive_dir).snapshots) != listed:
            self._drive.forget(lost + gone)
            for name in lost:
                self._verified_on_drive.pop(name, None)
        if lost:
            which = f"{len(lost)} snapshots" if len(lost) > 1 else "snapshot " + lost[0]
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
        return [one for one in records if one.name not in spent and self._verified_on_drive.get(one.name, (None,))[0] != one]

    def _say_if_behind(self, missing):
        if len(missing) >= BEHIND and not self._said_behind:
            minutes = (self.clock.time() - missing[0].time) / 60
            sentence = "Drive is slow: {} snapshots ({}) wait on this machine's disk, the oldest for {:.0f} min."
            self.say(sentence.format(len(missing), size_text(sum(record.bytes for record in missing)), minutes))
        self._said_behind = len(missing) >= BEHIND

    def _say_if_stuck(self):
        now = self.clock.monotonic()
        old = [record for record, when in list(self._verified_on_drive.values()) if now - when > self.times.stuck_s]
        stuck = [record for record in old if self._upload_states(record).count(False)]
        if stuck and not self._said_stuck:
            sentence = "Drive has taken {} but not uploaded it for {:.0f} min: it may be full or over a quota."
            self.say(sentence.format(stuck[-1].name, self.times.stuck_s / 60))
        self._said_stuck = bool(stuck)

    def _upload_states(self, record):
        return [is_uploaded(os.path.join(self.drive_dir, name)) for name in record.files]

    def _open_drive(self):
        """Put Drive's folder in order and verify what an earlier process already copied."""
        drive = RunStore(self.drive_dir, make=False, before_write=self._hold)
        if drive.run_id is None and self.store.run_id is not None:
            drive.identify(self.store.run_id)  # before any of its states is there
        tidy(drive, truncate=True)
        for record in reversed(self._missing()):
            listed = drive.record(record.name)
            if listed and listed.files == record.files and self._reads_back(record):
                self._verified_on_drive[record.name] = (record, self.clock.monotonic())
        self._drive = drive

    def _reads_back(self, record):
        if self._known is not None and self._known.record == record and self._known.is_unchanged_in(self.drive_dir):
            return True
        for name, file in record.files.items():
            path = os.path.join(self.drive_dir, name)
            if not os.path.isfile(path) or sha256_of(path, self._on_progress) != (file.bytes, file.sha256):
                return False
        return True

    def _copy_snapshot(self, record: SnapshotRecord) -> None:
        self.is_copying(record)
        try:
            # The state first: a copy that is cut off here leaves a state, which `tidy` knows to be ours.
            for name, file in sorted(record.files.items(), reverse=True):
                self._hold()
                copy_verified(self.store.path(name), os.path.join(self.drive_dir, name), file.sha256, self._on_progress)
                self._files += 1
        except DamagedSourceError as error:
            self._unusable.add(record.name)
            self.say(f"{error}; it is not copied to Drive.")
            return
        except OSError as error:
            if not self._is_local_trouble(record, error):
                raise  # it is Drive that failed
            return
        self._drive.adopt(record)
        if read_manifest(self.drive_dir).get(record.name) != record:
            raise MismatchError("manifest.json did not read back as it was written")
        self._verified_on_drive[record.name] = (record, self.clock.monotonic())
        self._last = record.name

    def _is_local_trouble(self, record, error):
        """Return whether a copy failed on this machine's side; then the snapshot is not waited for any more, and that is said."""
        paths = [self.store.path(name) for name in record.files]
        if not all(map(os.path.lexists, paths)):
            if self.store.record(record.name):  # not pruned by ourselves: deleted by a person, or in a process that was killed
                self.store.forget([record.name])
                self.say(f"The files of snapshot {record.name} are gone from {self.store.run_dir}; it is not waited for.")
            return True
        if error.errno not in OF_EITHER_SIDE:
            return False
        try:
            for path in paths:
                sha256_of(path)
            return False
        except OSError as local:
            self._unusable.add(record.name)
            self.say(f"Snapshot {record.name} cannot be read here ({local.strerror or local}); it is not copied to Drive.")
            return True

    def _hold(self):
        """Raise LeaseLostError where another process has taken the run over: a frozen process must not write when it wakes."""
        if self.lease:
            self.lease.check()

    def _on_progress(self, _bytes=0):
        """Keep the lease while a long copy runs, and let the process end in the middle of one."""
        if self.lease:
            self.lease.renew_if_due()
        if self.is_stopped():
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
            due = when is None or self._finishing or self.clock.monotonic() - when >= self.times.logs_every_s
            if name not in there or ((size, changed) != (found.st_size, found.st_mtime_ns) and due):
                self._copy_small_file(name)
                self._small[name] = (found.st_size, found.st_mtime_ns, self.clock.monotonic())

    def _copy_small_file(self, name):
        target = os.path.join(self.drive_dir, name)
        # By way of another name: a log is overwritten many times, and the reader never sees it empty.
        self._hold()
        replace_with_copy(self.store.path(name), target, report=self._on_progress, before_rename=lambda _: self._hold())

    # --- making room

    def _is_verified_on_drive(self, record):
        """Return whether a snapshot is as safe on Drive as can be known: read back, settled, and uploaded where it shows."""
        known, when = self._verified_on_drive.get(record.name, (None, 0.0))
        if known != record or self.clock.monotonic() - when < self.times.settle_s:
            return False
        return False not in self._upload_states(record)

    def _make_room_here(self):
        try:
            largest = max((record.bytes for record in self.store.snapshots()), default=0)
            disk = os.statvfs(self.store.run_dir)
            short = disk.f_bavail * disk.f_frsize < LOCAL_RESERVE * largest
            for name in self.store.prune(self.retention, (lambda record: True) if short else self._is_verified_on_drive):
                self._verified_on_drive.pop(name, None)
        except OSError as error:
            self.say(f"This machine's disk does not let old snapshots be deleted ({error.strerror or error}).")


def _kinds_of(names):
    """Return {snapshot name: the kinds of file that are there, duplicates included}."""
    found: Dict[str, Set[str]] = {}
    for match in filter(None, map(SNAPSHOT_PATTERN.match, names)):
        found.setdefault(match.group(2), set()).add(match.group(1))
    return found


def _lacks(record, there):
    """Return whether files of a `SnapshotRecord` are gone, by what `_kinds_of` says of its folder."""
    return not _kinds_of(record.files).get(record.name, set()) <= there.get(record.name, set())
