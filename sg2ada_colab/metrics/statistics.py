"""Mean and covariance of features, gathered chunk by chunk in float64."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FeatureStatistics:
    """Mean and covariance of `count` feature vectors of D numbers."""

    mean: np.ndarray  # float64 [D]
    covariance: np.ndarray  # float64 [D, D]
    count: int


class Moments:
    """Running sums of vectors and of their outer products; the original calls the results mu and sigma."""

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.total = np.zeros([dimensions], np.float64)
        self.outer = np.zeros([dimensions, dimensions], np.float64)

    def add(self, features: np.ndarray) -> None:
        """Add features [n, D]."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self.total += features.sum(axis=0)
        self.outer += features.T @ features

    def statistics(self, unbiased: bool) -> FeatureStatistics:
        """Return FeatureStatistics with the covariance divided by N - 1 (unbiased, as for fakes) or N (as for reals)."""
        mean = self.total / self.count
        covariance = self.outer / self.count - np.outer(mean, mean)
        if unbiased:
            covariance *= self.count / (self.count - 1)
        return FeatureStatistics(mean, covariance, self.count)
