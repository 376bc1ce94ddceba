"""The smaller resolutions stored beside the full one: repeated 2x2 means, quantised only when written."""

import numpy as np

SMALLEST_PX = 4


def is_power_of_two(value):
    """Return whether an integer is 1, 2, 4, 8, ..."""
    return value >= 1 and value & (value - 1) == 0


def pyramid(images_nchw, smallest_px=SMALLEST_PX):
    """Yield the uint8 [N, C, r, r] levels of uint8 [N, C, R, R], from R down to 4 or to `smallest_px`.

    Each level is the float32 mean of 2x2 blocks of the unrounded level above it, rounded half to even where it is
    written, so that rounding errors do not add up. Down to a 256th of R all means are exact in float32.
    """
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
        means = (
            means[:, :, 0::2, 0::2] + means[:, :, 0::2, 1::2] + means[:, :, 1::2, 0::2] + means[:, :, 1::2, 1::2]
        ) * np.float32(0.25)
        yield np.rint(means).astype(np.uint8)


def resolutions(resolution, full_only=False):
    """Return the stored resolutions of a set, largest first."""
    if full_only:
        return [resolution]
    return [resolution >> level for level in range(resolution.bit_length()) if resolution >> level >= SMALLEST_PX]
