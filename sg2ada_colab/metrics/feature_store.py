"""Features gathered image by image into files that survive an interruption."""

import json
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, List, Optional

import numpy as np

from ..files import FilePath, atomic_file
from .statistics import FeatureStatistics, Moments

CHUNK_ROWS = 512  # sums are formed over chunks of this many rows, so that an interruption does not change them
_BLOCK_HEADER = struct.Struct("<II")  # rows, CRC-32 of their bytes


class GatheredMoments:
    """Moments of rows 0 ... count - 1 of a sequence; `save` rewrites the complete file.

    Args:
        path: File, or None to keep everything in memory.
        identity: Text that names what is gathered; a file of another identity is replaced.
    """

    def __init__(self, width: int, path: Optional[FilePath] = None, identity: str = "") -> None:
        self.path, self.identity = Path(path) if path else None, identity
        self.moments, self._waiting = Moments(width), np.zeros([0, width], np.float32)
        self._load()

    @property
    def count(self) -> int:
        """Number of rows added so far, which is the number of the next one."""
        return self.moments.count + len(self._waiting)

    def add(self, rows: np.ndarray) -> None:
        """Add rows [n, width]."""
        rows = np.concatenate([self._waiting, rows])
        complete = len(rows) // CHUNK_ROWS * CHUNK_ROWS
        for start in range(0, complete, CHUNK_ROWS):
            self.moments.add(rows[start : start + CHUNK_ROWS])
        self._waiting = rows[complete:]

    def statistics(self, unbiased: bool) -> FeatureStatistics:
        """Return the FeatureStatistics of all rows."""
        total = Moments(len(self.moments.total))
        total.count, total.total, total.outer = self.moments.count, self.moments.total.copy(), self.moments.outer.copy()
        if len(self._waiting):
            total.add(self._waiting)
        return total.statistics(unbiased)

    def save(self) -> None:
        """Write the state to the file, atomically."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(self.path) as stream:
            np.savez(
                stream,
                count=np.array(self.moments.count),
                identity=np.array(self.identity),
                total=self.moments.total,
                outer=self.moments.outer,
                waiting=self._waiting,
            )

    def close(self) -> None:
        """Save."""
        self.save()

    def discard(self) -> None:
        """Delete the file."""
        _delete(self.path)

    def _load(self):
        if self.path is None:
            return
        try:
            with open(str(self.path), "rb") as stream, np.load(stream, allow_pickle=False) as state:
                if str(state["identity"]) != self.identity or state["total"].shape != self.moments.total.shape:
                    return
                self._waiting = state["waiting"]
                self.moments.total, self.moments.outer = state["total"], state["outer"]
                self.moments.count = int(state["count"])
        except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
            return  # missing or damaged: gather again


class GatheredRows:
    """All rows 0 ... count - 1 of a sequence; every `add` appends one checked block to the file.

    Args: as of GatheredMoments.
    """

    def __init__(self, width: int, path: Optional[FilePath] = None, identity: str = "") -> None:
        self.path, self.identity, self.width = Path(path) if path else None, identity, width
        self._blocks: List[np.ndarray] = []
        self._stream: Optional[BinaryIO] = None
        self.count = 0
        if self.path is not None:
            self._open(self.path)

    def add(self, rows: np.ndarray) -> None:
        """Add rows [n, width]."""
        rows = np.ascontiguousarray(rows, "<f4")
        self._blocks.append(rows)
        self.count += len(rows)
        if self._stream is not None:
            content = rows.tobytes()
            self._stream.write(_BLOCK_HEADER.pack(len(rows), zlib.crc32(content)) + content)

    def rows(self) -> np.ndarray:
        """Return all rows, float32 [count, width]."""
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate(self._blocks)] if self._blocks else [np.zeros([0, self.width], np.float32)]
        return self._blocks[0]

    def statistics(self, unbiased: bool) -> FeatureStatistics:
        """Return the FeatureStatistics of all rows, the same as GatheredMoments gives."""
        moments, rows = Moments(self.width), self.rows()
        for start in range(0, len(rows), CHUNK_ROWS):
            moments.add(rows[start : start + CHUNK_ROWS])
        return moments.statistics(unbiased)

    def save(self) -> None:
        """Flush and fsync what was added."""
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Save and close the file; the rows stay in memory."""
        if self._stream is not None:
            self.save()
            self._stream.close()
            self._stream = None

    def discard(self) -> None:
        """Delete the file."""
        self.close()
        _delete(self.path)

    def _open(self, path):
        """Read the complete blocks, truncate the rest, and append from there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        header = json.dumps({"identity": self.identity, "width": self.width}).encode() + b"\n"
        self._stream = open(str(path), "a+b")  # noqa: SIM115 - stays open for the blocks to come
        self._stream.seek(0)
        end = self._read_blocks(self._stream) if self._stream.readline() == header else 0
        self._stream.truncate(end)
        if end == 0:
            self._stream.write(header)

    def _read_blocks(self, stream):
        while True:
            end = stream.tell()
            head = stream.read(_BLOCK_HEADER.size)
            if len(head) < _BLOCK_HEADER.size:
                return end
            num_rows, checksum = _BLOCK_HEADER.unpack(head)
            content = stream.read(num_rows * self.width * 4)
            if len(content) != num_rows * self.width * 4 or zlib.crc32(content) != checksum:
                return end
            self._blocks.append(np.frombuffer(content, "<f4").reshape(num_rows, self.width))
            self.count += num_rows


def _delete(path):
    if path is not None and path.exists():
        path.unlink()
