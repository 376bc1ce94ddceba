"""The backgrounds on which RGBA images are measured: feature networks take RGB; reals and fakes lie on the same mixture."""

from typing import Any, Callable, Optional, Tuple

import numpy as np

from .. import seeds
from ..images.transparency import over

GROUP = 32  # backgrounds are drawn at once, so that batches do not matter
PLAIN_GREY = 128


def backgrounds_of(seed: int, count: int, start: int) -> np.ndarray:
    """Return the backgrounds of the images from number `start` on, uint8 [count, 3]: 1/4 white, 1/4 black, others random."""
    first, last = start // GROUP, (start + count - 1) // GROUP
    groups = []
    for group in range(first, last + 1):
        draw = seeds.random_state(seed, "metric backgrounds", group * GROUP)
        kinds, colours = draw.randint(4, size=[GROUP, 1]), draw.randint(256, size=[GROUP, 3])
        groups.append(np.where(kinds == 0, 255, np.where(kinds == 1, 0, colours)).astype(np.uint8))
    return np.concatenate(groups)[start - first * GROUP :][:count]


def backgrounds_words(seed: Optional[int]) -> str:
    """Return in words what `composited` puts under images."""
    if seed is None:
        return "RGBA over grey"
    return f"RGBA over one colour each, a quarter white, a quarter black, half any (seed {seed}), the same for reals and fakes"


def composited(images: Any, seed: Optional[int], start: int) -> Any:
    """Return the images number `start` and on as RGB: uint8 [n, H, W, 4] over `backgrounds_of`, others as they are.

    Args:
        seed: None puts grey under all, so that one image can be compared with another.
    """
    if images.shape[3] != 4:
        return images
    colours = PLAIN_GREY if seed is None else backgrounds_of(seed, len(images), start)[:, None, None]
    return over(np.asarray(images), colours)


class OverBackgrounds:
    """A function (count, start) → images, composited; one that has `launch`, too, keeps it.

    Args:
        images_of: Function (count, start) → uint8 [count, H, W, 4].
        seed: Of the backgrounds.
    """

    def __init__(self, images_of: Callable, seed: int) -> None:
        self.images_of, self.seed = images_of, seed

    def __call__(self, count: int, start: int) -> np.ndarray:
        return composited(self.images_of(count, start), self.seed, start)

    def launch(self, count: int, start: int) -> Tuple[Any, Optional[Callable]]:
        """Return (images, function that raises a UserError where they are not finite, or None)."""
        if not hasattr(self.images_of, "launch"):
            return self(count, start), None
        images, check = self.images_of.launch(count, start)
        return composited(images, self.seed, start), check
