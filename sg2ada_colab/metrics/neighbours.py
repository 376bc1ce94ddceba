"""The training images nearest to fakes, in the features of a network: does the generator copy them?"""

from dataclasses import dataclass

import numpy as np

BLOCK_ROWS = 256
COPY_BELOW = 0.5  # of the reals' own median distance to their nearest other image
NEARER = "nearer to a training image"  # in every `memorisation_sentence`, by which a notebook finds it


@dataclass(frozen=True)
class Neighbours:
    """The reals nearest to n fakes, nearest first."""

    indices: np.ndarray  # int [n, k]: which reals
    distances: np.ndarray  # float [n, k]: how far in the features
    usual: float  # median distance of a real to its nearest other real

    def first(self, count: int) -> "Neighbours":
        """Return the Neighbours of the first `count` fakes."""
        return Neighbours(self.indices[:count], self.distances[:count], self.usual)


def nearest_reals(real_rows: np.ndarray, fake_rows: np.ndarray, count: int = 5) -> Neighbours:
    """Return the Neighbours of features [n, D] among features [N, D], nearest first, by Euclidean distance."""
    reals, fakes = np.asarray(real_rows, np.float64), np.asarray(fake_rows, np.float64)
    count = min(count, len(reals))
    indices = np.empty([len(fakes), count], np.int64)
    distances = np.empty([len(fakes), count])
    for start in range(0, len(fakes), BLOCK_ROWS):
        block = _distances(fakes[start : start + BLOCK_ROWS], reals)
        indices[start : start + BLOCK_ROWS] = np.argsort(block, axis=1, kind="stable")[:, :count]
        distances[start : start + BLOCK_ROWS] = np.take_along_axis(block, indices[start : start + BLOCK_ROWS], axis=1)
    sample = np.linspace(0, len(reals) - 1, min(len(reals), 2 * BLOCK_ROWS)).astype(np.int64)
    among_reals = _distances(reals[sample], reals)
    among_reals[np.arange(len(sample)), sample] = np.inf
    return Neighbours(indices, distances, float(np.median(among_reals.min(axis=1))))


def _distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    squared = np.sum(rows**2, axis=1)[:, None] - 2.0 * (rows @ columns.T) + np.sum(columns**2, axis=1)
    return np.sqrt(np.maximum(squared, 0.0))


def memorisation_sentence(neighbours: Neighbours) -> str:
    """Return a sentence on how many fakes lie closer to a training image than training images lie to each other."""
    share = float(np.mean(neighbours.distances[:, 0] < COPY_BELOW * neighbours.usual))
    text = f"{share:.0%} of {len(neighbours.distances)} fakes are {NEARER} than half the usual distance between training images"
    return text + (": check whether they are copies" if share > 0.1 else "")
