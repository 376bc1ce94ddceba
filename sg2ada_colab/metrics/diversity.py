"""How much the fakes differ from each other, compared with the reals: shows a generator that has collapsed."""

from typing import Any, Optional

import numpy as np

COLLAPSED_BELOW, NARROW_BELOW = 0.1, 0.35  # of the reals' variance; a healthy generator reaches 0.7 and more


def total_variance(gathered: Any) -> float:
    """Return the mean squared distance of vectors [N, D] from their mean, of gathered moments or rows."""
    if hasattr(gathered, "rows"):
        return float(np.var(gathered.rows().astype(np.float64), axis=0).sum())
    return float(np.trace(gathered.statistics(unbiased=False).covariance))


def diversity_ratio(reals: Any, fakes: Any) -> float:
    """Return the variance of the fakes' features divided by that of the reals': 1 is as diverse, 0 is one image repeated."""
    return total_variance(fakes) / max(total_variance(reals), 1e-30)


def collapse_warning(ratio: float) -> Optional[str]:
    """Return a sentence for a diversity_ratio that is too small, else None."""
    if ratio >= NARROW_BELOW:
        return None
    if ratio < COLLAPSED_BELOW:
        kind = "the fakes are nearly all alike: the generator has collapsed, or is not trained yet"
    else:
        kind = "the fakes differ much less than the reals: usual early in training, later it is how a collapse begins"
    return f"{kind} (variance of the features {ratio:.0%} of the reals')"
