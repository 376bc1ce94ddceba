"""Do the fakes differ from each other as the reals do? A collapsed generator shows here before anybody looks."""

import numpy as np

COLLAPSED_BELOW, NARROW_BELOW = 0.1, 0.35  # shares of the reals' spread; a healthy generator has 0.7 and more


def total_variance(gathered):
    """Return the mean squared distance of vectors from their mean, of gathered moments or rows."""
    if hasattr(gathered, "rows"):
        return float(np.var(gathered.rows().astype(np.float64), axis=0).sum())
    return float(np.trace(gathered.statistics(unbiased=False).covariance))


def spread_ratio(reals, fakes):
    """Return the variance of the fakes' features as a share of the reals'; 1 is as varied, 0 is one image over and over."""
    return total_variance(fakes) / max(total_variance(reals), 1e-30)


def collapse_warning(ratio):
    """Return a sentence for a spread_ratio that is too small, else None."""
    if ratio >= NARROW_BELOW:
        return None
    if ratio < COLLAPSED_BELOW:
        kind = "the fakes are nearly all alike: the generator has collapsed, or is not trained yet"
    else:
        kind = "the fakes differ much less than the reals: usual early in training, later it is how a collapse begins"
    return "{} (spread of the features {:.0%} of the reals')".format(kind, ratio)
