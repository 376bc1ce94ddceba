"""Inception score (Salimans et al. 2016, section 4): exp of the mean divergence of class probabilities from their average."""

from typing import Tuple

import numpy as np


def inception_score(probabilities: np.ndarray, num_splits: int = 10) -> Tuple[float, float]:
    """Return (mean, standard deviation) of the score over `num_splits` consecutive parts of probabilities [N, classes]."""
    probabilities = np.asarray(probabilities, np.float64)
    count = len(probabilities)
    bounds = [split * count // num_splits for split in range(num_splits + 1)]
    scores = [_score(probabilities[low:high]) for low, high in zip(bounds, bounds[1:])]
    return float(np.mean(scores)), float(np.std(scores))


def _score(part):
    marginal = part.mean(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(part > 0, part * (np.log(part) - np.log(marginal)), 0.0)  # 0 log 0 = 0
    return np.exp(divergence.sum(axis=1).mean())
