"""What the operating system refuses, in three parts: what it was, what would do, what to do next."""

import errno

from .errors import UserError

_ROOM = ("a disk with free space", "free space, or choose a place on another disk; then run the same command again")
_RIGHT = ("a place that this user may use so", "choose another folder, or change the rights of this one")
_NAME = ("names of at most 255 bytes, in a path of at most 4,095",
         "choose a shorter name; a run's is made of its dataset's name and its options, --desc among them")  # fmt: skip
_DISK = ("a disk that answers", "try again; if it is on Drive, mount Drive again, or copy the files to this machine's disk")
_WORDS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: ("a disk that takes files of this size", "choose a place on another disk"),
    errno.EROFS: ("a folder that can be written to", "choose a folder on another disk: this one only allows reading"),
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.ENAMETOOLONG: _NAME,
    errno.EIO: _DISK,
    errno.ESTALE: _DISK,
    errno.ENOTCONN: _DISK,
    errno.ETIMEDOUT: _DISK,
    errno.ENOENT: ("a file or folder of this name", "check the path"),
    errno.ENOTDIR: ("a folder, where a file lies", "check the path, or choose another name"),
    errno.EISDIR: ("a file, where a folder lies", "check the path, or choose another name"),
    errno.EEXIST: ("a name that is free", "choose another name"),
    errno.ENOTEMPTY: ("an empty folder", "choose another name"),
    errno.EMFILE: ("fewer open files", "close other programs, or allow more open files with `ulimit -n`"),
    errno.ENFILE: ("fewer open files", "close other programs"),
    errno.ENOMEM: ("free memory", "close other programs, or take a smaller --batch-gpu"),
    errno.ELOOP: ("a file, and no links that lead to each other", "correct the links"),
}
_OTHER = ("files and folders that can be read and written", "check the place, then run the same command again")


def user_error(error: OSError) -> UserError:
    """Return the UserError for an unexpected OSError, with the name of the file where the system gives it."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None and not isinstance(name, int)]
    expected, next_step = _WORDS.get(error.errno or 0, _OTHER)
    where = " → ".join(names) or "The operating system reports"
    return UserError(f"{where}: {error.strerror or error or type(error).__name__}.", expected, next_step)
