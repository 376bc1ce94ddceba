import struct

import numpy as np
import pytest

from sg2ada_colab.dataset.records import RecordLayout, masked_crc, masked_crcs, parse_payload


@pytest.mark.parametrize("size", [(3, 32, 32), (1, 4, 4), (3, 256, 256), (1, 1024, 1024), (3, 128, 64)])
@pytest.mark.parametrize("shape_first", [True, False])
def test_a_record_parses_back(size, shape_first):
    image = np.random.RandomState(1).randint(0, 256, (1,) + size).astype(np.uint8)
    layout = RecordLayout(*size, shape_first=shape_first)
    record = layout.encode(image)[0]
    assert len(record) == layout.record_bytes
    assert struct.unpack("<Q", record[:8].tobytes())[0] == layout.record_bytes - 16
    shape, offset = parse_payload(record[12:-4].tobytes())
    assert shape == size
    assert offset + 12 == layout.pixel_offset
    assert record[layout.pixel_offset :][: image.size].tobytes() == image.tobytes()


def test_first_bytes_equal_the_reference(facts, reference):
    for entry, name in (("from_images_rgb_shuffle0", "ds_rgb_s0-r03"), ("from_images_gray_shuffle0", "ds_gray_s0-r04")):
        head = bytes.fromhex(facts[entry]["largest_file_first200_hex_shape_first"])
        side = 32 if "rgb" in entry else 16
        layout = RecordLayout(3 if "rgb" in entry else 1, side, side)
        assert head.startswith(layout.head), name


def test_unpacked_integers_are_understood():
    # Some writers store each integer of `shape` with its own key.
    pixels = bytes(range(12))
    int64_list = b"\x08\x03\x08\x02\x08\x02"
    shape = b"\x0a\x05shape\x12" + bytes([len(int64_list) + 2]) + b"\x1a" + bytes([len(int64_list)]) + int64_list
    bytes_list = b"\x0a\x0c" + pixels
    data = b"\x0a\x04data\x12" + bytes([len(bytes_list) + 2]) + b"\x0a" + bytes([len(bytes_list)]) + bytes_list
    features = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in (shape, data))
    payload = b"\x0a" + bytes([len(features)]) + features
    size, offset = parse_payload(payload)
    assert size == (3, 2, 2)
    assert payload[offset : offset + 12] == pixels


@pytest.mark.parametrize("payload", [b"", b"\x0a", b"\x0a\x05hello", b"\x08\x01", b"\xff" * 20, b"\x0a\x04\x0a\x02\x0a\x00"])
def test_other_bytes_are_refused(payload):
    with pytest.raises(ValueError):
        parse_payload(payload)


def bitwise_crc32c(data):
    """The definition, bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 * (state & 1))
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize("data", [b"", b"\0", b"123456789", bytes(range(256)) * 3])
def test_a_checksum_is_crc_32c_rotated_plus_a_constant(data):
    crc = bitwise_crc32c(data)
    assert data != b"123456789" or crc == 0xE3069283  # the standard's check value
    assert masked_crc(data) == struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def test_checksums_of_rows_are_those_of_each_row():
    rows = np.random.RandomState(0).randint(0, 256, (5, 103)).astype(np.uint8)
    assert [bytes(crc) for crc in masked_crcs(rows[:, 3:-5])] == [masked_crc(row[3:-5].tobytes()) for row in rows]
    assert masked_crcs(rows[:0]).shape == (0, 4)
