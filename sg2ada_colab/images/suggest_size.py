"""The size that suits a collection of images: the largest square, or the rectangle that cuts least from them."""

import math
from typing import Dict, Iterable, List, Tuple, Union

import numpy as np

from ..errors import UserError
from ..shape import LARGEST_SIDE, Size, compact_size, network_shape, sides_of, size_text
from .fit import SQUARES_ONLY

AUTO = "auto"  # in place of a size: the rectangle that keeps most
LARGEST_SUGGESTED_PX = 1024  # side of a square; rectangles have no more pixels than it
SMALLEST_PX = 4
NEARLY = 0.005  # of the images' pixels: so much may be lost for a simpler shape


def suggested_square(sizes: Iterable[Tuple[int, int]], fit_mode: str = "crop") -> int:
    """Return the largest power of two, from 4 to 1024, that nine in ten (width, height) reach without being enlarged."""
    sides = sorted((max if fit_mode == "pad" else min)(size) for size in sizes)
    tenth = sides[len(sides) // 10]
    return max(SMALLEST_PX, min(LARGEST_SUGGESTED_PX, 1 << (tenth.bit_length() - 1)))


def suggested_size(sizes: Iterable[Tuple[int, int]], fit_mode: str = "crop") -> Size:
    """Return the size that suits images: of the shape that keeps most of their pixels, as large as nine in ten reach.

    Of shapes within half a percent of the best, the simplest is taken: a square before 16:15.

    Args:
        sizes: (width, height) of the images, px.
        fit_mode: As of `FitOptions`; a way that cuts squares gives a square.

    Returns:
        Side of a square, or (height, width), of at most 1024² px.
    """
    sizes = list(sizes)
    if fit_mode in SQUARES_ONLY:
        return suggested_square(sizes, fit_mode)
    kept = {ratio: kept_share(sizes, ratio) for ratio in _ratios()}
    enough = max(kept.values()) - NEARLY
    ratio = min((one for one in kept if kept[one] >= enough), key=lambda one: (sum(one), -kept[one]))
    return _largest(np.array(sizes), ratio, fit_mode)


def kept_share(sizes: Iterable[Tuple[int, int]], wanted: Tuple[int, int]) -> float:
    """Return which share of its pixels an image keeps on average when the largest region of a shape is cut from it.

    Args:
        sizes: (width, height) of the images, px.
        wanted: (height, width) of the shape, in any unit.
    """
    different, counts = np.unique(np.array(list(sizes)), axis=0, return_counts=True)
    ratios = different[:, 0] / different[:, 1] * (wanted[0] / wanted[1])
    return float(np.average(np.minimum(ratios, 1 / ratios), weights=counts))


def chosen_size(wanted: Union[Size, str, None], sizes: Iterable[Tuple[int, int]], fit_mode: str = "crop") -> Size:
    """Return the size of a dataset: as asked for; where that is None, the suggested square; where "auto", what keeps most.

    Raises:
        UserError: It is another word.
    """
    if isinstance(wanted, str) and wanted != AUTO:
        raise UserError(f"{wanted!r} is not a size.", "a side in pixels, (height, width), or auto", "choose one of these")
    if wanted == AUTO:
        return suggested_size(sizes, fit_mode)
    return suggested_square(sizes, fit_mode) if wanted is None else wanted  # type: ignore[return-value]


def shape_advice(sizes: List[Tuple[int, int]], resolution: Size, fit_mode: str = "crop") -> List[str]:
    """Return [a sentence] where another shape keeps at least a tenth more of the images than that of `resolution`, else []."""
    best = suggested_size(sizes, fit_mode)
    now, then = (kept_share(sizes, sides_of(size)) for size in (resolution, best))
    if fit_mode not in ("crop", "pad") or then < now + 0.1:
        return []
    verb = "fill {:.0f} % of the picture" if fit_mode == "pad" else "keep {:.0f} % of their pixels"
    return [
        f"At {size_text(*sides_of(best))} (width x height) the images would {verb.format(100 * then)}, now {100 * now:.0f} %: "
        "--resolution=auto takes it."
    ]


def _ratios() -> List[Tuple[int, int]]:
    """Return every shape (height, width) of networks, in lowest terms."""
    sides = range(1, LARGEST_SIDE + 1)
    return [(a, b) for a in sides for b in sides if math.gcd(a, b) == 1 and max(a, b) <= 8 * min(a, b)]


def _largest(sizes: np.ndarray, ratio: Tuple[int, int], fit_mode: str) -> Size:
    """Return the largest size of a shape that nine in ten images reach; the smallest that there is, where none does."""
    reach: Dict[int, Size] = {}
    for k in range(int(math.log2(LARGEST_SUGGESTED_PX)) + 1):
        height, width = ratio[0] << k, ratio[1] << k
        try:
            network_shape(height, width)
        except UserError:
            continue
        by_side = sizes / (width, height)
        enough = np.sort((np.max if fit_mode == "pad" else np.min)(by_side, axis=1))[len(sizes) // 10] >= 1
        if not reach or (enough and height * width <= LARGEST_SUGGESTED_PX**2):
            reach[k] = compact_size(height, width)
    return reach[max(reach)]
