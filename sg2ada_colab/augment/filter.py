"""The image-space filter: each of four octave bands of each image amplified or damped."""

from typing import Dict

import numpy as np

from ..tf import tf
from .config import FILTER_PADDING_PX
from .fusion_barrier import fusion_barrier

# Orthogonal wavelet symlet-2 (Daubechies 1992), its low-pass decomposition filter.
SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
_BANDS = 4
_EXPECTED_POWER = np.array([10, 1, 1, 1], np.float32) / 13  # of natural images, whose spectra fall with frequency


def filter_bank() -> np.ndarray:
    """Return the bank float64 [4, 43]: band 0 is the lowest; the rows sum to a unit impulse."""
    highpass = SYM2 * (-1.0) ** np.arange(len(SYM2))
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = np.convolve(highpass, highpass[::-1]) / 2
    bank = np.eye(_BANDS, 1)
    for band in range(1, _BANDS):
        spread = np.zeros([_BANDS, 2 * bank.shape[1] - 1])
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in spread])
        centre = (bank.shape[1] - len(high)) // 2
        bank[band, centre : centre + len(high)] += high
    return bank


def apply_filter(images: tf.Tensor, parameters: Dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the images filtered along both axes, with the expected power of natural images kept.

    Args:
        images: float32 [N, H, W, C], H and W above 21, static shape.
        parameters: Result of `parameters.sample_transforms`; "imgfilter" [N, 4] is the factor for each band.
    """
    if "imgfilter" not in parameters:
        return images
    count, height, width = images.shape.as_list()[:3]
    gains = tf.ones([count, _BANDS])
    for band in range(_BANDS):
        only = np.eye(_BANDS, dtype=np.float32)[band]
        factors = parameters["imgfilter"][:, band : band + 1] * only + (1 - only)
        gains *= factors / tf.sqrt(tf.reduce_sum(_EXPECTED_POWER * factors**2, axis=1, keepdims=True))
    bank = filter_bank().astype(np.float32)
    taps = fusion_barrier(tf.reduce_sum(gains[:, :, tf.newaxis] * bank, axis=1))[:, :, tf.newaxis, tf.newaxis, tf.newaxis]

    pad = [FILTER_PADDING_PX] * 2
    count_taps = bank.shape[1]
    rows = tf.pad(images, [[0, 0], pad, [0, 0], [0, 0]], "REFLECT")
    images = tf.add_n([rows[:, k : k + height] * taps[:, k] for k in range(count_taps)])
    columns = tf.pad(images, [[0, 0], [0, 0], pad, [0, 0]], "REFLECT")
    return tf.add_n([columns[:, :, k : k + width] * taps[:, k] for k in range(count_taps)])
