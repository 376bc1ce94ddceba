"""The diversity of fakes compared with that of the reals."""

import numpy as np

from sg2ada_colab.metrics.diversity import collapse_warning, diversity_ratio
from sg2ada_colab.metrics.feature_store import GatheredMoments, GatheredRows


def gathered(kind, scale, shift=0.0):
    rows = (np.random.RandomState(3).randn(1100, 6) * scale + shift).astype(np.float32)
    item = kind(6)
    for start in range(0, len(rows), 32):
        item.add(rows[start : start + 32])
    return item


def test_the_ratio_is_that_of_the_variances_however_gathered():
    for kind in (GatheredRows, GatheredMoments):
        assert abs(diversity_ratio(gathered(GatheredRows, 2.0), gathered(kind, 1.0, 5.0)) - 0.25) < 1e-5


def test_sums_and_rows_give_the_same_statistics():
    rows, moments = gathered(GatheredRows, 1.0), gathered(GatheredMoments, 1.0)
    np.testing.assert_array_equal(rows.statistics(True).covariance, moments.statistics(True).covariance)
    np.testing.assert_allclose(rows.statistics(True).covariance, np.cov(rows.rows(), rowvar=False), atol=1e-6)


def test_warnings_grow_with_the_collapse():
    assert collapse_warning(0.8) is None
    assert "how a collapse begins" in collapse_warning(0.2) and "(variance of the features 20% of" in collapse_warning(0.2)
    assert "has collapsed" in collapse_warning(0.01)
