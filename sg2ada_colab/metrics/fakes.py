"""Numbered fakes from a generator's moving average, drawn as the original does for its metrics."""

import hashlib
from typing import Any, Optional, Tuple

import numpy as np

from .. import seeds
from ..formats.network_data import NetworkData
from ..networks.generator import broadcast, map_latents, synthesize, to_uint8
from ..tf import gpus, tf
from .grouped import GroupedGenerator


class SnapshotFakes(GroupedGenerator):
    """Images of Gs, uint8 [n,R,R,C]: no truncation, fresh noise, labels of the training set; on a GPU in float16 as trained.

    Args:
        network, labels, seed, xla: As of GroupedGenerator.
    """

    def __init__(self, network: NetworkData, labels: Optional[np.ndarray] = None, seed: int = 0, xla: bool = True) -> None:
        super().__init__(network, labels, seed, xla, half_precision=bool(gpus()))

    @property
    def source(self) -> str:
        """Text that identifies how the fakes are drawn, without the network itself."""
        labels = hashlib.sha256(self.labels.tobytes()).hexdigest() if self.config.label_size else "none"
        return f"seed {self.seed}/labels {labels}/groups of {self.group}/{self.num_fp16_res} fp16"

    def latents(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return (z [group, latent_size], labels [group, label_size]) of a group, float32."""
        draws = seeds.random_state(self.seed, "metric latents", number)
        z = draws.standard_normal([self.group, self.config.latent_size]).astype(np.float32)
        return z, self.labels[draws.randint(len(self.labels), size=self.group)]

    def make_group(self, number: int) -> Tuple[Any, Any]:
        z, labels = self.latents(number)
        noise_seed = seeds.step_seed(self.seed, "metric noise", number)
        return self.run(_images, (self.config, self.num_fp16_res), z, labels, noise_seed)


def _images(settings, weights, z, labels, noise_seed):
    config, num_fp16_res = settings
    w = broadcast(map_latents(weights, config, z, labels), config.num_layers)
    images = tf.cast(synthesize(weights, config, w, noise_seed, num_fp16_res), tf.float32)
    return to_uint8(images), tf.reduce_all(tf.math.is_finite(images))
