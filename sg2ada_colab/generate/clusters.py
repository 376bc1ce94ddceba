"""Cluster centres of w, for truncation of varied datasets (Mokady et al. 2022, "Self-Distilled StyleGAN")."""

import numpy as np

SAMPLES, MOST_ROUNDS = 10000, 50


def cluster_centres(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the k-means centres float32 [count, D] of vectors [N, D].

    Begins with k-means++ (Arthur and Vassilvitskii 2007), then moves centres to the mean of their nearest until nothing changes.
    """
    vectors = np.asarray(vectors, np.float64)
    draws = np.random.RandomState(seed)
    centres = vectors[draws.randint(len(vectors))][np.newaxis]
    while len(centres) < count:
        squared = np.maximum(_squared_distances(vectors, centres).min(axis=1), 0.0)
        total = squared.sum()
        share = squared / total if total > 0 else np.full(len(vectors), 1.0 / len(vectors))
        centres = np.concatenate([centres, vectors[draws.choice(len(vectors), p=share)][np.newaxis]])
    nearest = None
    for _ in range(MOST_ROUNDS):
        before, nearest = nearest, _squared_distances(vectors, centres).argmin(axis=1)
        if before is not None and np.array_equal(before, nearest):
            break
        for number in np.unique(nearest):
            centres[number] = vectors[nearest == number].mean(axis=0)
    return centres.astype(np.float32)


def nearest_centres(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return for each of vectors [N, D] the nearest of centres [K, D]: [N, D]."""
    return centres[_squared_distances(np.asarray(vectors, np.float64), np.asarray(centres, np.float64)).argmin(axis=1)]


def _squared_distances(vectors, centres):
    """Return |v − c|² [N, K]."""
    return (vectors**2).sum(axis=1)[:, None] - 2.0 * vectors @ centres.T + (centres**2).sum(axis=1)[None]
