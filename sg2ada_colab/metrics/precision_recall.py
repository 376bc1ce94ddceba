"""Improved precision and recall (Kynkäänniemi et al. 2019, section 2): shares of points inside the other set's manifold."""

from typing import Tuple

import numpy as np

NEIGHBOURS = 3
BLOCK_ROWS, BLOCK_COLUMNS = 2000, 5000


def precision_and_recall(reals: np.ndarray, fakes: np.ndarray, neighbours: int = NEIGHBOURS) -> Tuple[float, float]:
    """Return (precision, recall) of features [N, D] and [M, D], more than `neighbours` of each.

    The manifold of a set is the union of balls around its points, each as wide as the distance to the point's k-th nearest other
    point; a point on the rim counts as inside. Distances are exact where the original rounds them to half precision, so values
    differ from its ones by up to about 0.02.
    """
    return _share_inside(fakes, reals, neighbours), _share_inside(reals, fakes, neighbours)


def _share_inside(points, manifold, neighbours):
    squared_radii = _squared_radii(manifold, neighbours)
    inside = np.zeros(len(points), bool)
    for rows, columns, block in _squared_distances(points, manifold):
        inside[rows] |= np.any(block <= squared_radii[columns], axis=1)
    return float(inside.mean())


def _squared_radii(points, neighbours):
    """Return the squared distance of each point to its k-th nearest other; the point itself is the nearest of all."""
    nearest = np.full([len(points), neighbours + 1], np.inf)
    for rows, _, block in _squared_distances(points, points):
        merged = np.concatenate([nearest[rows], block], axis=1)
        nearest[rows] = np.partition(merged, neighbours, axis=1)[:, : neighbours + 1]
    return nearest.max(axis=1)


def _squared_distances(points, others):
    """Yield (rows, columns, float64 squared distances) block by block, so that memory stays small for any number of points."""
    for start in range(0, len(points), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block = np.asarray(points[rows], np.float64)
        squared_rows = np.sum(block**2, axis=1)[:, None]
        for left in range(0, len(others), BLOCK_COLUMNS):
            columns = slice(left, left + BLOCK_COLUMNS)
            part = np.asarray(others[columns], np.float64)
            products = squared_rows - 2.0 * (block @ part.T) + np.sum(part**2, axis=1)
            yield rows, columns, np.maximum(products, 0.0)
