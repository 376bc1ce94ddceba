"""Copy files between the VM's disk and Drive, and believe only what reads back."""

import errno
import hashlib
import os
import re
from contextlib import suppress

from ..errors import UserError
from .atomic import CHUNK_BYTES, TEMPORARY, sha256_of
from .choose import RunFolder, list_folder, read_pickle_by_default
from .lease import LEASE_FILE
from .manifest import MANIFEST_FILE, SNAPSHOT_FILE, FileRecord, pickle_name, read_manifest, state_name
from .retry import with_retries
from .store import RunStore
from .tidy import record_of

STATUS_FILE = "drive-status.json"
NO_ATTRIBUTE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)
GRIDS = re.compile(r"fakes\d+\.\w+$")  # many, large, written once and not needed to go on with a run


class MismatchError(OSError):
    """A file did not read back as it was written; trying again may help."""


class DamagedSourceError(Exception):
    """The file to copy is not what its manifest says; trying again cannot help."""


def copy_verified(source, target, record=None, beat=None):
    """Copy a file, make the file system write it out, and read it back.

    The target gets its final name at once: what makes a snapshot valid is the manifest, which is written after it, and on
    Drive a renamed file can appear twice.

    Args:
        source: Path of a file that does not change.
        target: Path; overwritten.
        record: Optional `FileRecord` that the source must have.
        beat: Optional callable, called after each MB; what it raises ends the copy.

    Returns:
        The `FileRecord` of what was copied.

    Raises:
        DamagedSourceError: The source differs from the record.
        MismatchError: The target did not read back alike.
        OSError: Either side fails.
    """
    digest, size = hashlib.sha256(), 0
    with open(source, "rb", buffering=0) as reader, open(target, "wb", buffering=0) as writer:
        while True:
            chunk = reader.read(CHUNK_BYTES)
            if not chunk:
                break
            digest.update(chunk)
            size += len(chunk)
            view = memoryview(chunk)
            while len(view):
                view = view[writer.write(view) :]
            if beat:
                beat()
        os.fsync(writer.fileno())
    copied = FileRecord(size, digest.hexdigest())
    if record is not None and copied != record:
        with suppress(OSError):
            os.truncate(target, 0)
        raise DamagedSourceError("{} is not what its manifest says".format(source))
    forget_cached_pages(target)
    if sha256_of(target, beat) != (copied.bytes, copied.sha256):
        raise MismatchError("{} did not read back as it was written".format(target))
    return copied


def forget_cached_pages(path):
    """Ask the kernel to drop its copy of a file, so that the next read asks the file system behind it."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def is_uploaded(path):
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


def make_drive_folder(path):
    """Make a run's folder on Drive if it is missing; raise OSError when its parent is, as Drive is not mounted then."""
    # Never make the parents: under a mount that is gone they would land on the VM's disk and block the next mount.
    if not os.path.isdir(path):
        os.stat(os.path.dirname(path))  # says why, where isdir only says no
        os.mkdir(path)


def small_files(folder):
    """Return the names of a run folder's files besides snapshots, manifests, leases and what is being written."""
    names = [name for name in list_folder(folder) if not name.startswith(".") and not name.endswith(TEMPORARY)]
    names = [name for name in names if not any(one.match(name) for one in (SNAPSHOT_FILE, MANIFEST_FILE, LEASE_FILE))]
    return sorted(name for name in names if name != STATUS_FILE and os.path.isfile(os.path.join(str(folder), name)))


def fetch_run(candidate, results_dir, say=None, read_pickle=None):
    """Bring a run to the VM's disk so that it can go on there; copies nothing when the candidate lies there already.

    The snapshot's two files are copied and verified. The run's logs come along, so that they go on where they ended;
    numbered image grids stay on Drive.

    Args:
        candidate: `Candidate`, usually on Drive.
        results_dir: Results folder on the VM's disk.
        say: Optional callable that gets a sentence.
        read_pickle: As for `choose.newest_good`.

    Returns:
        The candidate's `RunStore` on the VM's disk; its manifest lists the snapshot and the best metrics so far.

    Raises:
        UserError: Drive does not hand the files over whole.
    """
    target = os.path.join(str(results_dir), os.path.basename(candidate.run_dir))
    store = RunStore(target)
    if os.path.realpath(target) != os.path.realpath(candidate.run_dir):
        if say:
            say("Copying {} at {} kimg from Drive to this machine.".format(os.path.basename(target), candidate.kimg))
        try:
            _fetch_files(candidate, target)
        except OSError as error:
            raise _fetch_failed(candidate.run_dir, error.strerror or error) from error
        store.adopt_best(dict(_best_that_is_left(candidate.run_dir), **store.best()))
    if store.record(candidate.name) is None:
        # Nothing vouches for what lies here but the files themselves, so they are read from end to end once.
        found, sentences = RunFolder(target).check(candidate.name, read_pickle or read_pickle_by_default)
        if found is None:
            raise _fetch_failed(candidate.run_dir, " ".join(sentences))
        store.adopt(record_of(found))
    return store


def _fetch_files(candidate, target):
    pairs = [(candidate.pickle, pickle_name(candidate.name)), (candidate.state, state_name(candidate.name))]
    for name in small_files(candidate.run_dir):
        source, here = os.path.join(candidate.run_dir, name), os.path.join(target, name)
        # A log that is longer here holds more of the run than the one on Drive.
        if not GRIDS.match(name) and not (os.path.exists(here) and os.path.getsize(here) >= os.path.getsize(source)):
            pairs.append((source, name))
    for source, name in pairs:
        here = os.path.join(target, name)
        temporary = here + TEMPORARY  # a fetch that is killed must not leave half a log that then counts as the log
        with_retries(lambda source=source, temporary=temporary: copy_verified(source, temporary))
        os.replace(temporary, here)


def _best_that_is_left(run_dir):
    """Return the best metrics that a run folder's manifest notes for snapshots that it still lists."""
    try:
        manifest = with_retries(lambda: read_manifest(run_dir))
    except OSError:
        return {}
    return {metric: best for metric, best in manifest.best.items() if manifest.get(best[1])}


def _fetch_failed(run_dir, why):
    return UserError(
        "The run {} cannot be copied from Drive: {}".format(run_dir, why),
        "a Drive that hands over the snapshot whole",
        "run the cell that connects Drive again, then this one; if Drive reports a quota, wait an hour",
    )
