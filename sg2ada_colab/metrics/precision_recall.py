"""Improved precision and recall (Kynkäänniemi et al. 2019, section 2): shares of points inside the other set's manifold."""
import numpy as np

NEIGHBOURS = 3
BLOCK_ROWS = 2000


def precision_and_recall(reals, fakes, neighbours=NEIGHBOURS):
    """Return (precision, recall) of features [N, D] and [M, D], more than `neighbours` of each.

    The manifold of a set is the union of balls around its points, each as wide as the distance to the point's k-th nearest other
    point; a point on the rim counts as inside. Distances are exact where the original rounds them to half precision, so values
    differ from its ones by up to about 0.02.
    """
    return _share_inside(fakes, reals, neighbours), _share_inside(reals, fakes, neighbours)


def _share_inside(points, manifold, neighbours):
    manifold = np.asarray(manifold, np.float64)
    squared_radii = np.concatenate(
        [np.partition(block, neighbours, axis=1)[:, neighbours] for block in _squared_distances(manifold, manifold)]
    )
    inside = [np.any(block <= squared_radii, axis=1) for block in _squared_distances(np.asarray(points, np.float64), manifold)]
    return float(np.concatenate(inside).mean())


def _squared_distances(rows, columns):
    """Yield float64 blocks [n, len(columns)] of squared distances, BLOCK_ROWS rows at a time."""
    squared_columns = np.sum(columns**2, axis=1)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        products = np.sum(block**2, axis=1)[:, None] - 2.0 * (block @ columns.T) + squared_columns
        yield np.maximum(products, 0.0)
