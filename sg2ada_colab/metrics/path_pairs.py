"""Pairs of images a small step apart on a path between two latents, for perceptual path length."""

from typing import Any, Optional, Tuple

import numpy as np

from .. import seeds
from ..formats.network_data import NetworkData
from ..networks.generator import broadcast, map_latents, synthesize
from ..networks.latents import slerp, unit
from ..tf import tf
from .backgrounds import backgrounds_of
from .grouped import GroupedGenerator
from .path_length import EPSILON

SIZE_PX = 256  # larger images are averaged down to it


class PathPairs(GroupedGenerator):
    """Pairs, float32 [n,2,H,W,3] in about 0..255, as the original draws them: float32 throughout, one noise for both images.

    RGBA images lie over a colour, see `backgrounds_of`, the same for both.

    Args:
        network: NetworkData of Gs.
        space: "z" or "w", where the path lies.
        sampling: "full" for positions anywhere on the path, "end" for its beginning.
        crop: Use the middle of a face photograph only: rows 3/8 to 7/8, columns 2/8 to 6/8.
        labels, seed, xla: As of GroupedGenerator.
    """

    def __init__(
        self,
        network: NetworkData,
        space: str,
        sampling: str,
        crop: bool,
        labels: Optional[np.ndarray] = None,
        seed: int = 0,
        xla: bool = True,
    ) -> None:
        self.space, self.sampling, self.crop = space, sampling, crop
        super().__init__(network, labels, seed, xla, half_precision=False)

    def make_group(self, number: int) -> Tuple[Any, Any]:
        draws = seeds.random_state(self.seed, "path latents", number)
        a, b = draws.standard_normal([2, self.group, self.config.latent_size])
        t = draws.uniform(0.0, 1.0 if self.sampling == "full" else 0.0, [self.group, 1])
        labels = self.labels[draws.randint(len(self.labels), size=self.group)]
        if self.space == "z":
            a, b = (unit(slerp(unit(a), unit(b), at)) for at in (t, t + EPSILON))
        arrays = [value.astype(np.float32) for value in (a, b, t, labels)]
        noise_seed = seeds.step_seed(self.seed, "path noise", number)
        below = []
        if self.config.num_channels == 4:
            colours = backgrounds_of(self.seed, self.group, number * self.group).astype(np.float32)
            below = [colours[:, None, None] * (2.0 / 255.0) - 1.0]
        return self.run(_pairs, (self.config, self.space, self.crop), *arrays, noise_seed, *below)


def _pairs(settings, weights, a, b, t, labels, noise_seed, below=None):
    config, space, crop = settings
    w_a, w_b = map_latents(weights, config, a, labels), map_latents(weights, config, b, labels)
    if space == "w":
        w_a, w_b = w_a + (w_b - w_a) * t, w_a + (w_b - w_a) * (t + EPSILON)
    images = [synthesize(weights, config, broadcast(w, config.num_layers), noise_seed) for w in (w_a, w_b)]
    if below is not None:
        images = [_over(image, below) for image in images]
    pairs = tf.stack([_prepared(image, config, crop) for image in images], axis=1)
    return pairs, tf.reduce_all(tf.math.is_finite(pairs))


def _over(images, below):
    """Return RGBA images in about [-1, 1] over colours [N, 1, 1, 3]."""
    alpha = (tf.clip_by_value(images[..., 3:], -1.0, 1.0) + 1.0) / 2.0
    return images[..., :3] * alpha + below * (1.0 - alpha)


def _prepared(images, config, crop):
    """Return the images that are compared: cropped, averaged down to 256, three channels, 0..255."""
    if crop:
        down, right = config.height // 8, config.width // 8
        images = images[:, 3 * down : 7 * down, 2 * right : 6 * right]
    size = min(int(images.shape[1]), int(images.shape[2]))
    if size > SIZE_PX:
        images = tf.nn.avg_pool2d(images, size // SIZE_PX, size // SIZE_PX, "VALID")
    images = (images + 1.0) * (255.0 / 2.0)
    return tf.tile(images, [1, 1, 1, 3]) if config.num_channels == 1 else images
