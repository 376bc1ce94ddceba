"""Pairs of images a small step apart on a path between two latents, for perceptual path length."""

import numpy as np

from .. import seeds
from ..networks.generator import Generator
from ..networks.mapping import broadcast
from ..networks.variables import GeneratorConfig
from ..tf import compiled, tf
from .fakes import broken_generator, checked_labels, group_size
from .path_length import EPSILON, slerp

SIZE_PX = 256  # larger images are averaged down to it


class PathPairs:
    """Pairs by number, as the original draws them: float32 throughout, one noise for both images of a pair.

    Args:
        network: NetworkData of Gs.
        space: "z" or "w", where the path lies.
        ends: "full" for positions anywhere on the path, "end" for its beginning.
        crop: Look at the middle of a face photograph only: rows 3/8 to 7/8, columns 2/8 to 6/8.
        labels, seed, xla: as of SnapshotFakes.
    """

    def __init__(self, network, space, ends, crop, labels=None, seed=0, xla=True):
        self.config = GeneratorConfig.from_kwargs(network.kwargs)
        self.generator = Generator(self.config, network.variables, num_fp16_res=0)
        self.space, self.ends, self.crop, self.seed = space, ends, crop, seed
        self.labels = checked_labels(labels, self.config.label_size)
        self.group = group_size(self.config.resolution)
        self._pairs = compiled(self._generate, xla)

    def __call__(self, count, start):
        """Return float32 [count, 2, H, W, 3] in about 0..255, the pairs with numbers start ... start + count - 1.

        Raises:
            UserError: The generator gives numbers that are not finite.
        """
        first, last = start // self.group, (start + count - 1) // self.group
        pairs = np.concatenate([self._group(number) for number in range(first, last + 1)])
        return pairs[start - first * self.group :][:count]

    def _group(self, number):
        draws = seeds.random_state(self.seed, "path latents", number)
        a, b = draws.standard_normal([2, self.group, self.config.latent_size])
        t = draws.uniform(0.0, 1.0 if self.ends == "full" else 0.0, [self.group, 1])
        labels = self.labels[draws.randint(len(self.labels), size=self.group)]
        if self.space == "z":
            a, b = slerp(a, b, t), slerp(a, b, t + EPSILON)
        inputs = [tf.constant(value.astype(np.float32)) for value in (a, b, t, labels)]
        pairs = self._pairs(*(inputs + [tf.constant(seeds.step_seed(self.seed, "path noise", number))])).numpy()
        if not np.isfinite(pairs).all():
            raise broken_generator(number * self.group)
        return pairs

    def _generate(self, a, b, t, labels, noise_seed):
        w_a, w_b = self.generator.map(a, labels), self.generator.map(b, labels)
        if self.space == "w":
            w_a, w_b = w_a + (w_b - w_a) * t, w_a + (w_b - w_a) * (t + EPSILON)
        layers = self.config.num_layers
        images = [self._looked_at(self.generator.synthesize(broadcast(w, layers), noise_seed)) for w in (w_a, w_b)]
        return tf.stack(images, axis=1)

    def _looked_at(self, images):
        """Return what the distance is taken of: cropped, averaged down to 256, three channels, 0..255."""
        if self.crop:
            eighth = self.config.resolution // 8
            images = images[:, 3 * eighth : 7 * eighth, 2 * eighth : 6 * eighth]
        size = int(images.shape[1])
        if size > SIZE_PX:
            images = tf.nn.avg_pool2d(images, size // SIZE_PX, size // SIZE_PX, "VALID")
        images = (images + 1.0) * (255.0 / 2.0)
        return tf.tile(images, [1, 1, 1, 3]) if self.config.num_channels == 1 else images
