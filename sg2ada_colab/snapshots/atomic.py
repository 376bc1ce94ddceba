"""Write a file so that its name holds the old content or the new, never half of one; hash it on the way."""
import hashlib
import io
import os
import threading
from contextlib import contextmanager, suppress

CHUNK_BYTES = 1 << 20
TEMPORARY = ".part"  # ends the name of a file that is being written; whoever lists a run folder passes these over


class HashingFile(io.RawIOBase):
    """A write-only raw file that counts bytes and keeps their SHA-256 while they pass."""

    def __init__(self, raw):
        super().__init__()
        self.raw, self.bytes, self._digest = raw, 0, hashlib.sha256()

    def writable(self):
        return True

    def fileno(self):
        return self.raw.fileno()

    def write(self, data):
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):  # a raw write may take less than it was given
            written += self.raw.write(view[written:])
        self._digest.update(view)
        self.bytes += len(view)
        return len(view)

    @property
    def sha256(self):
        return self._digest.hexdigest()


class Written:
    """What `atomic_file` wrote: `bytes` and `sha256`, known once its block has ended."""

    bytes = sha256 = None


@contextmanager
def atomic_file(path, written=None):
    """Open a temporary file for bytes; at the end of the block flush, fsync and rename it to `path`.

    Args:
        path: The final name; replaced if it exists. An exception in the block leaves it as it was.
        written: Optional `Written` that is filled with the size and the SHA-256 (hex) of what was written.

    Yields:
        A buffered, write-only, unseekable binary file; its `raw` is the `HashingFile`, which is up to date after a flush.
    """
    path = str(path)
    # Writers in two threads or processes never share a temporary name.
    temporary = "{}.{}-{}{}".format(path, os.getpid(), threading.get_ident() % 10**6, TEMPORARY)
    try:
        with open(temporary, "wb", buffering=0) as raw:
            hashing = HashingFile(raw)
            buffered = io.BufferedWriter(hashing, CHUNK_BYTES)
            yield buffered
            buffered.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(os.path.dirname(path) or ".")
    if written is not None:
        written.bytes, written.sha256 = hashing.bytes, hashing.sha256


def sync_folder(path):
    """Make renames in a folder durable; file systems that cannot sync a folder are passed over."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path, text):
    """Write a text file (UTF-8) atomically."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))


def sha256_of(path, beat=None):
    """Return (size in bytes, SHA-256 in hex) of a file as the file system returns it now; call `beat` after each MB."""
    digest, size = hashlib.sha256(), 0
    with open(str(path), "rb", buffering=0) as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            if not chunk:
                return size, digest.hexdigest()
            digest.update(chunk)
            size += len(chunk)
            if beat:
                beat()
