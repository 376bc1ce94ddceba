"""One TFRecords file, memory-mapped: any records as images, at once, in any order."""

import os
import struct

import numpy as np

from ..errors import UserError
from .records import FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, RecordLayout, parse_payload

_FIRST_LOOK_BYTES = 1 << 16
_MOST_PAYLOAD_BYTES = 1 << 32


class RecordFile:
    """The images of one level.

    Records of equal length, which is what every writer of such sets makes, are found by multiplication; otherwise the lengths
    are walked once. The order of the fields is looked at record by record, as the original's files mix both.

    Attributes:
        path: The file.
        channels, height, width: Of the first record, as of all others.
        offsets: Where each record starts, int64 [N].
    """

    def __init__(self, path):
        self.path = str(path)
        self.size = os.path.getsize(self.path)
        if self.size < FRAME_HEAD_BYTES + FRAME_TAIL_BYTES:
            raise self._error("has {} bytes".format(self.size), "at least one record")
        self.bytes = np.asarray(np.memmap(self.path, np.uint8, "r"))  # a plain view of it: slices of memmaps are slow
        (self.channels, self.height, self.width), _ = self._parse(0)
        self.layouts = [RecordLayout(self.channels, self.height, self.width, first) for first in (True, False)]
        self.heads = [layout.head for layout in self.layouts]
        self.offsets = self._index()

    def __len__(self):
        return len(self.offsets)

    def _error(self, what, expected="TFRecords of images, as `sg2ada prepare` or stylegan2-ada's dataset_tool.py write them"):
        return UserError(
            "{} {}".format(self.path, what),
            expected,
            "copy the file again if its transfer was interrupted, or prepare the data set again",
        )

    def _payload_bytes(self, offset):
        return struct.unpack("<Q", self.bytes[offset : offset + 8].tobytes())[0]

    def _parse(self, offset):
        """Return the shape and the position of the pixels in the file, for the record at a byte offset."""
        length = self._payload_bytes(offset)
        start = offset + FRAME_HEAD_BYTES
        if length > _MOST_PAYLOAD_BYTES or start + length + FRAME_TAIL_BYTES > self.size:
            raise self._error("breaks off, or is damaged, at byte {}".format(offset))
        try:
            shape, pixels = parse_payload(self.bytes[start : start + length].data)
        except ValueError as error:
            raise self._error("holds something else at byte {}: {}".format(offset, error)) from error
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
            raise self._error("breaks off after {} whole records, at byte {} of {}".format(len(offsets), position, self.size))
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
                    "has images of different sizes: (channels, height, width) is {} in record 0 but {} in record {}".format(
                        (self.channels, self.height, self.width), shape, index
                    ),
                    "one size in one file",
                )
        return self.bytes[start : start + self.layouts[0].pixel_bytes].reshape(self.channels, self.height, self.width)

    def read(self, indices, flip_x=None, flip_y=None):
        """Return the images at integer `indices` [n] as uint8 [n, H, W, C], mirrored where bool [n] `flip_x`, `flip_y` say so."""
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
