"""Kernel Inception distance (Binkowski et al. 2018, section 4): an unbiased estimate of the squared MMD over random subsets."""

from typing import Tuple

import numpy as np

NUM_SUBSETS = 100
MAX_SUBSET_SIZE = 1000
BLOCK_ROWS = 1024


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
    x, y = np.asarray(fakes, np.float64), np.asarray(reals, np.float64)
    all_pairs, drawn_pairs = len(x) ** 2 + len(y) ** 2 + len(x) * len(y), 3 * fake_index.size * fake_index.shape[1]
    estimates = _from_all_pairs if all_pairs <= drawn_pairs else _from_drawn_pairs
    return float(np.mean(estimates(x, y, fake_index, real_index)))


def _from_drawn_pairs(x, y, x_index, y_index):
    """Return the estimate of each subset, from the kernels of its own pairs."""
    return [_squared_mmd(x[one], y[other]) for one, other in zip(x_index, y_index)]


def _squared_mmd(x, y):
    size = len(x)
    within = _kernel(x, x) + _kernel(y, y)
    return (within.sum() - np.trace(within)) / (size * (size - 1)) - 2.0 * _kernel(x, y).mean()


def _from_all_pairs(x, y, x_index, y_index):
    """Return the estimate of each subset, from the kernel of each pair, computed once: with few images subsets share most."""
    in_x, in_y, size = _chosen(x_index, len(x)), _chosen(y_index, len(y)), x_index.shape[1]
    within = sum(_sums(one, one, chosen, chosen) - chosen @ _kernel_with_itself(one) for one, chosen in ((x, in_x), (y, in_y)))
    return within / (size * (size - 1)) - 2.0 * _sums(x, y, in_x, in_y) / size**2


def _chosen(index, count):
    """Return float64 [subsets, count], 1 where a subset has an image, from its images' numbers [subsets, m]."""
    chosen = np.zeros([len(index), count])
    np.put_along_axis(chosen, index, 1.0, axis=1)
    return chosen


def _sums(x, y, in_x, in_y):
    """Return the sum of the kernel over the pairs of each subset [subsets], a block of rows at a time."""
    total = np.zeros(len(in_x))
    for start in range(0, len(x), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        total += np.sum((in_x[:, part] @ _kernel(x[part], y)) * in_y, axis=1)
    return total


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _kernel_with_itself(x):
    return (np.sum(x * x, axis=1) / x.shape[1] + 1.0) ** 3
