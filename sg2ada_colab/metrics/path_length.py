"""Perceptual path length (Karras et al. 2019, section 4.1): how far images move when the latent moves by a little."""

from typing import Tuple

import numpy as np

EPSILON = 1e-4  # step along the path; distances are divided by its square


def trimmed_mean(distances: np.ndarray) -> Tuple[float, float, float, int]:
    """Return (mean, low, high, kept) of distances [N] without those below the 1st or above the 99th percentile.

    The percentiles are values that occur (the lower and the higher neighbour), and both stay in.
    """
    ordered = np.sort(np.asarray(distances).reshape(-1))
    low = ordered[int(np.floor(0.01 * (len(ordered) - 1)))]
    high = ordered[int(np.ceil(0.99 * (len(ordered) - 1)))]
    kept = ordered[(ordered >= low) & (ordered <= high)]
    return float(kept.astype(np.float64).mean()), low, high, len(kept)
