"""Latent vectors: z from seeds as NVIDIA's programs draw them, and the arc between two of them; imports no TensorFlow."""

from typing import Iterable, Union

import numpy as np

NEARLY_PARALLEL = 1e-4  # sine of the angle below which an arc is a straight line


def seed_latents(seeds: Iterable[int], latent_size: int) -> np.ndarray:
    """Return z float32 [N, latent_size], one row a seed: the first draw of RandomState(seed)."""
    rows = [np.random.RandomState(seed).randn(latent_size) for seed in seeds]
    return np.array(rows, np.float32).reshape(len(rows), latent_size)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors [..., D] scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def slerp(a: np.ndarray, b: np.ndarray, t: Union[float, np.ndarray]) -> np.ndarray:
    """Return the spherical interpolation of vectors a and b [..., D]: the point on the arc about the origin at share t.

    Args:
        a, b: The ends; they are met exactly, so vectors of other lengths than 1 keep theirs at the ends (Shoemake 1985).
        t: Number, or array that broadcasts to [..., 1]; 0 is a, 1 is b.
    """
    cosine = np.sum(unit(a) * unit(b), axis=-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    straight = sine < NEARLY_PARALLEL
    sine = np.where(straight, 1.0, sine)
    share_a = np.where(straight, 1.0 - t, np.sin((1.0 - t) * angle) / sine)
    share_b = np.where(straight, t, np.sin(t * angle) / sine)
    return share_a * a + share_b * b
