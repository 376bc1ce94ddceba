"""Images from a generator, in batches of one size so that one compiled program makes them all."""

from typing import Any, Iterator, List, Optional, Union

import numpy as np

from ..compile.warm_up import Program
from ..seeds import random_state, step_seed
from ..tf import compiled, tf


class Sampler:
    """Draws images from a generator.

    Args:
        generator: Generator; its variables may change between calls.
        batch_size: Images that one call of the compiled program makes.
        xla: Compile with XLA where TensorFlow can.
    """

    def __init__(self, generator: Any, batch_size: int = 16, xla: bool = True) -> None:
        self.generator, self.batch_size = generator, batch_size

        def sample(z, labels, psi, noise_seed):
            return self.generator(z, labels, psi, noise_seed=noise_seed)

        self._random = compiled(sample, xla)
        self._constant = compiled(lambda z, labels, psi: self.generator(z, labels, psi), xla)

    def programs(self) -> List[Program]:
        """Return the program of `batches` with random noise, for `warm_up`."""
        config, size = self.generator.config, self.batch_size
        inputs = (tf.zeros([size, config.latent_size]), tf.zeros([size, config.label_size]), tf.constant(1.0))
        return [Program("grid", self._random, inputs + (tf.zeros([2], tf.int32),))]

    def batches(
        self,
        z: np.ndarray,
        labels: Optional[np.ndarray] = None,
        psi: float = 1.0,
        noise: str = "const",
        seed: Union[int, str] = 0,
    ) -> Iterator[Any]:
        """Yield float32 [n,R,R,C] images, about [-1,1], for z [N, latent_size] and labels [N, label_size].

        Args:
            psi: Truncation; 1.0 is none.
            noise: "const" for the network's stored noise, "random" for fresh noise per image, drawn from `seed`.
        """
        z = np.asarray(z, np.float32)
        labels = (
            np.zeros([len(z), self.generator.config.label_size], np.float32) if labels is None else np.asarray(labels, np.float32)
        )
        size = self.batch_size
        for start in range(0, len(z), size):
            part, part_labels = z[start : start + size], labels[start : start + size]
            missing = size - len(part)
            if missing:  # the compiled program takes full batches
                part = np.concatenate([part, np.zeros([missing, part.shape[1]], np.float32)])
                part_labels = np.concatenate([part_labels, np.zeros([missing, part_labels.shape[1]], np.float32)])
            inputs = [tf.constant(part), tf.constant(part_labels), tf.constant(psi, tf.float32)]
            if noise == "random":
                images = self._random(*(inputs + [tf.constant(step_seed(seed, "sample noise", start))]))
            else:
                images = self._constant(*inputs)
            yield images[: size - missing]


def grid_latents(run_seed: int, count: int, latent_size: int) -> np.ndarray:
    """Return the z [count, latent_size] of a run's fakes grids, drawn once a run."""
    return random_state(run_seed, "grid latents", 0).standard_normal([count, latent_size]).astype(np.float32)
