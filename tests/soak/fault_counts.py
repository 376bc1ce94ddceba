"""How often the fake Drive failed, in which way, and when: in small files, which outlive the killed process."""

import mmap
import os
import struct
import threading
import time

KINDS = (
    "ENOSPC",
    "EIO",
    "ENOTCONN",
    "writes that broke the mount",
    "short writes",
    "twin renames",
    "stuck uploads",
    "uploads refused silently",
    "slow listings",
    "slow writes",
    "slow uploads",
    "deletions before uploads",
)
FAILURES = KINDS[:5]  # which who uses the mount meets; the others concern uploads, or are noted with how long they take
MOMENT = struct.Struct("<dd")  # seconds since 1970, seconds


class FaultCounts:
    """Counters by kind, and the moments that held up who uses Drive; shared by the fake Drive's process and the test.

    Args:
        path: The file of the counters, beside which that of the moments lies; made if missing, and kept from one process to the
            next.
    """

    def __init__(self, path):
        with open(str(path), "ab") as file:
            file.truncate(8 * len(KINDS))
        with open(str(path), "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._lock = threading.Lock()
        self._moments = os.open(str(path) + ".moments", os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def add(self, kind):
        place = 8 * KINDS.index(kind)
        with self._lock:
            (count,) = struct.unpack_from("<q", self._map, place)
            struct.pack_into("<q", self._map, place, count + 1)
        if kind in FAILURES:
            self.held_up(time.time(), 0.0)

    def held_up(self, since, seconds):
        """Note that Drive was slow for so many seconds; 0 for a failure, which takes no time itself."""
        os.write(self._moments, MOMENT.pack(since, seconds))

    def troubles(self, since, until, pause_s):
        """Return for how many seconds of a stretch of time Drive was slow or its user in the pause after a failure."""
        content = os.pread(self._moments, os.fstat(self._moments).st_size // MOMENT.size * MOMENT.size, 0)
        moments = sorted((start, start + (seconds or pause_s)) for start, seconds in MOMENT.iter_unpack(content))
        total = 0.0
        for start, end in moments:
            total += max(0.0, min(end, until) - max(start, since))
            since = max(since, end)
        return total

    def read(self):
        """Return {kind: count}."""
        return dict(zip(KINDS, struct.unpack_from(f"<{len(KINDS)}q", self._map)))


def print_counts(counts):
    print("faults: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


def missing_kinds(counts):
    """Return the kinds that never happened."""
    return [kind for kind, count in counts.items() if not count]
