"""Copy files between the VM's disk and Drive, and believe only what reads back."""

import errno
import functools
import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..errors import UserError
from ..files import (
    TEMPORARY,
    DamagedSourceError,
    FilePath,
    MismatchError,
    copy_verified,
    is_running,
    replace_with_copy,
    sha256_of,
    with_retries,
)
from ..run_files import (
    DRIVE_STATUS,
    FAKES_INIT,
    GRID_PATTERN,
    LEASE_PATTERN,
    MANIFEST_PATTERN,
    SNAPSHOT_PATTERN,
    pickle_name,
    state_name,
)
from .choose import Candidate, list_folder
from .manifest import read_manifest
from .store import RunStore

COPIES_PATTERN = re.compile(r"\.fetching-(\d{1,9})-")
NO_ATTRIBUTE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)


def is_uploaded(path: FilePath) -> Optional[bool]:
    """Return whether DriveFS has given a file its identity on the server; None where the file system does not tell.

    Files that wait for their upload carry an id that begins with "local". A file that is gone, or whose mount does not answer, is
    not uploaded as far as can be known.
    """
    if not hasattr(os, "getxattr"):
        return None
    try:
        return not os.getxattr(path, "user.drive.id").startswith(b"local")
    except OSError as error:
        return None if error.errno in NO_ATTRIBUTE else False


def make_drive_folder(path: FilePath) -> None:
    """Make a run's folder on Drive if it is missing; raise OSError when its parent is, as Drive is not mounted then."""
    # Never make the parents: under a mount that is gone they would land on the VM's disk and block the next mount.
    if not os.path.isdir(path):
        os.stat(os.path.dirname(path))  # says why, where isdir only says no
        os.mkdir(path)


def small_files(folder: FilePath) -> List[str]:
    """Return the names of a run folder's files other than snapshots, manifests, leases and what is being written."""
    names = [name for name in list_folder(folder) if not name.startswith(".") and not name.endswith(TEMPORARY)]
    names = [name for name in names if not any(one.match(name) for one in (SNAPSHOT_PATTERN, MANIFEST_PATTERN, LEASE_PATTERN))]
    return sorted(name for name in names if name != DRIVE_STATUS and os.path.isfile(os.path.join(str(folder), name)))


