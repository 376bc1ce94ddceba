"""The bytes of a TFRecords image file: framing, checksums, and the two possible orders of a record's fields.

A record is a length (uint64), its masked CRC, a payload, its masked CRC. The payload is a serialised `tf.train.Example` with
`shape` (three integers C, H, W) and `data` (raw uint8 pixels, CHW). Serialisers disagree about which comes first.
"""

import struct
from typing import Any, Dict, List, Tuple

import google_crc32c
import numpy as np

FRAME_HEAD_BYTES, FRAME_TAIL_BYTES = 12, 4


def _varint(value):
    """Return an unsigned integer in protobuf's base-128 form."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def _field(content):
    """Return a length-delimited protobuf field number 1, which is all that nests here but the two below."""
    return b"\x0a" + _varint(len(content)) + content


class RecordLayout:
    """The layout of a record of one image size, for one order of the fields.

    Attributes:
        width: Of the images, in pixels.
        record_bytes: Length of a complete record with framing.
        pixel_offset: Where the pixels start in it.
        pixel_bytes: How many they are.
        head, tail: The constant bytes of the record before and after the pixels, without the last CRC.
    """

    def __init__(self, channels: int, height: int, width: int, shape_first: bool = True) -> None:
        self.width, self.pixel_bytes = width, channels * height * width
        int64_list = _field(b"".join(_varint(v) for v in (channels, height, width)))
        feature = b"\x1a" + _varint(len(int64_list)) + int64_list  # Feature.int64_list
        shape = _field(_field(b"shape") + b"\x12" + _varint(len(feature)) + feature)
        value = b"\x0a" + _varint(self.pixel_bytes)  # BytesList.value
        bytes_list = b"\x0a" + _varint(len(value) + self.pixel_bytes) + value  # Feature.bytes_list
        feature = _field(b"data") + b"\x12" + _varint(len(bytes_list) + self.pixel_bytes) + bytes_list
        data = b"\x0a" + _varint(len(feature) + self.pixel_bytes) + feature
        features = b"\x0a" + _varint(len(shape) + len(data) + self.pixel_bytes)
        payload_head = features + (shape + data if shape_first else data)
        self.tail = b"" if shape_first else shape
        payload_bytes = len(payload_head) + self.pixel_bytes + len(self.tail)
        length = struct.pack("<Q", payload_bytes)
        self.head = length + masked_crc(length) + payload_head
        self.pixel_offset = len(self.head)
        self.record_bytes = FRAME_HEAD_BYTES + payload_bytes + FRAME_TAIL_BYTES

    def blank(self, count: int) -> np.ndarray:
        """Return `count` records without pixels and checksum, as uint8 [count, record_bytes]."""
        records = np.empty((count, self.record_bytes), np.uint8)
        records[:, : self.pixel_offset] = np.frombuffer(self.head, np.uint8)
        records[:, self.pixel_offset + self.pixel_bytes : -FRAME_TAIL_BYTES] = np.frombuffer(self.tail, np.uint8)
        return records

    def pixels(self, records: np.ndarray) -> np.ndarray:
        """Return the place of the pixels in uint8 [N, record_bytes] records, as a view [N, C*H*W]."""
        return records[:, self.pixel_offset : self.pixel_offset + self.pixel_bytes]

    def is_sealed(self, records: np.ndarray) -> np.ndarray:
        """Return bool [N]: which of uint8 [N, record_bytes] records have this layout and the right checksums."""
        good = (records[:, : self.pixel_offset] == np.frombuffer(self.head, np.uint8)).all(1)
        return good & (payload_checksums(records) == records[:, -FRAME_TAIL_BYTES:]).all(1)

    def encode(self, images_nchw: np.ndarray) -> np.ndarray:
        """Return the records of uint8 [N, C, H, W] images as uint8 [N, record_bytes]."""
        records = self.blank(len(images_nchw))
        self.pixels(records)[:] = images_nchw.reshape(len(images_nchw), -1)
        seal(records)
        return records


def masked_crc(data: Any) -> bytes:
    """Return TFRecord's four bytes for some bytes: their CRC-32C rotated right by 15 bits, plus a constant, little-endian."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def masked_crcs(rows: np.ndarray) -> np.ndarray:
    """Return what `masked_crc` gives for each row of a uint8 [N, length] array, as uint8 [N, 4]."""
    joined = b"".join(masked_crc(row.tobytes()) for row in rows)
    return np.frombuffer(joined, np.uint8).reshape(len(rows), FRAME_TAIL_BYTES)


