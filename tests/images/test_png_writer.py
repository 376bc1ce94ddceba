"""PNG files that Pillow reads back, in colour, grey and with alpha, of any size."""

import io

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.images.png import examine
from sg2ada_colab.images.png_writer import HEADER_BYTES, png_bytes, png_texts


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("height, width", [(1, 1), (5, 1), (1, 7), (24, 16), (33, 70)])
def test_pillow_reads_the_same_pixels_and_texts(channels, mode, height, width):
    image = np.random.RandomState(height).randint(0, 256, [height, width, channels]).astype(np.uint8)
    content = png_bytes(image[::-1], {"a": "b", "maker": '{"seed": 3}'})
    assert examine(io.BytesIO(content), to_end=True).damage is None, "a checksum is wrong"
    with Image.open(io.BytesIO(content)) as opened:
        assert (opened.mode, opened.size, opened.info) == (mode, (width, height), {"a": "b", "maker": '{"seed": 3}'})
        np.testing.assert_array_equal(np.asarray(opened).reshape(image.shape), image[::-1])
    texts = png_texts({"a": "b", "maker": '{"seed": 3}'})
    assert content[HEADER_BYTES : HEADER_BYTES + len(texts)] == texts


def test_what_is_smooth_takes_less_than_with_pillow():
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    waves = np.stack([120 + 90 * np.sin(x / 17 + shift) * np.cos(y / 11) for shift in range(3)], axis=2)
    image = np.uint8(waves + np.random.RandomState(0).randn(128, 128, 3) * 3)
    with io.BytesIO() as stream:
        Image.fromarray(image).save(stream, "PNG", compress_level=1)
        assert len(png_bytes(image, {})) < len(stream.getvalue()) < image.size
