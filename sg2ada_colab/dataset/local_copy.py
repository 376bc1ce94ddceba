"""A data set on a slow disk, such as a mounted Drive, copied to the local one: once, checked, and reused."""

import os
import shutil
from pathlib import Path

from ..errors import UserError
from ..images.progress import Progress
from .manifest import MANIFEST_NAME, read_manifest, sha256_of_file
from .reading import open_dataset

_BLOCK_BYTES = 1 << 22


def local_copy(path, folder, resolution=None, progress=True):
    """Return the path of a checked copy of a data set in `folder`, made now unless it is there already.

    Each file is copied under a temporary name, then the copy is read back and compared with the SHA-256 in the manifest; a set
    without a manifest is compared by sizes and by a sample of its images. A copy that was interrupted goes on with the files
    that are missing.

    Args:
        path: Data set: a folder of TFRecords, or a zip.
        folder: Where copies live.
        resolution: Copy only this level of a folder of TFRecords (three quarters of the bytes are in the largest); None = all.
        progress: Show a progress bar.

    Raises:
        UserError: No such data set, no space, or a file that arrives damaged twice.
    """
    path = Path(os.path.abspath(str(path)))
    data = open_dataset(path, resolution)
    target = Path(os.path.abspath(str(folder))) / path.name
    if target == path:
        return str(path)
    if path.is_file():
        files, hashes = [(path, target)], {}
        target.parent.mkdir(parents=True, exist_ok=True)
    else:
        keep = None if resolution is None else "-r{:02d}.tfrecords".format(resolution.bit_length() - 1)
        names = [p.relative_to(path) for p in sorted(path.rglob("*")) if p.is_file() and p.name != MANIFEST_NAME]
        names = [name for name in names if keep is None or not name.name.endswith(".tfrecords") or name.name.endswith(keep)]
        files = [(path / name, target / name) for name in names]
        manifest = read_manifest(path)
        hashes = {name: facts["sha256"] for name, facts in manifest["files"].items()} if manifest else {}
        if manifest and keep is None:
            files.append((path / MANIFEST_NAME, target / MANIFEST_NAME))  # last: it says that all is there
    missing = [(a, b) for a, b in files if not _is_there(a, b)]
    total = sum(a.stat().st_size for a, _ in missing)
    _check_space(target, total)
    with Progress(progress, total, "Copying {}".format(path.name), "B") as bar:
        for source, copy in missing:
            _copy_checked(source, copy, hashes.get(source.name), bar)
    if open_dataset(target, resolution).digest() != data.digest():
        raise UserError(
            "{} is not a copy of {}".format(target, path), "the same images", "delete {} and run this again".format(target)
        )
    return str(target)


def _is_there(source, copy):
    return copy.is_file() and copy.stat().st_size == source.stat().st_size and copy.stat().st_mtime == source.stat().st_mtime


def _check_space(target, needed):
    parent = target
    while not parent.exists():
        parent = parent.parent
    free = shutil.disk_usage(str(parent)).free
    if needed > free:
        raise UserError(
            "{} has {:.1f} GB free; the copy needs {:.1f} GB".format(parent, free / 1e9, needed / 1e9),
            "enough free space",
            "free some, or copy one resolution only",
        )


def _copy_checked(source, copy, sha256, bar):
    copy.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(str(copy) + ".tmp")
    for _attempt in range(2):
        try:
            with open(str(source), "rb") as reader, open(str(temporary), "wb") as writer:
                for block in iter(lambda: reader.read(_BLOCK_BYTES), b""):
                    writer.write(block)
                    bar.update(len(block))
                writer.flush()
                os.fsync(writer.fileno())
        except OSError as error:
            raise UserError(
                "copying {} failed: {}".format(source, error.strerror or error),
                "a disk with enough space, and a Drive that stays connected",
                "run this again; it goes on with the files that are missing",
            ) from error
        whole = temporary.stat().st_size == source.stat().st_size
        if whole and (sha256 is None or sha256_of_file(temporary) == sha256):
            shutil.copystat(str(source), str(temporary))
            os.replace(str(temporary), str(copy))
            return
    temporary.unlink()
    raise UserError(
        "{} arrives damaged: its SHA-256 is not the manifest's".format(source),
        "the file that was prepared",
        "check it with `sg2ada dataset verify {}`; if that fails too, prepare the data set again".format(source.parent),
    )
