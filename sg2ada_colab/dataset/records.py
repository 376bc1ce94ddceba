"""The bytes of a TFRecords image file: framing, checksums, and the two orders in which a record's fields may stand.

A record is a length (uint64), its masked CRC, a payload, its masked CRC. The payload is a serialised `tf.train.Example` with
`shape` (three integers C, H, W) and `data` (raw uint8 pixels, CHW). Serialisers disagree about which comes first.
"""

import struct

import numpy as np

from .crc32c import crc32c_of, crc32c_rows, mask

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
    """Where everything stands in a record of one image size, for one order of the fields.

    Attributes:
        width: Of the images, in pixels.
        record_bytes: Length of a whole record with framing.
        pixel_offset: Where the pixels start in it.
        pixel_bytes: How many they are.
        head, tail: The constant bytes of the record before and after the pixels, without the last CRC.
    """

    def __init__(self, channels, height, width, shape_first=True):
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
        length_crc = mask(crc32c_rows(np.frombuffer(length, np.uint8)[None]))
        self.head = length + length_crc.astype("<u4").tobytes() + payload_head
        self.pixel_offset = len(self.head)
        self.record_bytes = FRAME_HEAD_BYTES + payload_bytes + FRAME_TAIL_BYTES

    def blank(self, count):
        """Return `count` records without pixels and checksum, as uint8 [count, record_bytes]."""
        records = np.empty((count, self.record_bytes), np.uint8)
        records[:, : self.pixel_offset] = np.frombuffer(self.head, np.uint8)
        records[:, self.pixel_offset + self.pixel_bytes : -FRAME_TAIL_BYTES] = np.frombuffer(self.tail, np.uint8)
        return records

    def pixels(self, records):
        """Return the place of the pixels in uint8 [N, record_bytes] records, as a view [N, C*H*W]."""
        return records[:, self.pixel_offset : self.pixel_offset + self.pixel_bytes]

    def is_sealed(self, records):
        """Return bool [N]: which of uint8 [N, record_bytes] records have this layout and the right checksums."""
        good = (records[:, : self.pixel_offset] == np.frombuffer(self.head, np.uint8)).all(1)
        return good & (payload_checksums([records])[0] == records[:, -FRAME_TAIL_BYTES:]).all(1)

    def encode(self, images_nchw):
        """Return the records of uint8 [N, C, H, W] images as uint8 [N, record_bytes]."""
        records = self.blank(len(images_nchw))
        self.pixels(records)[:] = images_nchw.reshape(len(images_nchw), -1)
        seal([records])
        return records


def payload_checksums(groups):
    """Return the masked CRCs of the payloads, each as uint8 [N, 4], of a list of uint8 [N, record_bytes] arrays of records."""
    crcs = crc32c_of([records[:, FRAME_HEAD_BYTES:-FRAME_TAIL_BYTES] for records in groups])
    return [mask(crc).astype("<u4").view(np.uint8).reshape(-1, 4) for crc in crcs]


def seal(groups):
    """Put the checksums into records whose pixels are set, for a list of uint8 [N, record_bytes] arrays."""
    for records, checksums in zip(groups, payload_checksums(groups)):
        records[:, -FRAME_TAIL_BYTES:] = checksums


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
        value, position = _read_varint(buffer, position)
        if key & 7 == 0:
            yield key >> 3, value, None
        elif key & 7 == 2:
            if position + value > end:
                raise ValueError("a field reaches past the end of its message")
            yield key >> 3, position, position + value
            position += value
        else:
            raise ValueError("unexpected wire type {}".format(key & 7))


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


def parse_payload(payload):
    """Return ((C, H, W), offset of the pixels) of a serialised Example.

    Args:
        payload: A bytes-like object, at least up to the end of the last field before the pixels when `shape` comes first.

    Raises:
        ValueError: Not an Example with `shape` and `data` as described above.
    """
    shape = offset = size = None
    try:
        for _, features_start, features_end in _fields(payload, 0, len(payload)):
            for _, entry_start, entry_end in _fields(payload, features_start, features_end):
                parts = {number: (first, last) for number, first, last in _fields(payload, entry_start, entry_end)}
                name = bytes(payload[slice(*parts[1])])
                kind, first, last = next(_fields(payload, *parts[2]))
                if name == b"shape" and kind == 3:
                    shape = tuple(_integers(payload, first, last))
                elif name == b"data" and kind == 1:
                    _, offset, data_end = next(_fields(payload, first, last))
                    size = data_end - offset
    except (IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise ValueError("not a serialised image example: {}".format(error or type(error).__name__)) from error
    if shape is None or offset is None:
        raise ValueError("the record has no 'shape' or no 'data'")
    if len(shape) != 3 or shape[0] * shape[1] * shape[2] != size:
        raise ValueError("'shape' is {} but 'data' has {} bytes".format(list(shape), size))
    return shape, offset
