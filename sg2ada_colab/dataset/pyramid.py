"""The smaller resolutions stored beside the full one: repeated 2x2 means, quantised only when written."""

from collections import OrderedDict
from typing import Dict, Iterator, List, Tuple

import numpy as np

from ..shape import Size, image_shape

SMALLEST_PX = 4


def is_power_of_two(value: int) -> bool:
    """Return whether an integer is 1, 2, 4, 8, ..."""
    return value >= 1 and value & (value - 1) == 0


def pyramid(images_nchw: np.ndarray, smallest_px: int = SMALLEST_PX) -> Iterator[np.ndarray]:
    """Yield the uint8 [N, C, h, w] levels of uint8 [N, C, H, W], each half of the last, down to `smallest_px` in width.

    Each level is the float32 mean of 2x2 blocks of the unrounded level above it, rounded half to even where it is
    written, so that rounding errors do not add up. Down to a 256th of R all means are exact in float32.

    Of four channels, RGBA, each colour is the mean weighted by alpha, so that invisible pixels bring no colour fringe.
    """
    if images_nchw.shape[1] == 4:
        yield from _pyramid_with_alpha(images_nchw, smallest_px)
        return
    yield images_nchw
    if images_nchw.shape[-1] <= smallest_px:
        return
    blocks = images_nchw.astype(np.uint16)  # sums of four pixels are exact integers here, and faster than floats
    means = (blocks[:, :, 0::2, 0::2] + blocks[:, :, 0::2, 1::2] + blocks[:, :, 1::2, 0::2] + blocks[:, :, 1::2, 1::2]).astype(
        np.float32
    )
    means *= np.float32(0.25)
    yield np.rint(means).astype(np.uint8)
    while means.shape[-1] > smallest_px:
        means = _block_means(means)
        yield np.rint(means).astype(np.uint8)


def _pyramid_with_alpha(images, smallest_px):
    """Yield the levels of uint8 [N, 4, H, W]; where nothing is visible in a block, its colour is the mean of what it holds."""
    yield images
    colours, alpha = images[:, :3].astype(np.float32), images[:, 3:].astype(np.float32)
    premultiplied = colours * alpha
    while alpha.shape[-1] > smallest_px:
        colours, alpha, premultiplied = (_block_means(values) for values in (colours, alpha, premultiplied))
        straight = np.where(alpha > 0, premultiplied / np.where(alpha > 0, alpha, 1), colours)
        yield np.rint(np.concatenate([straight, alpha], axis=1)).astype(np.uint8)


def _block_means(values):
    return (
        values[:, :, 0::2, 0::2] + values[:, :, 0::2, 1::2] + values[:, :, 1::2, 0::2] + values[:, :, 1::2, 1::2]
    ) * np.float32(0.25)


def resolutions(size: Size, full_only: bool = False) -> List[int]:
    """Return the stored resolutions of a set, largest first: nominal ones, powers of two, for sides that are none."""
    resolution = image_shape(size).resolution
    if full_only:
        return [resolution]
    return [resolution >> level for level in range(resolution.bit_length()) if resolution >> level >= SMALLEST_PX]


def level_sizes(size: Size, full_only: bool = False) -> Dict[int, Tuple[int, int]]:
    """Return {resolution: (height, width)} of the stored levels, largest first."""
    shape = image_shape(size)
    return OrderedDict((resolution, shape.level(resolution)) for resolution in resolutions(size, full_only))
