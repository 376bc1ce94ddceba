"""Greys of more than 8 bits -> 8 bits: which values become black and white."""

from typing import Tuple, Union

import numpy as np
from PIL import Image

OWN_RANGE = "own"  # stretch each image by itself, from its lowest value to its highest


def is_wide(mode: str) -> bool:
    """Return whether a Pillow mode holds greys of more than 8 bits."""
    return mode.startswith(("I", "F"))


def full_range(mode: str, highest: float) -> Tuple[float, float]:
    """Return the (black, white) that images of a mode are meant in, by the highest value of any.

    16 bits, however few of them are used; floats range from 0 to 1, or hold 8-bit or 16-bit values.
    """
    levels = (1.0, 255.0, 65535.0) if mode.startswith("F") else (65535.0,)
    return 0.0, next((level for level in levels if highest <= level), float(highest))


def to_8_bits(image: Image.Image, grey_range: Union[Tuple[float, float], str, None] = None) -> Image.Image:
    """Return a wide Pillow image as "L", with the lowest and highest of its values as `info["values"]`.

    Args:
        image: Of a mode that `is_wide`.
        grey_range: (value that becomes 0, value that becomes 255); None = the full range by this image alone; or OWN_RANGE.
    """
    values = np.asarray(image).astype(np.float64)
    if image.mode.startswith("F"):
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    lowest, highest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if isinstance(grey_range, str):  # OWN_RANGE
        grey_range = (lowest, highest)
    black, white = grey_range or full_range(image.mode, highest)
    scaled = (values - black) / (white - black) if white > black else np.zeros_like(values)
    grey = Image.fromarray(np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8))
    grey.info["values"] = (lowest, highest)
    return grey