class CopiesOnTheWay:
    """Reads files of Drive once: what is hashed to choose a snapshot lands on this machine's disk at the same time.

    Args:
        results_dir: Folder of runs on this machine, in which the copies wait for `fetch_run`; they go with this object.
    """

    def __init__(self, results_dir: FilePath) -> None:
        self.results_dir, self._last = str(results_dir), 0
        self._folder: Optional[str] = None
        self._copies: Dict[str, Tuple[str, Tuple[int, str]]] = {}  # path → (its copy, (bytes, SHA-256))

    def digest(self, path: FilePath) -> Tuple[int, str]:
        """Return (size in bytes, SHA-256 in hex) of a file, as `sha256_of`; a disk here that takes no copy does no harm."""
        copy = None
        try:
            copy = self._new_path()
            found = copy_verified(path, copy)
        except OSError:
            if copy is not None:
                with suppress(OSError):
                    os.unlink(copy)
            return sha256_of(path)  # raises where it is Drive that fails
        self._copies[str(path)] = (copy, found)
        return found

    def take(self, path: FilePath, sha256: str, target: FilePath) -> bool:
        """Move the copy of a file to `target`; return whether there is one with this SHA-256."""
        copy, (_, found) = self._copies.pop(str(path), (None, (None, None)))
        if copy is None or found != sha256:
            return False
        with suppress(OSError):
            os.replace(copy, target)
            return True
        return False

    def close(self) -> None:
        """Delete what was not taken."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._copies = None, {}

    def _new_path(self):
        if self._folder is None:
            os.makedirs(self.results_dir, exist_ok=True)
            for name in os.listdir(self.results_dir):  # of processes that were killed
                match = COPIES_PATTERN.match(name)
                if match and not is_running(int(match.group(1))):
                    shutil.rmtree(os.path.join(self.results_dir, name), ignore_errors=True)
            self._folder = tempfile.mkdtemp(prefix=f".fetching-{os.getpid()}-", dir=self.results_dir)
            weakref.finalize(self, shutil.rmtree, self._folder, True)
        self._last += 1
        return os.path.join(self._folder, str(self._last))


def fetch_run(
    candidate: Candidate,
    results_dir: FilePath,
    say: Optional[Callable[[str], Any]] = None,
    copies: Optional[CopiesOnTheWay] = None,
) -> RunStore:
    """Bring a run to the VM's disk so that it can go on there; copies nothing when the candidate lies there already.

    The snapshot's two files are copied and verified. The run's logs come along, so that they go on where they ended;
    numbered image grids stay on Drive.

    Args:
        candidate: `Candidate`, usually on Drive.
        results_dir: Results folder on the VM's disk.
        say: Optional callable that gets a sentence.
        copies: Optional `CopiesOnTheWay` that the candidate was chosen with: what it holds is not read on Drive again.

    Returns:
        The candidate's `RunStore` on the VM's disk; its manifest lists the snapshot and the best metrics so far. The candidate
        itself is then `candidate.moved_to(store.run_dir)`.

    Raises:
        UserError: Drive does not hand the files over complete.
    """
    target = os.path.join(str(results_dir), os.path.basename(candidate.run_dir))
    store = RunStore(target)
    if os.path.realpath(target) != os.path.realpath(candidate.run_dir):
        if say:
            where = os.path.dirname(candidate.run_dir)
            say(f"Copying {os.path.basename(target)} at {candidate.kimg} kimg from {where}.")
        try:
            _fetch_files(candidate, target, copies)
        except OSError as error:
            raise _fetch_failed(candidate.run_dir, error.strerror or error) from error
        store.adopt_best(dict(_best_that_is_left(candidate.run_dir), **store.best()))
    if store.run_id is None and candidate.run_id is not None:
        store.identify(candidate.run_id)
    if store.record(candidate.name) != candidate.record:
        store.adopt(candidate.record)
    return store


def _fetch_files(candidate, target, copies):
    records = candidate.record.files
    pairs = [
        (path, name, records[name])
        for path, name in ((candidate.pickle, pickle_name(candidate.name)), (candidate.state, state_name(candidate.name)))
    ]
    for name in small_files(candidate.run_dir):
        source, here = os.path.join(candidate.run_dir, name), os.path.join(target, name)
        is_numbered_grid = name != FAKES_INIT and GRID_PATTERN.match(name)  # many, large, and not needed to go on with a run
        # A log that is longer here holds more of the run than the one on Drive.
        is_longer_here = os.path.exists(here) and os.path.getsize(here) >= os.path.getsize(source)
        if not is_numbered_grid and not is_longer_here:
            pairs.append((source, name, None))
    for source, name, record in pairs:
        here = os.path.join(target, name)  # a fetch that is killed must not leave half a log that then counts as the log
        if not (copies and record and copies.take(source, record.sha256, here)):
            with_retries(functools.partial(_fetch, source, here, record))


def _fetch(source, target, record):
    try:
        replace_with_copy(source, target, record and record.sha256)
    except DamagedSourceError as error:  # it was complete when it was chosen, so it may be again
        raise MismatchError(str(error)) from error


def _best_that_is_left(run_dir):
    """Return the best metrics that a run folder's manifest notes for snapshots that it still lists."""
    try:
        manifest = with_retries(lambda: read_manifest(run_dir))
    except OSError:
        return {}
    return {metric: best for metric, best in manifest.best.items() if manifest.get(best[1])}


def _fetch_failed(run_dir, why):
    return UserError(
        f"The run {run_dir} cannot be copied from Drive: {why}",
        "a Drive that hands over the complete snapshot",
        "run the cell that connects Drive again, then this one; if Drive reports a quota, wait an hour",
    )
