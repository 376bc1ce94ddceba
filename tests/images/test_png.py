import functools
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from sg2ada_colab.images.png import examine
from sg2ada_colab.images.read import UnreadableImage, read_header, read_image

PIXELS = np.add.outer(np.arange(24) * 5, np.arange(40) * 3)[..., None].astype(np.uint8).repeat(3, 2)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*before, after=(), **options):
    """Return the bytes of a PNG with chunks put before its pixels and after them."""
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG", **options)
    data = stream.getvalue()
    start = data.index(b"IDAT") - 4
    return data[:start] + b"".join(before) + data[start:-12] + b"".join(after) + data[-12:]


def pixels(data):
    return np.asarray(read_image(io.BytesIO(data)))


def reason(data):
    with pytest.raises(UnreadableImage) as caught:
        read_image(io.BytesIO(data))
    return str(caught.value)


def test_every_flip_of_one_bit_is_told():
    data = png(chunk(b"tEXt", b"Title\0flag"), after=[chunk(b"tEXt", b"Comment\0after the pixels")])
    assert (pixels(data) == PIXELS).all()
    unseen = []
    for bit in range(64, 8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            pixels(bytes(damaged))
        except UnreadableImage:
            continue
        unseen.append(bit)
    assert unseen == []


def test_what_is_damaged_is_named():
    data = png()
    start = data.index(b"IDAT") - 4
    damaged = bytearray(data)
    damaged[start + 30] ^= 1
    assert reason(bytes(damaged)) == f"the checksum of its IDAT chunk at byte {start} does not match"
    assert reason(data[: start + 30]) == f"truncated in its IDAT chunk at byte {start}"
    assert reason(data[:-12]) == "truncated before its last chunk"
    assert (pixels(data + b"what follows the last chunk does no harm") == PIXELS).all()


LARGE_TEXTS = {  # by a name: kind, what stands before the text, and its size; a packed text takes a second, so each is made once
    "zTXt": (b"zTXt", b"workflow\0\0", 3 << 20),
    "iTXt": (b"iTXt", b"workflow\0\1\0\0\0", 3 << 20),
    "tEXt": (b"tEXt", b"workflow\0", 17 << 20),
    "a bomb": (b"zTXt", b"workflow\0\0", 1 << 28),
}


@functools.lru_cache(maxsize=None)
def large_text(name):
    kind, begin, size = LARGE_TEXTS[name]
    text = b"a" * size
    return chunk(kind, begin + (text if kind == b"tEXt" else zlib.compress(text)))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", LARGE_TEXTS)
def test_large_texts_cost_no_image(name, place):
    text = large_text(name)
    data = png(text) if place == "before" else png(after=[text])
    assert read_header(io.BytesIO(data)).width == 40
    assert (pixels(data) == PIXELS).all()


def test_small_texts_stay():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>', zip=True)
    data = png(large_text("zTXt"), pnginfo=info)
    assert pixels(data).shape == (40, 24, 3)  # turned, as the small text says


def test_a_large_profile_is_applied():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for size, notes in ((2 << 20, ("colour profile",)), (1 << 25, ())):
        packed = zlib.compress(profile + bytes(size - len(profile)))
        data = png(chunk(b"iCCP", b"icc\0\0" + packed))
        assert read_header(io.BytesIO(data)).notes == notes
        assert (pixels(data) == PIXELS).all()


def test_only_what_stands_before_the_pixels_is_read_for_a_header():
    data = png()
    file = io.BytesIO(data[: data.index(b"IDAT") + 4])
    assert examine(file, to_end=False).damage is None and file.tell() == 0
    assert examine(file, to_end=True).damage == f"truncated in its IDAT chunk at byte {data.index(b'IDAT') - 4}"
