"""Safe file operations: atomic writes, SHA-256, copies that are read back, retries."""

import errno
import hashlib
import io
import json
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Callable, Iterator, Optional, Sequence, Tuple, Union

FilePath = Union[str, "os.PathLike[str]"]
CHUNK_BYTES = 1 << 20
TEMPORARY = ".part"  # ends the name of a file that is being written; whoever lists a run folder passes these over


class HashingFile(io.RawIOBase):
    """A write-only raw file that counts bytes and keeps their SHA-256 while they pass."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self.raw, self.bytes, self._digest = raw, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.raw.fileno()

    @property
    def name(self) -> Any:
        return self.raw.name

    def write(self, data: Any) -> int:
        """Write data through, add it to count and digest, and return its length in bytes."""
        view = memoryview(data).cast("B")
        if self.raw.closed:  # closed after an error: what the buffer above still holds is dropped silently
            return len(view)
        written = 0
        while written < len(view):  # a raw write may take less than it was given
            written += self.raw.write(view[written:])
        self._digest.update(view)
        self.bytes += len(view)
        return len(view)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Written:
    """What `atomic_file` wrote: `bytes` and `sha256`, known once its block has ended."""

    bytes: int
    sha256: str


@contextmanager
def atomic_file(path: FilePath, written: Optional[Written] = None, durable: bool = True, private: bool = False) -> Iterator[Any]:
    """Open a temporary file for bytes; at the end of the block flush, fsync and rename it to `path`.

    Args:
        path: The final name; replaced if it exists. An exception in the block leaves it as it was.
        written: Optional `Written` that is filled with the size and the SHA-256 (hex) of what was written.
        durable: False leaves out fsync, which for many small files costs more than all else. A process that is killed still
            leaves a complete file or none; a machine that loses power may leave an incomplete one.
        private: True: only this user may read the file.

    Yields:
        A buffered, write-only, unseekable binary file; its `raw` is the `HashingFile`, which is up to date after a flush.
    """
    path = str(path)
    temporary = _temporary_name(path)
    try:
        with open(temporary, "xb", buffering=0, opener=_open_private if private else None) as raw:
            hashing = HashingFile(raw)
            buffered = io.BufferedWriter(hashing, CHUNK_BYTES)
            yield buffered
            buffered.flush()
            if durable:
                os.fsync(raw.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        _name_target(error, temporary, path)
        raise
    if durable:
        sync_folder(os.path.dirname(path) or ".")
    if written is not None:
        written.bytes, written.sha256 = hashing.bytes, hashing.sha256


@contextmanager
def atomic_path(path: FilePath, suffix: str = "") -> Iterator[str]:
    """Yield a temporary name for a library that opens files by name or seeks in them; at the end fsync and rename to `path`.

    Args:
        path: The final name; replaced if it exists. An exception in the block leaves it as it was.
        suffix: Ending of the temporary name, such as ".mp4", for a library that takes the format from it.
    """
    path = str(path)
    temporary = _temporary_name(path) + suffix
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        _name_target(error, temporary, path)
        raise
    sync_folder(os.path.dirname(path) or ".")


def _open_private(path, flags):
    return os.open(path, flags, 0o600)


def _name_target(error, temporary, path):
    """Let an error of the system name the file that was to be written: of a full disk it names none."""
    if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
        error.filename, error.filename2 = path, None


def _temporary_name(path):
    # Writers never share a temporary name, and nobody can put a link to another file in its place beforehand.
    return f"{path}.{os.getpid()}-{secrets.token_hex(8)}{TEMPORARY}"


def remove_parts(folder: FilePath) -> None:
    """Remove what `atomic_file` left in a folder of this machine when its process was killed."""
    for name in os.listdir(folder):
        match = re.search(r"\.(\d{1,9})-[0-9a-f]+" + re.escape(TEMPORARY) + "$", name)
        if match and not is_running(int(match.group(1))):
            with suppress(OSError):
                os.unlink(os.path.join(folder, name))


def is_running(process: int) -> bool:
    """Return whether a process of this machine is there, whoever started it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # of another user
    return True


def _open_own(path):
    """Open a file for writing from its beginning: in place where it is a regular file of one name, else as a new file."""
    if _is_own(path):
        return open(path, "wb", buffering=0)
    with suppress(FileNotFoundError):
        os.unlink(path)  # a link or a pipe; what it leads to stays as it is
    return open(path, "xb", buffering=0)