def payload_checksums(records: np.ndarray) -> np.ndarray:
    """Return the checksums of the payloads of uint8 [N, record_bytes] records, as uint8 [N, 4]."""
    return masked_crcs(records[:, FRAME_HEAD_BYTES:-FRAME_TAIL_BYTES])


def seal(records: np.ndarray) -> None:
    """Put the checksums into uint8 [N, record_bytes] records whose pixels are set."""
    records[:, -FRAME_TAIL_BYTES:] = payload_checksums(records)


def _read_varint(buffer, position):
    value, shift = 0, 0
    while True:
        byte = buffer[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a varint of over ten bytes")


def _fields(buffer, start, end):
    """Yield (number, start, end) of the length-delimited fields and (number, value, None) of the varints in a message."""
    position = start
    while position < end:
        key, position = _read_varint(buffer, position)
        if key & 7 in (1, 5):  # eight or four bytes: floats that are not packed
            following = position + (8 if key & 7 == 1 else 4)
            if following > end:
                raise ValueError("a field reaches past the end of its message")
            yield key >> 3, position, following
            position = following
            continue
        value, position = _read_varint(buffer, position)
        if key & 7 == 0:
            yield key >> 3, value, None
        elif key & 7 == 2:
            if position + value > end:
                raise ValueError("a field reaches past the end of its message")
            yield key >> 3, position, position + value
            position += value
        else:
            raise ValueError(f"unexpected wire type {key & 7}")


def _integers(buffer, start, end):
    """Return the values of an Int64List, packed or not."""
    values = []
    for number, first, last in _fields(buffer, start, end):
        if number == 1 and last is None:
            values.append(first)
        elif number == 1:
            position = first
            while position < last:
                value, position = _read_varint(buffer, position)
                values.append(value)
    return values


def example_features(payload: Any) -> Dict[bytes, Any]:
    """Return {name: (kind, start, end)} of the fields in a serialised Example, which `feature_bytes` and the like take.

    The kind is 1 for a list of bytes, 2 of floats, 3 of integers; the first of two fields of one name counts.

    Raises:
        ValueError: Not an Example.
    """
    found: Dict[bytes, Any] = {}
    try:
        for _, features_start, features_end in _fields(payload, 0, len(payload)):
            for _, entry_start, entry_end in _fields(payload, features_start, features_end):
                parts = {number: (first, last) for number, first, last in _fields(payload, entry_start, entry_end)}
                feature = next(_fields(payload, *parts[2]), None)
                if feature is not None:
                    if feature[2] is None:
                        raise ValueError("a number stands in the place of a list")
                    found.setdefault(bytes(payload[slice(*parts[1])]), feature)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a serialised image example: {error or type(error).__name__}") from error
    return found


def feature_bytes(payload: Any, feature: Any) -> bytes:
    """Return the first value of a list of bytes, b"" of an empty one."""
    return payload[slice(*feature_span(payload, feature))]


def feature_span(payload: Any, feature: Any) -> Tuple[int, int]:
    """Return (start, end) of the first value of a list of bytes in the payload, (0, 0) of an empty one.

    Raises ValueError where it is cut short or no list of bytes.
    """
    try:
        _, start, end = next(_fields(payload, *feature[1:]), (1, 0, 0))
    except IndexError as error:
        raise ValueError("a list of bytes breaks off") from error
    if end is None:
        raise ValueError("a list of bytes holds a number")
    return start, end


def feature_integers(payload: Any, feature: Any) -> List[int]:
    """Return the values of a list of integers (int64); raise ValueError where it breaks off."""
    try:
        return [value - (1 << 64) if value >> 63 else value for value in _integers(payload, *feature[1:])]
    except (IndexError, TypeError) as error:
        raise ValueError("a list of integers breaks off") from error


def parse_payload(payload: Any) -> Tuple[Any, int]:
    """Return ((C, H, W), offset of the pixels) of a serialised Example.

    Args:
        payload: A bytes-like object.

    Raises:
        ValueError: Not an Example with `shape` and `data` as described above.
    """
    features = example_features(payload)
    shape, data = features.get(b"shape", (0,)), features.get(b"data", (0,))
    if shape[0] != 3 or data[0] != 1:
        raise ValueError("the record has no 'shape' or no 'data'")
    sides = tuple(feature_integers(payload, shape))
    offset, end = feature_span(payload, data)
    if len(sides) != 3 or sides[0] * sides[1] * sides[2] != end - offset:
        raise ValueError(f"'shape' is {list(sides)} but 'data' has {end - offset} bytes")
    return sides, offset
