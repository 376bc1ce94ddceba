"""A dataset on a slow disk, such as a mounted Drive, copied to the local one: once, checked, and reused."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..errors import UserError
from ..files import TEMPORARY, DamagedSourceError, FilePath, MismatchError, replace_with_copy, sync_folder
from ..images.progress import Progress
from .disk import check_space, files_below
from .manifest import JOURNAL_NAME, MANIFEST_NAME, read_manifest
from .reading import check_finished, has_records, open_dataset, record_files

_MOST_FAILURES, _PAUSE_S = 4, 0.5  # of consecutive reads, and the pause between them


def local_copy(path: FilePath, folder: FilePath, resolution: Optional[int] = None, progress: bool = True) -> str:
    """Return the path of a checked copy of a dataset in `folder`, made now unless it is there already.

    Each file is copied under a temporary name, then the copy is read back and compared with the SHA-256 in the manifest, or of
    what was read where there is no manifest. A copy that was interrupted continues with the files that are missing, and until it
    is complete nothing takes it for a dataset. The slow disk is read by plain reads, whose errors can be reported, never mapped.

    Args:
        path: Dataset: a folder of TFRecords, or a zip or folder of images.
        folder: Where copies live.
        resolution: Copy only this level of a folder of TFRecords (three quarters of the bytes are in the largest); None = all.
        progress: Show a progress bar.

    Raises:
        UserError: No such dataset, no space, a disk that fails, or a file that arrives damaged twice.
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
            f"copying {path} to {target} failed: {error.strerror or error}",
            "a disk with enough space, and a Drive that stays connected",
            "free some space or connect Drive again, and run this again; it continues with the files that are missing",
        ) from error
    return str(target)


def _bring_up_to_date(path, target, resolution, progress):
    if path.is_dir() and has_records(path):
        files, hashes = _record_folder(path, target, resolution)
    else:
        open_dataset(path, resolution)  # reads plainly, and says what is wrong before anything is copied
        names = [Path()] if path.is_file() else _names_below(path)
        files, hashes = [(path / name, target / name) for name in names], {}
    missing = [(a, b) for a, b in files if not _is_there(a, b)]
    unfinished = target / JOURNAL_NAME
    total = sum(a.stat().st_size for a, _ in missing)
    check_space(target.parent, total, "the copy", "or copy one resolution only")
    if missing and not path.is_file():
        target.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("copy\n")
    with Progress(progress, total, f"Copying {path.name}", "B") as bar:
        for source, copy in missing:
            _copy_checked(source, copy, hashes.get(source.name), bar)
    if not path.is_file() and unfinished.exists():
        unfinished.unlink()
    open_dataset(target, resolution)


def _record_folder(path, target, resolution):
    """Return ([(file, its copy)], {name: SHA-256}) of a folder of TFRecords, and delete what an earlier set left in the copy."""
    check_finished(path)
    keep = None if resolution is None else f"-r{resolution.bit_length() - 1:02d}.tfrecords"
    names = [name for name in _names_below(path) if name.name != MANIFEST_NAME]
    names = [name for name in names if keep is None or not name.name.endswith(".tfrecords") or name.name.endswith(keep)]
    if not any(name.name.endswith(".tfrecords") for name in names):
        raise UserError(
            f"{path} has no file of {resolution} pixels",
            "one of " + ", ".join(file.name for file in record_files(path)),
            "choose one of its resolutions",
        )
    manifest = read_manifest(path)
    hashes = {name: facts["sha256"] for name, facts in manifest["files"].items()} if manifest else {}
    files = [(path / name, target / name) for name in names]
    if manifest and keep is None:
        files.append((path / MANIFEST_NAME, target / MANIFEST_NAME))  # last: it marks the copy as complete
    for left in target.iterdir() if target.is_dir() else ():
        of_a_set = left.name.endswith(".labels") or (keep is None and left.name.endswith((".tfrecords", MANIFEST_NAME)))
        if of_a_set and left not in [copy for _, copy in files]:
            left.unlink()
    return files, hashes


def _names_below(folder):
    return [file.relative_to(folder) for file in files_below(folder)]


def _is_there(source, copy):
    return copy.is_file() and copy.stat().st_size == source.stat().st_size and copy.stat().st_mtime == source.stat().st_mtime


def _copy_checked(source, copy, expected, bar):
    """Copy a file and read the copy back; `expected` is its SHA-256 as hex, None where it is not known."""
    copy.parent.mkdir(parents=True, exist_ok=True)

    def take_over(temporary):
        if os.path.getsize(temporary) != source.stat().st_size:
            raise MismatchError(f"{source} has changed")
        shutil.copystat(str(source), temporary)

    for _attempt in range(2):
        with suppress(DamagedSourceError, MismatchError):
            replace_with_copy(source, copy, expected, bar.update, take_over, _MOST_FAILURES, _PAUSE_S)
            sync_folder(copy.parent)
            return
    os.unlink(f"{copy}{TEMPORARY}")
    raise UserError(
        f"{source} is damaged on its way here: its SHA-256 is not that of the manifest",
        "the file that was prepared",
        f"check it with `sg2ada dataset verify {source.parent}`; if that fails too, prepare the dataset again",
    )
