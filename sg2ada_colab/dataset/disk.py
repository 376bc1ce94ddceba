"""Folders and files that are whole or not there, and what to say when a disk is full or gone."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

from ..errors import UserError
from ..images.wording import size_text


def check_space(folder, needed, what, advice):
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
            "{} has {} free; {} needs {}".format(parent, size_text(free), what, size_text(needed)),
            "enough free space",
            "free some, " + advice,
        )


def disk_error(error, path, advice="free some space and run the same command again"):
    """Return the UserError for an OSError while something is written at `path`."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        advice = "choose a place that you may write to"
    return UserError(
        "writing {} failed: {}".format(path, error.strerror or " ".join(str(error).split()) or type(error).__name__),
        "a disk with enough space, that may be written to and stays connected",
        advice,
    )


@contextlib.contextmanager
def reporting(path, advice="free some space and run the same command again"):
    """Turn an OSError inside into the UserError of `disk_error`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path, advice) from error


@contextlib.contextmanager
def new_folder(path):
    """Yield the Path of an empty folder to write into, which takes its name, `path`, when all has been written.

    Raises:
        UserError: Something is in `path` already; the disk is full or gone.
    """
    path = Path(os.path.abspath(str(path)))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError("{} is in use".format(path), "a folder that does not exist yet, or an empty one", "choose another name")
    partial = path.with_name(path.name + ".partial")
    with reporting(path):
        if partial.exists():
            shutil.rmtree(str(partial))
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            path.rmdir()
        os.replace(str(partial), str(path))


def flush(path):
    """Have a file's bytes on the disk itself."""
    with open(str(path), "r+b") as file:
        os.fsync(file.fileno())
