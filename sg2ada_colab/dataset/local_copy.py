"""A data set on a slow disk, such as a mounted Drive, copied to the local one: once, checked, and reused."""

import hashlib
import os
import shutil
import time
from pathlib import Path

from ..errors import UserError
from ..images.progress import Progress
from .disk import check_space
from .manifest import JOURNAL_NAME, MANIFEST_NAME, read_manifest, sha256_of_file
from .reading import check_finished, has_records, open_dataset, record_files

_BLOCK_BYTES = 1 << 22
_MOST_FAILURES, _PAUSE_S = 4, 0.5  # of reads one after the other, and what is waited between them


def local_copy(path, folder, resolution=None, progress=True):
    """Return the path of a checked copy of a data set in `folder`, made now unless it is there already.

    Each file is copied under a temporary name, then the copy is read back and compared with the SHA-256 in the manifest, or of
    what was read where there is no manifest. A copy that was interrupted goes on with the files that are missing, and until it
    is whole nothing takes it for a data set. The slow disk is read by plain reads, whose errors can be told, never mapped.

    Args:
        path: Data set: a folder of TFRecords, or a zip or folder of images.
        folder: Where copies live.
        resolution: Copy only this level of a folder of TFRecords (three quarters of the bytes are in the largest); None = all.
        progress: Show a progress bar.

    Raises:
        UserError: No such data set, no space, a disk that fails, or a file that arrives damaged twice.
    """
    path = Path(os.path.abspath(str(path)))
    target = Path(os.path.abspath(str(folder))) / path.name
    try:
        if target == path:
            open_dataset(path, resolution)
        else:
            _bring_up_to_date(path, target, resolution, progress)
    except OSError as error:
        raise UserError(
            "copying {} to {} failed: {}".format(path, target, error.strerror or error),
            "a disk with enough space, and a Drive that stays connected",
            "free some space or connect Drive again, and run this again; it goes on with the files that are missing",
        ) from error
    return str(target)


def _bring_up_to_date(path, target, resolution, progress):
    if path.is_dir() and has_records(path):
        files, hashes = _record_folder(path, target, resolution)
    else:
        open_dataset(path, resolution)  # reads plainly, and says what is wrong before anything is copied
        names = [Path()] if path.is_file() else _files_below(path)
        files, hashes = [(path / name, target / name) for name in names], {}
    missing = [(a, b) for a, b in files if not _is_there(a, b)]
    unfinished = target / JOURNAL_NAME
    total = sum(a.stat().st_size for a, _ in missing)
    check_space(target.parent, total, "the copy", "or copy one resolution only")
    if missing and not path.is_file():
        target.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("copy\n")
    with Progress(progress, total, "Copying {}".format(path.name), "B") as bar:
        for source, copy in missing:
            _copy_checked(source, copy, hashes.get(source.name), bar)
    if not path.is_file() and unfinished.exists():
        unfinished.unlink()
    open_dataset(target, resolution)


def _record_folder(path, target, resolution):
    """Return ([(file, its copy)], {name: SHA-256}) of a folder of TFRecords, and delete what an earlier set left in the copy."""
    check_finished(path)
    keep = None if resolution is None else "-r{:02d}.tfrecords".format(resolution.bit_length() - 1)
    names = [name for name in _files_below(path) if name.name != MANIFEST_NAME]
    names = [name for name in names if keep is None or not name.name.endswith(".tfrecords") or name.name.endswith(keep)]
    if not any(name.name.endswith(".tfrecords") for name in names):
        raise UserError(
            "{} has no file of {} pixels".format(path, resolution),
            "one of " + ", ".join(file.name for file in record_files(path)),
            "choose one of its resolutions",
        )
    manifest = read_manifest(path)
    hashes = {name: facts["sha256"] for name, facts in manifest["files"].items()} if manifest else {}
    files = [(path / name, target / name) for name in names]
    if manifest and keep is None:
        files.append((path / MANIFEST_NAME, target / MANIFEST_NAME))  # last: it says that all is there
    for left in target.iterdir() if target.is_dir() else ():
        of_a_set = left.name.endswith(".labels") or (keep is None and left.name.endswith((".tfrecords", MANIFEST_NAME)))
        if of_a_set and left not in [copy for _, copy in files]:
            left.unlink()
    return files, hashes


def _files_below(folder):
    """Return the relative Paths of all files in a folder, sorted; raises OSError for what cannot be listed, as globs do not."""

    def fail(error):
        raise error

    found = [Path(where, name) for where, _, names in os.walk(str(folder), onerror=fail) for name in names]
    return sorted(path.relative_to(folder) for path in found)


def _is_there(source, copy):
    return copy.is_file() and copy.stat().st_size == source.stat().st_size and copy.stat().st_mtime == source.stat().st_mtime


def _blocks(path):
    """Yield a file's bytes; where reading fails, as a Drive's does now and then, try again from there before giving up."""
    position, failures = 0, 0
    while True:
        try:
            with open(str(path), "rb", buffering=0) as file:
                file.seek(position)
                for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
                    position, failures = position + len(block), 0
                    yield block
                return
        except OSError:
            failures += 1
            if failures == _MOST_FAILURES:
                raise
            time.sleep(_PAUSE_S)


def _copy_checked(source, copy, expected, bar):
    """Copy a file and read the copy back; `expected` is its SHA-256 as hex, None where only what is read now can tell."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(str(copy) + ".tmp")
    for _attempt in range(2):
        digest = hashlib.sha256()
        with open(str(temporary), "wb") as writer:
            for block in _blocks(source):
                digest.update(block)
                writer.write(block)
                bar.update(len(block))
            writer.flush()
            os.fsync(writer.fileno())
        is_whole = temporary.stat().st_size == source.stat().st_size
        if is_whole and sha256_of_file(temporary) == digest.hexdigest() == (expected or digest.hexdigest()):
            shutil.copystat(str(source), str(temporary))
            os.replace(str(temporary), str(copy))
            return
    temporary.unlink()
    raise UserError(
        "{} arrives damaged: its SHA-256 is not the manifest's".format(source),
        "the file that was prepared",
        "check it with `sg2ada dataset verify {}`; if that fails too, prepare the data set again".format(source.parent),
    )
