"""Mean and covariance of features, gathered chunk by chunk in float64."""

import collections

import numpy as np

# mean float64 [D]; covariance float64 [D, D]; count: vectors they were gathered from
FeatureStatistics = collections.namedtuple("FeatureStatistics", ["mean", "covariance", "count"])


class Moments:
    """Running sums of vectors and of their outer products; the original calls the results mu and sigma."""

    def __init__(self, dimensions):
        self.count = 0
        self.total = np.zeros([dimensions], np.float64)
        self.outer = np.zeros([dimensions, dimensions], np.float64)

    def add(self, features):
        """Add features [n, D]."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self.total += features.sum(axis=0)
        self.outer += features.T @ features

    def statistics(self, unbiased):
        """Return FeatureStatistics with the covariance divided by N - 1 (unbiased, as for fakes) or N (as for reals)."""
        mean = self.total / self.count
        covariance = self.outer / self.count - np.outer(mean, mean)
        if unbiased:
            covariance *= self.count / (self.count - 1)
        return FeatureStatistics(mean, covariance, self.count)


def statistics_of(features, unbiased):
    """Return the FeatureStatistics of features [N, D] held in memory."""
    moments = Moments(np.shape(features)[1])
    moments.add(features)
    return moments.statistics(unbiased)
