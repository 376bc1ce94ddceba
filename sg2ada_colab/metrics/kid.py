"""Kernel Inception distance (Binkowski et al. 2018, section 4): an unbiased estimate of the squared MMD over random subsets."""

from typing import Tuple

import numpy as np

NUM_SUBSETS = 100
MAX_SUBSET_SIZE = 1000


def subset_indices(
    num_reals: int,
    num_fakes: int,
    random_state: np.random.RandomState,
    num_subsets: int = NUM_SUBSETS,
    max_subset_size: int = MAX_SUBSET_SIZE,
) -> Tuple[np.ndarray, np.ndarray]:
    """Return (fake_index, real_index), int [num_subsets, m], m = min of the three sizes.

    Drawn without replacement inside a subset, for each subset first the fakes, then the reals: the original's order.
    """
    size = min(num_reals, num_fakes, max_subset_size)
    pairs = [
        (random_state.choice(num_fakes, size, replace=False), random_state.choice(num_reals, size, replace=False))
        for _ in range(num_subsets)
    ]
    return np.stack([fake for fake, _ in pairs]), np.stack([real for _, real in pairs])


def kernel_distance(
    reals: np.ndarray,
    fakes: np.ndarray,
    random_state: np.random.RandomState,
    num_subsets: int = NUM_SUBSETS,
    max_subset_size: int = MAX_SUBSET_SIZE,
) -> float:
    """Return the mean over subsets of the unbiased MMD^2 with the kernel (x.y / D + 1)^3.

    Args:
        reals, fakes: Features [N, D] and [M, D], at least two of each.
        random_state: NumPy RandomState that draws the subsets.
    """
    fake_index, real_index = subset_indices(len(reals), len(fakes), random_state, num_subsets, max_subset_size)
    estimates = [_squared_mmd(fakes[fake], reals[real]) for fake, real in zip(fake_index, real_index)]
    return float(np.mean(estimates))


def _squared_mmd(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    size = len(x)
    within = _kernel(x, x) + _kernel(y, y)
    return (within.sum() - np.trace(within)) / (size * (size - 1)) - 2.0 * _kernel(x, y).mean()


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1.0) ** 3
