"""The sizes that images of datasets and networks can have: 2^n times a small rectangle; imports no TensorFlow.

An image of H×W pixels belongs to a network of nominal resolution R, a power of two, whose synthesis begins with a constant of
[h0, w0] pixels: H = R·h0/4 and W = R·w0/4. A square of a power of two begins at [4, 4]. A block that the pickle calls r×r works
on [r·h0/4, r·w0/4] pixels.
"""

import math
from typing import List, NamedTuple, Optional, Tuple, Union

from .errors import UserError

SMALLEST_RESOLUTION, LARGEST_RESOLUTION = 8, 16384  # nominal
SMALLEST_SIDE, LARGEST_SIDE = 2, 16  # of [h0, w0], px
SIZES_NAMED = 3  # in a message


Size = Union[int, Tuple[int, int]]  # of images: the side of a square, or (height, width), px


class NetworkShape(NamedTuple):
    """What a network for images of one size is built with."""

    resolution: int  # R, a power of two
    init_res: Tuple[int, int]  # [h0, w0] px, height first

    @property
    def height(self) -> int:
        return self.resolution * self.init_res[0] // 4

    @property
    def width(self) -> int:
        return self.resolution * self.init_res[1] // 4

    def level(self, block: int) -> Tuple[int, int]:
        """Return (height, width) at a nominal resolution: of the images in that block, and of that level of a dataset."""
        return block * self.init_res[0] // 4, block * self.init_res[1] // 4

    @property
    def channel_factor(self) -> int:
        """The power of two nearest to √(h0·w0)/4: by so much the square of the nearest area exceeds the nominal resolution.

        A layer of ours has the channels of that square. Channels follow the nominal resolution, so `fmap_base` is divided by it.
        """
        return 2 ** max(_nearest_log2(self.init_res[0] * self.init_res[1]) - 2, 0)


def network_shape(height: int, width: int) -> NetworkShape:
    """Return the shape of a network for images of height×width pixels.

    R is the power of two nearest to √(height·width), the smaller one where two are as near, or the next smaller ones, until h0
    and w0 are whole numbers from 2 to 16.

    Raises:
        UserError: There is none; the message names the nearest sizes that have one.
    """
    shape = _find(height, width)
    if shape is None:
        nearest = ", ".join(size_text(*size) for size in nearest_sizes(height, width))
        raise UserError(
            f"There is no network for images of {size_text(height, width)} pixels (width x height).",
            f"sides that are whole numbers from 2 to 16 times one power of two: the nearest are {nearest}",
            f"choose one of these, such as --resolution {nearest.split(',')[0]}",
        )
    return shape


def _nearest_log2(area: int) -> int:
    """Return the k for which 2^k is nearest to √area by ratio; the smaller one where two are as near."""
    k = 0
    while area > 2 ** (2 * k + 1):
        k += 1
    return k


def _find(height: int, width: int, smallest: int = SMALLEST_RESOLUTION) -> Optional[NetworkShape]:
    if min(height, width) < 1:
        return None
    resolution = min(2 ** _nearest_log2(height * width), LARGEST_RESOLUTION)
    while resolution >= smallest:
        sides = 4 * height / resolution, 4 * width / resolution
        if all(side == int(side) and SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides):
            return NetworkShape(resolution, (int(sides[0]), int(sides[1])))
        resolution //= 2
    return None


def nearest_sizes(height: int, width: int, count: int = SIZES_NAMED) -> List[Tuple[int, int]]:
    """Return the sizes (height, width) nearest to one by ratio that a network can have, the nearest first."""
    height, width = (min(max(side, SMALLEST_SIDE), 4 * LARGEST_RESOLUTION) for side in (height, width))
    middle, found = _nearest_log2(height * width), {}
    for resolution in (2**k for k in range(max(middle - 5, 3), max(middle + 2, 4))):
        if resolution > LARGEST_RESOLUTION:
            continue
        sides = [_around(4 * side / resolution) for side in (height, width)]
        for h0 in sides[0]:
            for w0 in sides[1]:
                size = resolution * h0 // 4, resolution * w0 // 4
                if _find(*size):
                    found[size] = abs(math.log(size[0] / height)) + abs(math.log(size[1] / width))
    smallest = (SMALLEST_RESOLUTION, SMALLEST_RESOLUTION)
    return sorted(found, key=lambda size: (found[size], size))[:count] or [smallest]


def _around(side: float) -> List[int]:
    """Return the whole numbers below and above a side of [h0, w0], within its bounds."""
    return sorted({min(max(whole, SMALLEST_SIDE), LARGEST_SIDE) for whole in (math.floor(side), math.ceil(side))})


def size_text(height: int, width: int) -> str:
    """Return a size as users write it, width first: 768x512."""
    return f"{width}x{height}"


def parse_size(text: str) -> Tuple[int, int]:
    """Return (height, width) of a text such as 768x512, width first, or 512 for a square.

    Raises:
        UserError: It is something else.
    """
    sides = str(text).strip().lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdigit() and 0 < int(side) <= 1 << 20 for side in sides):
        raise UserError(
            f"{text!r} is not a size.", "one side in pixels, or width x height", "write 512, or 768x512 for a wide picture"
        )
    return int(sides[-1]), int(sides[0])


def sides_of(size: Size) -> Tuple[int, int]:
    """Return (height, width) of a size."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def compact_size(height: int, width: int) -> Size:
    """Return a size as it is kept: a number for squares of a power of two, (height, width) for all others."""
    return height if height == width and height & (height - 1) == 0 else (height, width)


def image_shape(size: Size) -> NetworkShape:
    """Return the NetworkShape of a dataset's images, which go down to a nominal resolution of 4; raises as `network_shape`."""
    height, width = sides_of(size)
    return _find(height, width, smallest=4) or network_shape(height, width)


def size_words(size: Size) -> str:
    """Return a size in words: 512, or 768x512 (width x height)."""
    return str(size) if isinstance(size, int) else size_text(*sides_of(size))
