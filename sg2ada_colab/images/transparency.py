"""Images with transparency: which colours invisible pixels hold, resizing without colour fringes, and showing over a background.

Alpha is straight: a pixel's colour does not depend on how opaque it is. Whatever takes means of pixels works on premultiplied
colour, colour x alpha, and divides by the mean alpha afterwards (Porter and Duff 1984), so invisible pixels add no colour.
"""

from typing import Any, Tuple

import numpy as np
from PIL import Image

ALPHA_MODES = ("flatten", "keep")
CHECKER_PX = 8  # side of a square of the checkerboard
CHECKER_GREYS = (204, 153)
FAINTEST = 3  # of 255: alpha below which a resized pixel has no colour of its own
NO_COLOUR = 128  # where a whole image is invisible


def filled(pixels: np.ndarray, faintest: int = 1) -> np.ndarray:
    """Return uint8 [H, W, 4] with the colours of invisible pixels replaced by those of the visible ones around them.

    What files hold under zero alpha is rubbish that nobody has seen, and a network would learn it. Black would not be seen
    either, but draws an edge around every shape, which the network has to learn, too, and which filters and moves in the
    augmentation mix into visible pixels. A continuation of the visible colours does neither. It is made of means over ever larger
    blocks, weighted by alpha; an image without a visible pixel becomes grey.

    Args:
        pixels: uint8 [H, W, 4].
        faintest: Alpha from which on a pixel keeps its own colour, 1 to 255.
    """
    visible = pixels[:, :, 3] >= faintest
    if visible.all():
        return pixels
    result = pixels.copy()
    if not visible.any():
        result[:, :, :3] = NO_COLOUR
        return result
    weight = np.where(visible[:, :, None], pixels[:, :, 3:].astype(np.float32) / 255, 0)
    result[~visible, :3] = np.clip(np.rint(_continued(pixels[:, :, :3] * weight, weight)), 0, 255).astype(np.uint8)[~visible]
    return result


def _continued(premultiplied, weight):
    """Return colours, float32 [H, W, 3]: a pixel's own where its weight [H, W, 1] is above 0, else those of the blocks around."""
    known = weight > 0
    own = premultiplied / np.where(known, weight, 1)
    if known.all():
        return own
    height, width = weight.shape[:2]
    around = _continued(_halved(premultiplied), _halved(weight))
    planes = [Image.fromarray(np.ascontiguousarray(around[:, :, i])) for i in range(3)]
    larger = [np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    return np.where(known, own, np.stack(larger, axis=2))


def _halved(values):
    """Return the sums over blocks of 2 x 2; beyond the last row and column of odd sides there is nothing."""
    height, width = values.shape[:2]
    padded = np.pad(values, [(0, height % 2), (0, width % 2), (0, 0)], mode="constant")
    return padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]


def resized(image: Image.Image, size: Tuple[int, int], resample: Any) -> Image.Image:
    """Return an "RGBA" Pillow image in another (width, height), by a filter of Pillow over premultiplied colour in float32.

    Pillow does so in 8 bits, which leaves faint pixels few colours to choose from. Pixels fainter than FAINTEST take the colours
    around them: theirs would be what a filter with negative weights leaves of rounding.
    """
    pixels = np.asarray(image).astype(np.float32)
    pixels[:, :, :3] *= pixels[:, :, 3:] / 255
    planes = [Image.fromarray(np.ascontiguousarray(pixels[:, :, i])).resize(size, resample) for i in range(4)]
    straight = from_premultiplied(np.stack([np.asarray(plane) for plane in planes], axis=2))
    return Image.fromarray(filled(straight, FAINTEST))


def from_premultiplied(values: np.ndarray) -> np.ndarray:
    """Return float [H, W, 4], colours already times alpha / 255, all 0 to 255, as uint8 of straight alpha."""
    alpha = np.clip(values[:, :, 3:], 0, 255)
    colours = values[:, :, :3] / np.where(alpha > 0, alpha / 255, 1)
    return np.rint(np.clip(np.concatenate([colours, alpha], axis=2), 0, 255)).astype(np.uint8)


def over(pixels: np.ndarray, background: Any) -> np.ndarray:
    """Return uint8 [..., 3] of uint8 [..., 4] pixels over a background of three numbers 0 to 255 a pixel, or for all of them."""
    alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
    seen = pixels[..., :3] * alpha + np.asarray(background, np.float32) * (1 - alpha)
    return np.rint(seen).astype(np.uint8)


def checkerboard(height: int, width: int, square_px: int = CHECKER_PX) -> np.ndarray:
    """Return a board of two light greys, uint8 [height, width, 3], that shows where an image over it is transparent."""
    dark = (np.arange(height)[:, None] // square_px + np.arange(width)[None] // square_px) % 2
    return np.repeat(np.asarray(CHECKER_GREYS, np.uint8)[dark][:, :, None], 3, axis=2)


def over_checkerboard(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 [..., H, W, C] for display: four channels become three over a checkerboard, others stay as they are."""
    if pixels.shape[-1] != 4:
        return pixels
    height, width = pixels.shape[-3:-1]
    return over(pixels, checkerboard(height, width, max(2, min(CHECKER_PX, min(height, width) // 8))))


def shown_opaque(image: Image.Image) -> Image.Image:
    """Return a Pillow image as "RGB", an "RGBA" one over a checkerboard."""
    return Image.fromarray(over_checkerboard(np.asarray(image))) if image.mode == "RGBA" else image.convert("RGB")
