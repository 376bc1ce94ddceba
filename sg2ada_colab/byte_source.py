"""Bytes from outside, a piece at a time: no piece is larger than what is there, and large ones are never copied again."""

import os
from typing import Any, Optional, Union

import numpy as np

LARGE_BYTES = 1 << 16  # from this size on a byte string gets its own memory


class Refused(Exception):
    """The stream is not data that we know: what it asked for is the message; nothing was run."""


class Truncated(Refused):
    """The stream ends before its STOP."""


class FileSource:
    """Bytes of a file; large byte strings are read straight into their own memory."""

    def __init__(self, file: Any, size: Optional[int] = None) -> None:
        self._file = file
        self.position, self.size = file.tell(), os.fstat(file.fileno()).st_size if size is None else size

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes; raise Truncated where there are fewer."""
        if count > self.size - self.position:
            raise Truncated(f"it ends at byte {self.size:,} where {count:,} more should follow")
        self.position += count
        data = self._file.read(count)
        if len(data) != count:
            raise Truncated("it got shorter while it was read")
        return data

    def line(self, limit: int) -> bytes:
        """Return the bytes up to the next line break and with it, at most `limit` + 1 of them."""
        data = self._file.readline(limit + 1)
        self.position += len(data)
        return data

    def payload(self, count: int) -> Union[bytes, memoryview]:
        """Return the next `count` bytes, many in memory of their own; raise Truncated where there are fewer."""
        if count < LARGE_BYTES:
            return self.read(count)
        if count > self.size - self.position:
            raise Truncated(f"it ends at byte {self.size:,} inside an array of {count:,} bytes")
        buffer = np.empty(count, np.uint8)
        view, done = memoryview(buffer.data), 0
        while done < count:
            step = self._file.readinto(view[done:])
            if not step:
                raise Truncated("it got shorter while it was read")
            done += step
        self.position += count
        return view


class MemorySource:
    """Bytes in memory, from any bytes-like object; large byte strings are views of it."""

    def __init__(self, data: Union[bytes, bytearray, memoryview]) -> None:
        self._view = memoryview(data).cast("B")
        self.position, self.size = 0, len(self._view)

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes; raise Truncated where there are fewer."""
        return bytes(self.payload(count))

    def line(self, limit: int) -> bytes:
        """Return the bytes up to the next line break and with it, at most `limit` + 1 of them."""
        start, end = self.position, self.position
        while end < min(self.size, start + limit + 1):
            block = bytes(self._view[end : min(end + LARGE_BYTES, start + limit + 1)])
            found = block.find(b"\n")
            end += len(block) if found < 0 else found + 1
            if found >= 0:
                break
        self.position = end
        return bytes(self._view[start:end])

    def payload(self, count: int) -> Union[bytes, memoryview]:
        """Return a view of the next `count` bytes, without copying them; raise Truncated where there are fewer."""
        start = self.position
        if count > self.size - start:
            raise Truncated(f"it ends at byte {self.size:,} where {count:,} more should follow")
        self.position += count
        return self._view[start : self.position]
