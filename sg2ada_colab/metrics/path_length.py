"""Perceptual path length (Karras et al. 2019, section 4.1): how far images move when the latent moves by a little."""

import numpy as np

EPSILON = 1e-4  # step along the path; distances are divided by its square


def slerp(a, b, t):
    """Return the spherical interpolation of rows a and b [N, D] at t [N, 1]: both ends normalised, and so is the result."""
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    angle = t * np.arccos(np.clip(np.sum(a * b, axis=-1, keepdims=True), -1.0, 1.0))
    across = b - np.sum(a * b, axis=-1, keepdims=True) * a
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-30)
    result = a * np.cos(angle) + across * np.sin(angle)
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


def trimmed_mean(distances):
    """Return (mean, low, high, kept) of distances [N] without those below the 1st or above the 99th percentile.

    The percentiles are values that occur (the lower and the higher neighbour), and both stay in.
    """
    ordered = np.sort(np.asarray(distances).reshape(-1))
    low = ordered[int(np.floor(0.01 * (len(ordered) - 1)))]
    high = ordered[int(np.ceil(0.99 * (len(ordered) - 1)))]
    kept = ordered[(ordered >= low) & (ordered <= high)]
    return float(kept.astype(np.float64).mean()), low, high, len(kept)
