"""Folders and files that are either complete or absent, and the errors of a disk that is full or gone."""

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Iterator, List

from ..errors import UserError
from ..files import FilePath
from ..words import size_text


def check_space(folder: FilePath, needed: float, what: str, advice: str) -> None:
    """Raise UserError unless `needed` bytes are free where a folder lies, or will lie.

    Args:
        folder: Path.
        needed: Bytes.
        what: What needs them, such as "the copy".
        advice: How to need less.
    """
    parent = Path(folder)
    while not parent.exists():
        parent = parent.parent
    free = shutil.disk_usage(str(parent)).free
    if needed > free:
        raise UserError(
            f"{parent} has {size_text(free)} free; {what} needs {size_text(needed)}",
            "enough free space",
            "free some, " + advice,
        )


def disk_error(error: OSError, path: FilePath, advice: str = "free some space and run the same command again") -> UserError:
    """Return the UserError for an OSError while something is written at `path`."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        advice = "choose a place that you may write to"
    return UserError(
        "writing {} failed: {}".format(path, error.strerror or " ".join(str(error).split()) or type(error).__name__),
        "a disk with enough space, that may be written to and stays connected",
        advice,
    )


@contextlib.contextmanager
def reporting(path: FilePath, advice: str = "free some space and run the same command again") -> Iterator[None]:
    """Turn an OSError inside into the UserError of `disk_error`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path, advice) from error


LOCK_NAME = "lock"  # marks a folder that is being written as ours


def check_partial(path: Path) -> None:
    """Raise UserError for a folder of a partial name that we did not make: it belongs to the user, or is a link."""
    is_ours = not path.is_symlink() and path.is_dir()
    if is_ours:
        names = os.listdir(str(path))
        is_ours = not names or (LOCK_NAME in names and not (path / LOCK_NAME).is_symlink())
    if os.path.lexists(str(path)) and not is_ours:
        raise UserError(
            f"{path} exists already and holds other files",
            "a free name, which the dataset has while it is written",
            "move or delete it, or choose another name",
        )


@contextlib.contextmanager
def new_folder(path: FilePath) -> Iterator[Path]:
    """Yield the Path of an empty folder to write into, which takes its name, `path`, when all has been written.

    Raises:
        UserError: Something is in `path` already; the disk is full or gone.
    """
    path = Path(os.path.abspath(str(path)))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is in use", "a folder that does not exist yet, or an empty one", "choose another name")
    partial = path.with_name(path.name + ".partial")
    check_partial(partial)
    with reporting(path):
        if partial.exists():
            shutil.rmtree(str(partial))
        partial.mkdir(parents=True)
        (partial / LOCK_NAME).touch()
        yield partial
        (partial / LOCK_NAME).unlink()
        if path.exists():
            path.rmdir()
        os.replace(str(partial), str(path))


def flush(path: FilePath) -> None:
    """Fsync a file."""
    with open(str(path), "r+b") as file:
        os.fsync(file.fileno())


def files_below(folder: FilePath) -> List[Path]:
    """Return the sorted Paths of all plain files in a folder, however deep; raises OSError for what cannot be listed."""
    found, waiting = [], [str(folder)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file():
                found.append(Path(entry.path))
    return sorted(found)
