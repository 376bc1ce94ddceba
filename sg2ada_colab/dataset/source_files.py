"""The files that a dataset was made from, with time and digest of each: an edited file is told from one that was only touched."""

import base64
import os
import struct
from contextlib import suppress
from typing import Any, List, Optional, Sequence, Tuple

from ..files import sha256_of
from ..images.source import Source
from ..images.workers import run_parallel

MOST_FILES, MOST_BYTES = 20000, 32 * 2**30  # beyond, nothing is recorded: a manifest stays small, and nobody waits for digests
_ENTRY = struct.Struct("<q16s")  # time of the last change in nanoseconds, first half of the SHA-256; zeros where it is not known
_UNKNOWN = bytes(16)


def record(source: Source, workers: Optional[int] = None) -> Optional[str]:
    """Return the times and digests of a `Source`'s files as text, for the manifest; None where they are too many or too large.

    Each file is read once more, which is quick just after it was converted.

    Args:
        workers: Processes; None = one per core.
    """
    paths = source.files()
    with suppress(OSError, ValueError):
        if paths and len(paths) <= MOST_FILES and sum(map(os.path.getsize, paths)) <= MOST_BYTES:
            times = [os.stat(path).st_mtime_ns for path in paths]
            digests = dict(run_parallel(_digest, None, paths, workers))
            entries = [_ENTRY.pack(time, digests[path]) for path, time in zip(paths, times)]
            return base64.b64encode(b"".join(entries)).decode("ascii")
    return None


def edited(recorded: Any, source: Source, workers: Optional[int] = None) -> List[str]:
    """Return the paths of the files whose content is another than when they were recorded.

    Only those are read whose time is another.

    Args:
        recorded: What `record` gave for the same names; anything else tells nothing.
        source: The `Source` as it is now.
    """
    pairs = list(zip(source.files(), _entries(recorded)))
    touched = {path: digest for path, (time, digest) in pairs if digest != _UNKNOWN and _time(path) != time}
    now = dict(run_parallel(_digest, None, list(touched), workers))
    return [path for path in touched if now[path] not in (touched[path], _UNKNOWN)]


def _entries(recorded: Any) -> Sequence[Tuple[int, bytes]]:
    try:
        return list(_ENTRY.iter_unpack(base64.b64decode(recorded, validate=True)))  # type: ignore[arg-type]
    except (TypeError, ValueError, struct.error):
        return []


def _time(path):
    with suppress(OSError):
        return os.stat(path).st_mtime_ns
    return None


def _digest(_, path):
    with suppress(OSError):
        return bytes.fromhex(sha256_of(path)[1])[:16]
    return _UNKNOWN