def _is_own(path):
    """Return whether a path is a regular file, no link to one, and has no second name elsewhere."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink <= 1


def delete_file(path: FilePath, truncate: bool = False) -> None:
    """Delete a file; what is already gone is passed over.

    Args:
        path: Of a link the link goes, and what it points to stays as it is.
        truncate: True on Drive, where a deleted file sits in the trash and counts against the quota: cut it to zero first.
    """
    with suppress(FileNotFoundError):
        if truncate and _is_own(path):
            os.truncate(path, 0)
        os.unlink(path)


def sync_folder(path: FilePath) -> None:
    """Make renames in a folder durable; file systems that cannot sync a folder are passed over."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: FilePath, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: FilePath, content: Any) -> None:
    """Write an object as indented JSON (UTF-8) atomically; names that are not Unicode are escaped as in JSON."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def sha256_of(path: FilePath, report: Optional[Callable[[int], Any]] = None) -> Tuple[int, str]:
    """Return (size in bytes, SHA-256 in hex) of a file as the file system returns it now.

    Args:
        path: The file.
        report: Optional callable that gets the number of bytes after each MB; what it raises ends the reading.
    """
    digest, size = hashlib.sha256(), 0
    with open(str(path), "rb", buffering=0) as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            if not chunk:
                return size, digest.hexdigest()
            digest.update(chunk)
            size += len(chunk)
            if report:
                report(len(chunk))


def with_retries(
    action: Callable[[], Any],
    attempts: int = 4,
    first_wait_s: float = 0.2,
    errnos: Optional[Sequence[int]] = None,
    sleep: Callable[[float], Any] = time.sleep,
) -> Any:
    """Call `action` until it raises no OSError and return its result.

    Drive answers with an input/output error and then works, as part of what was asked for is cached by then.

    Args:
        action: Callable without arguments. A missing file is an answer, not a failure, and is raised at once.
        attempts: How often it is called at most; the last error is raised.
        first_wait_s: The pause after the first failure; each further one is twice as long.
        errnos: Numbers of the errors that are tried again; None is all of them.
    """
    for attempt in range(attempts - 1):
        try:
            return action()
        except FileNotFoundError:
            raise
        except OSError as error:
            if errnos is not None and (error.errno or 0) not in errnos:
                raise
            sleep(first_wait_s * 2**attempt)
    return action()


class MismatchError(OSError):
    """A file did not read back as it was written; trying again may help."""


class DamagedSourceError(Exception):
    """The file to copy is not what it should be; trying again cannot help."""


def copy_verified(
    source: FilePath,
    target: FilePath,
    expected: Optional[str] = None,
    report: Optional[Callable[[int], Any]] = None,
    attempts: int = 1,
    wait_s: float = 0.5,
) -> Tuple[int, str]:
    """Copy a file, make the file system write it out, and read it back.

    The target gets its final name at once: on Drive a renamed file can appear twice. Where half a file would be taken for a
    file, copy to a temporary name and rename.

    Args:
        source: Path of a file that does not change.
        target: Path; overwritten.
        expected: Optional SHA-256 in hex that the source must have.
        report: Optional callable that gets the number of bytes before each MB is written, and 0 after each MB that is read
            back; what it raises ends the copy.
        attempts: How often reading at one place may fail; reading continues from there.
        wait_s: The pause after such a failure.

    Returns:
        (size in bytes, SHA-256 in hex) of what was copied.

    Raises:
        DamagedSourceError: The source differs from what was expected.
        MismatchError: The target did not read back alike.
        OSError: Either side fails.
    """
    copied = _write_out(_chunks(source, attempts, wait_s), target, report)
    if expected is not None and copied[1] != expected:
        with suppress(OSError):
            os.truncate(str(target), 0)
        raise DamagedSourceError(f"{source} is not what its manifest says")
    forget_cached_pages(target)
    if sha256_of(target, report and (lambda count: report(0))) != copied:
        raise MismatchError(f"{target} did not read back as it was written")
    return copied


def _write_out(chunks, target, report):
    """Write pieces of bytes to a file and through to the disk; return (size in bytes, SHA-256 in hex)."""
    digest, size = hashlib.sha256(), 0
    with _open_own(str(target)) as writer:
        for chunk in chunks:
            if report:  # before it is written: a process that was frozen learns here that another has taken its place
                report(len(chunk))
            digest.update(chunk)
            size += len(chunk)
            view = memoryview(chunk)
            while len(view):
                view = view[writer.write(view) :]
        os.fsync(writer.fileno())
    return size, digest.hexdigest()


def replace_with_copy(
    source: FilePath,
    target: FilePath,
    expected: Optional[str] = None,
    report: Optional[Callable[[int], Any]] = None,
    before_rename: Optional[Callable[[str], Any]] = None,
    attempts: int = 1,
    wait_s: float = 0.5,
) -> Tuple[int, str]:
    """Make `target` a verified copy of a file, by way of a temporary name: a reader never sees it incomplete.

    The temporary name is always the same, so what a killed process left is written over.

    Args:
        source, expected, report, attempts, wait_s: As for `copy_verified`.
        target: Path; replaced.
        before_rename: Optional function of the temporary name; what it raises leaves `target` as it was.

    Returns, raises: As `copy_verified`.
    """
    temporary = str(target) + TEMPORARY
    copied = copy_verified(source, temporary, expected, report, attempts, wait_s)
    if before_rename:
        before_rename(temporary)
    os.replace(temporary, str(target))
    return copied


def _chunks(path, attempts, wait_s):
    """Yield a file's bytes; where reading fails, go on from there, up to `attempts` times one after the other."""
    position, failures = 0, 0
    while True:
        try:
            with open(str(path), "rb", buffering=0) as file:
                file.seek(position)
                for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
                    position, failures = position + len(chunk), 0
                    yield chunk
                return
        except OSError:
            failures += 1
            if failures >= attempts:
                raise
            time.sleep(wait_s)


def forget_cached_pages(path: FilePath) -> None:
    """Ask the kernel to drop its copy of a file, so that the next read asks the file system behind it."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(str(path), os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def open_plain(path: FilePath) -> BinaryIO:
    """Open a file for reading bytes; a pipe or a device, which may never answer or never end, raises OSError instead."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a name with a zero byte, or none that the file system could hold
        raise OSError(errno.EINVAL, f"no name of a file ({error})", str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return os.fdopen(descriptor, "rb")


def read_plain(path: FilePath, most_bytes: int) -> bytes:
    """Return the bytes of a plain file, at most `most_bytes` + 1 of them, so that the caller sees what is too much."""
    with open_plain(path) as file:
        return file.read(most_bytes + 1)
