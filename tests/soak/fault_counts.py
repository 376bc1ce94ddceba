"""How often the fake Drive failed, and in which way: counts in a small mapped file, which outlives the killed process."""

import mmap
import struct
import threading

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


class FaultCounts:
    """Counters by kind, shared by the fake Drive's process and the test.

    Args:
        path: The file; made if missing, and kept from one process to the next.
    """

    def __init__(self, path):
        with open(str(path), "ab") as file:
            file.truncate(8 * len(KINDS))
        with open(str(path), "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._lock = threading.Lock()

    def add(self, kind):
        place = 8 * KINDS.index(kind)
        with self._lock:
            (count,) = struct.unpack_from("<q", self._map, place)
            struct.pack_into("<q", self._map, place, count + 1)

    def read(self):
        """Return {kind: count}."""
        return dict(zip(KINDS, struct.unpack_from("<{}q".format(len(KINDS)), self._map)))


def print_counts(counts):
    print("faults: " + ", ".join("{} {}".format(count, kind) for kind, count in counts.items()))


def missing_kinds(counts):
    """Return the kinds that never happened."""
    return [kind for kind, count in counts.items() if not count]
