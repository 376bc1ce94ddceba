"""Paths through latent space, for videos: NumPy only, the same arithmetic for z and for w."""

from typing import Any, Callable, Sequence

import numpy as np

from ..networks.latents import slerp, unit

WRAPPED = 30  # knots beyond each end of a spline; what lies farther away changes nothing within float64
FREQUENCIES = 256  # of the smooth random field that a noise loop runs through

EASINGS = {
    "linear": lambda t: t,
    "in": lambda t: t * t,
    "out": lambda t: t * (2.0 - t),
    "in-out": lambda t: t * t * (3.0 - 2.0 * t),
}


class Path:
    """A path that can be asked for any position: whole numbers are the knots, from 0 to `length`.

    Args:
        at: Function of a position → array [cells, …].
        length: Number of steps from knot to knot; a closed path is back at its beginning there.
        closed: Whether it is a loop.
        easing: A key of EASINGS: how fast it leaves and reaches a knot.
    """

    def __init__(self, at: Callable[[Any], Any], length: float, closed: bool, easing: str = "linear") -> None:
        self._at, self.length, self.closed, self._easing = at, length, closed, EASINGS[easing]

    def __call__(self, position: float) -> Any:
        """Return the point at a position; of a loop, `length` is exactly 0 again."""
        position = position % self.length if self.closed else position
        knot = np.floor(position)
        return self._at(knot + self._easing(position - knot))

    def positions(self, frames: int) -> np.ndarray:
        """Return the positions of `frames` frames: of a loop without its end, which is its beginning."""
        return np.arange(frames) * self.length / (frames if self.closed else max(frames - 1, 1))


def linear_path(knots: np.ndarray, closed: bool, easing: str = "linear") -> Path:
    """Return the straight path from knot to knot; knots [cells, K, …]."""
    return _between(knots, closed, easing, lambda a, b, t: a + (b - a) * t)


def slerp_path(knots: np.ndarray, closed: bool, easing: str = "linear") -> Path:
    """Return the path along arcs about the origin; knots [cells, K, D]."""
    return _between(knots, closed, easing, slerp)


def _between(knots, closed, easing, blend):
    count = knots.shape[1]

    def at(position):
        first = min(int(position), count - 1)
        return blend(knots[:, first], knots[:, (first + 1) % count], position - first) if position > first else knots[:, first]

    return Path(at, count if closed else count - 1, closed, easing)


def cubic_path(knots: np.ndarray, closed: bool, easing: str = "linear") -> Path:
    """Return the cubic spline through knots [cells, K, …], as NVIDIA's video program makes it.

    A loop's knots go on behind its ends as they began. The spline's own ends, far outside, are not-a-knot: the third derivative
    is continuous at the last but one. An open path goes on mirrored about its ends, which gives a natural spline.
    """
    count = knots.shape[1]
    margin = min(2 * count, WRAPPED) if closed else WRAPPED
    points = np.moveaxis(np.asarray(knots, np.float64), 1, 0)  # [K, cells, …]
    outside = np.arange(-margin, count + margin)
    values = points[outside % count] if closed else _mirrored(points, outside)
    curvatures = _second_derivatives(values.reshape(len(values), -1)).reshape(values.shape)

    def at(position):
        place = position + margin
        first = min(int(place), len(values) - 2)
        t, u = place - first, 1.0 - (place - first)
        straight = u * values[first] + t * values[first + 1]
        return straight + ((u**3 - u) * curvatures[first] + (t**3 - t) * curvatures[first + 1]) / 6.0

    return Path(at, count if closed else count - 1, closed, easing)


def _mirrored(points, outside):
    """Return points at indices beyond their ends, where they go on as mirrored about the end point, again and again."""
    last = len(points) - 1
    if last == 0:
        return points[np.zeros(len(outside), int)]
    turns, place = np.divmod(outside, 2 * last)
    back = place > last
    inside = points[np.where(back, 2 * last - place, place)]
    shape = (-1,) + (1,) * (points.ndim - 1)
    mirrored = np.where(back.reshape(shape), 2.0 * points[last] - inside, inside)
    return mirrored + turns.reshape(shape) * 2.0 * (points[last] - points[0])


def _second_derivatives(values):
    """Return the second derivatives [N, M] at the knots of not-a-knot splines through values [N, M] a step of 1 apart."""
    count = len(values)
    system, right = np.zeros([count, count]), np.zeros(values.shape)
    inner = np.arange(1, count - 1)
    system[inner, inner - 1], system[inner, inner], system[inner, inner + 1] = 1.0, 4.0, 1.0
    right[1:-1] = 6.0 * (values[:-2] - 2.0 * values[1:-1] + values[2:])
    system[0, :3], system[-1, -3:] = (1.0, -2.0, 1.0), (1.0, -2.0, 1.0)
    return np.linalg.solve(system, right)


def circular_path(a: np.ndarray, b: np.ndarray) -> Path:
    """Return the circle about the origin through a and b [cells, D], once around; its radius is a's length."""
    radius = np.linalg.norm(a, axis=-1, keepdims=True)
    across = b - np.sum(unit(a) * b, axis=-1, keepdims=True) * unit(a)
    x, y = radius * unit(a), radius * unit(across)

    def at(position):
        angle = 2.0 * np.pi * position
        return np.cos(angle) * x + np.sin(angle) * y if position else x

    return Path(at, 1, closed=True)


def noise_loop(seeds: Sequence[int], latent_size: int, diameter: float = 2.0) -> Path:
    """Return a smooth random loop of z [cells, latent_size]: each component is a random field along a circle.

    The field is Gaussian with correlation exp(−d²/2) at the distance d (random Fourier features, Rahimi and Recht 2007), so
    points that lie 3 apart are nearly independent.

    Args:
        seeds: One for each cell.
        diameter: Of the circle; a larger one wanders farther.
    """
    fields = []
    for seed in seeds:
        draws = np.random.RandomState(seed)
        fields.append((draws.randn(FREQUENCIES, 2), draws.uniform(0.0, 2.0 * np.pi, [FREQUENCIES, latent_size])))

    def at(position):
        angle = 2.0 * np.pi * position
        place = diameter / 2.0 * np.array([np.cos(angle), np.sin(angle)])
        waves = [np.cos((frequencies @ place)[:, np.newaxis] + phases).sum(axis=0) for frequencies, phases in fields]
        return np.sqrt(2.0 / FREQUENCIES) * np.array(waves)

    return Path(at, 1, closed=True)


def there_and_back(low: float, high: float) -> Path:
    """Return the path of a number from `low` to `high` and back, at rest at both ends."""
    return Path(lambda position: low + (high - low) * (0.5 - 0.5 * np.cos(2.0 * np.pi * position)), 1, closed=True)
