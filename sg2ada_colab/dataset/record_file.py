"""One TFRecords file, memory-mapped: any records as images, at once, in any order."""

import os
import re
import struct
from typing import Optional

import numpy as np

from ..errors import UserError
from ..files import FilePath
from .records import FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, RecordLayout, masked_crc, parse_payload

_MOST_PAYLOAD_BYTES = 1 << 32
_RECORD_NAME = re.compile(r"(\.tfrecords?(\.gz|-\d{5}-of-\d{5})?|-\d{5}-of-\d{5})$")
SHARD_NAME = re.compile(r"-\d{5}-of-\d{5}")


RECORDS = "TFRecords of images, as `sg2ada prepare` or stylegan2-ada's dataset_tool.py write them"


def convert_advice(path: FilePath) -> str:
    """Return what to do with images that only `prepare` reads."""
    return f"convert it: sg2ada prepare {path} FOLDER"


class ForeignRecords(UserError):
    """TFRecords of images in a form that only `prepare` reads."""


def is_record_name(name: str) -> bool:
    """Return whether a file of this name holds TFRecords, of whichever program."""
    return bool(_RECORD_NAME.search(name))


def compression_of(start: bytes) -> Optional[str]:
    """Return "gzip" or "zlib" for a file of records that begins with these 12 bytes and is compressed so, else None."""
    if start[:2] == b"\x1f\x8b":
        return "gzip"
    is_zlib = start[:1] == b"\x78" and len(start) >= 2 and (start[0] * 256 + start[1]) % 31 == 0
    return "zlib" if is_zlib and masked_crc(start[:8]) != start[8:FRAME_HEAD_BYTES] else None


class RecordFile:
    """The images of one level.

    Records of equal length, which is what every writer of such sets makes, are found by multiplication; otherwise the lengths
    are walked once. The order of the fields is looked at record by record, as the original's files mix both.

    Attributes:
        path: The file.
        channels, height, width: Of the first record, as of all others.
        offsets: Where each record starts, int64 [N].
    """

    def __init__(self, path: FilePath) -> None:
        self.path = str(path)
        self.size = os.path.getsize(self.path)
        if self.size < FRAME_HEAD_BYTES + FRAME_TAIL_BYTES:
            raise self._error(f"has {self.size} bytes", "at least one record")
        with open(self.path, "rb") as file:
            kind = compression_of(file.read(FRAME_HEAD_BYTES))
        if kind:
            raise ForeignRecords(
                f"{self.path} is compressed with {kind}",
                "TFRecords that are not compressed",
                ("gunzip it first, or " if kind == "gzip" else "") + convert_advice(os.path.dirname(self.path)),
            )
        self.bytes = np.asarray(np.memmap(self.path, np.uint8, "r"))  # a plain view of it: slices of memmaps are slow
        (self.channels, self.height, self.width), _ = self._parse(0)
        self.layouts = [RecordLayout(self.channels, self.height, self.width, first) for first in (True, False)]
        self.heads = [layout.head for layout in self.layouts]
        self.offsets = self._index()

    def __len__(self) -> int:
        return len(self.offsets)

    def _error(self, what, expected=RECORDS):
        return UserError(
            f"{self.path} {what}",
            expected,
            "copy the file again if its transfer was interrupted, or prepare the dataset again",
        )

    def _payload_bytes(self, offset):
        return struct.unpack("<Q", self.bytes[offset : offset + 8].tobytes())[0]

    def _parse(self, offset):
        """Return the shape and the position of the pixels in the file, for the record at a byte offset."""
        length = self._payload_bytes(offset)
        start = offset + FRAME_HEAD_BYTES
        if length > _MOST_PAYLOAD_BYTES or start + length + FRAME_TAIL_BYTES > self.size:
            raise self._error(f"breaks off, or is damaged, at byte {offset}")
        try:
            shape, pixels = parse_payload(self.bytes[start : start + length].data)
        except ValueError as error:
            what = f"holds something else at byte {offset}: {error}"
            if offset == 0 and masked_crc(self.bytes[:8].tobytes()) == self.bytes[8:FRAME_HEAD_BYTES].tobytes():
                raise ForeignRecords(f"{self.path} {what}", RECORDS, convert_advice(os.path.dirname(self.path))) from error
            raise self._error(what) from error
        return shape, start + pixels

    def _index(self):
        record_bytes = FRAME_HEAD_BYTES + self._payload_bytes(0) + FRAME_TAIL_BYTES
        count, rest = divmod(self.size, record_bytes)
        probes = {0, count // 2, count - 1}
        if rest == 0 and all(self._payload_bytes(i * record_bytes) == record_bytes - 16 for i in probes):
            return np.arange(count, dtype=np.int64) * record_bytes
        offsets, position = [], 0
        while position < self.size:
            if position + FRAME_HEAD_BYTES > self.size:
                break
            following = position + FRAME_HEAD_BYTES + self._payload_bytes(position) + FRAME_TAIL_BYTES
            if following > self.size:
                break
            offsets.append(position)
            position = following
        if position != self.size:
            raise self._error(f"breaks off after {len(offsets)} complete records, at byte {position} of {self.size}")
        return np.array(offsets, np.int64)

    def _pixels(self, index):
        """Return one record's pixels as a uint8 [C, H, W] view of the file."""
        offset = int(self.offsets[index])
        for head in self.heads:
            start = offset + len(head)
            if self.bytes[offset:start].tobytes() == head:
                break
        else:
            shape, start = self._parse(offset)
            if shape != (self.channels, self.height, self.width):
                raise self._error(
                    "has images of different sizes: (channels, height, width) is "
                    f"{(self.channels, self.height, self.width)} in record 0 but {shape} in record {index}",
                    "one size in one file",
                )
        return self.bytes[start : start + self.layouts[0].pixel_bytes].reshape(self.channels, self.height, self.width)

    def read(self, indices: np.ndarray, flip_x: Optional[np.ndarray] = None, flip_y: Optional[np.ndarray] = None) -> np.ndarray:
        """Return the images at integer `indices` [n] as uint8 [n, H, W, C], mirrored where bool [n] `flip_x`, `flip_y` say so.

        Raises UserError where a record is damaged.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        images = np.empty((len(indices), self.height, self.width, self.channels), np.uint8)
        for row, index in enumerate(indices):
            planes = self._pixels(index)
            if flip_x is not None and flip_x[row]:
                planes = planes[:, :, ::-1]
            if flip_y is not None and flip_y[row]:
                planes = planes[:, ::-1]
            for channel in range(self.channels):  # plane by plane: four times as fast as one transposed copy
                images[row, :, :, channel] = planes[channel]
        return images
