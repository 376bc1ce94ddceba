"""The rule from an image's size to a network's shape."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.shape import (
    NetworkShape,
    compact_size,
    image_shape,
    nearest_sizes,
    network_shape,
    parse_size,
    sides_of,
    size_text,
)


@pytest.mark.parametrize(
    "size, resolution, init_res",
    [  # sizes are width x height
        ("512", 512, (4, 4)),
        ("768x512", 512, (4, 6)),
        ("256x144", 64, (9, 16)),
        ("512x384", 512, (3, 4)),
        ("192", 256, (3, 3)),
        ("320", 256, (5, 5)),
        ("1024x128", 256, (2, 16)),
        ("1024x512", 512, (4, 8)),  # √2·512 is as near to 512 as to 1024: the smaller
        ("128x192", 128, (6, 4)),
        ("8", 8, (4, 4)),
        ("16384", 16384, (4, 4)),
    ],
)
def test_sizes_that_have_a_network(size, resolution, init_res):
    height, width = parse_size(size)
    shape = network_shape(height, width)
    assert shape == (resolution, init_res) and (shape.height, shape.width) == (height, width)


@pytest.mark.parametrize("power", range(3, 15))
def test_squares_of_a_power_of_two_begin_at_four_pixels(power):
    assert network_shape(2**power, 2**power) == (2**power, (4, 4))
    assert NetworkShape(2**power, (4, 4)).channel_factor == 1


@pytest.mark.parametrize("size, nearest", [
    ("1920x1080", "1920x1024"), ("600x800", "576x768"), ("300", "288x288"), ("1280x720", "1280x768"), ("4", "8x8"),
])  # fmt: skip
def test_other_sizes_are_refused_with_the_nearest_that_have_one(size, nearest):
    height, width = parse_size(size)
    with pytest.raises(UserError) as error:
        network_shape(height, width)
    assert "whole numbers from 2 to 16 times one power of two" in error.value.expected
    assert f"no network for images of {size_text(height, width)} pixels" in error.value.what
    assert nearest in error.value.expected and "--resolution" in error.value.next_step
    for other in nearest_sizes(height, width):
        network_shape(*other)


def test_no_nearer_size_exists_than_the_ones_named():
    import math

    valid = {}
    for resolution in (2**k for k in range(3, 12)):
        for h0 in range(2, 17):
            for w0 in range(2, 17):
                size = resolution * h0 // 4, resolution * w0 // 4
                if resolution * h0 % 4 == 0 and resolution * w0 % 4 == 0:
                    valid[size] = True
    for height, width in ((1080, 1920), (300, 300), (601, 333), (97, 1500)):

        def far(size, height=height, width=width):
            return abs(math.log(size[0] / height)) + abs(math.log(size[1] / width))

        reachable = [size for size in valid if _has_network(size)]
        assert far(nearest_sizes(height, width)[0]) == pytest.approx(min(map(far, reachable)))


def _has_network(size):
    try:
        network_shape(*size)
        return True
    except UserError:
        return False


@pytest.mark.parametrize("init_res, factor", [((4, 6), 1), ((9, 16), 4), ((16, 16), 4), ((2, 2), 1), ((8, 8), 2), ((5, 5), 1)])
def test_channels_are_those_of_the_square_of_the_nearest_area(init_res, factor):
    assert NetworkShape(64, init_res).channel_factor == factor


@pytest.mark.parametrize("text", ["", "x", "12x", "1x2x3", "-4", "0x8", "4.5", "9999999999"])
def test_texts_that_are_no_size(text):
    with pytest.raises(UserError, match="is not a size"):
        parse_size(text)


def test_squares_of_a_power_of_two_are_kept_as_a_number():
    assert compact_size(64, 64) == 64 and compact_size(64, 96) == (64, 96) and compact_size(192, 192) == (192, 192)
    assert sides_of(64) == (64, 64) and sides_of([64, 96]) == (64, 96)
    assert (
        image_shape(4) == (4, (4, 4))
        and image_shape((4, 6)) == (4, (4, 6))
        and image_shape((144, 256)) == (64, (9, 16))
        and image_shape(1024).height == 1024
    )
    assert image_shape((144, 256)).level(4) == (9, 16) and image_shape((144, 256)).level(64) == (144, 256)
    with pytest.raises(UserError, match="no network for images of 1x1"):
        image_shape(1)
