"""Fakes by number from a generator's moving average: the same number gives the same image, whatever was asked for before."""

import hashlib

import numpy as np

from .. import seeds
from ..errors import UserError
from ..networks.generator import Generator, to_uint8
from ..networks.variables import GeneratorConfig
from ..tf import compiled, gpus, tf

LARGE_PX = 512  # from this size on images come in smaller groups, so that a 15 GB GPU holds them
GROUP_SIZE, LARGE_GROUP_SIZE = 32, 8


def group_size(resolution):
    """Return how many images are generated at once; latents and noise belong to the group, so it must not follow the batch."""
    return LARGE_GROUP_SIZE if resolution >= LARGE_PX else GROUP_SIZE


class SnapshotFakes:
    """Images of Gs as the original measures them: no truncation, fresh noise, labels drawn from the training set.

    Args:
        network: NetworkData of Gs.
        labels: float32 [N, label_size] to draw from; None draws one class at random.
        seed: Integer; another one gives other fakes.
        xla: Compile with XLA where TensorFlow can.
    """

    def __init__(self, network, labels=None, seed=0, xla=True):
        self.config = GeneratorConfig.from_kwargs(network.kwargs)
        half_precision = self.config.num_fp16_res if gpus() else 0
        self.generator = Generator(self.config, network.variables, num_fp16_res=half_precision)
        self.labels, self.seed = checked_labels(labels, self.config.label_size), seed
        self.group = group_size(self.config.resolution)
        self._images = compiled(self._generate, xla)

    def load(self, network):
        """Go on with another network of the same configuration, without compiling anything again."""
        self.generator.set_values(network.variables)

    @property
    def source(self):
        """Text that changes with anything that changes the fakes, but the network itself."""
        labels = hashlib.sha256(self.labels.tobytes()).hexdigest() if self.config.label_size else "none"
        return "seed {}/labels {}/groups of {}/{} fp16".format(self.seed, labels, self.group, self.generator.num_fp16_res)

    def __call__(self, count, start):
        """Return uint8 [count, R, R, C], the fakes with numbers start ... start + count - 1.

        Raises:
            UserError: The generator gives numbers that are not finite.
        """
        images, check = self.launch(count, start)
        check()
        return images.numpy()

    def launch(self, count, start):
        """Start generating; on a GPU this returns before the images are there.

        Returns:
            (uint8 tensor [count, R, R, C] on the device, function that waits for it and raises the UserError of a call).
        """
        first, last = start // self.group, (start + count - 1) // self.group
        groups = [self._group(number) for number in range(first, last + 1)]
        images = groups[0][0] if len(groups) == 1 else tf.concat([images for images, _ in groups], axis=0)
        if count < len(groups) * self.group:
            images = images[start - first * self.group :][:count]

        def check():
            for number, (_, finite) in enumerate(groups, first):
                if not bool(finite):
                    raise broken_generator(number * self.group)

        return images, check

    def latents(self, number):
        """Return (z [group, latent_size], labels [group, label_size]) of a group, float32."""
        draws = seeds.random_state(self.seed, "metric latents", number)
        z = draws.standard_normal([self.group, self.config.latent_size]).astype(np.float32)
        return z, self.labels[draws.randint(len(self.labels), size=self.group)]

    def _group(self, number):
        z, labels = self.latents(number)
        noise_seed = seeds.step_seed(self.seed, "metric noise", number)
        return self._images(tf.constant(z), tf.constant(labels), tf.constant(noise_seed))

    def _generate(self, z, labels, noise_seed):
        images = tf.cast(self.generator(z, labels, noise_seed=noise_seed), tf.float32)
        return to_uint8(images), tf.reduce_all(tf.math.is_finite(images))


def broken_generator(number):
    """Return the UserError for a generator whose images are not finite."""
    return UserError(
        "the generator gives numbers that are not finite (fakes from number {} on)".format(number),
        "a network that makes images",
        "training diverged before this snapshot: measure an earlier one, and go on from that with a larger --gamma",
    )


def checked_labels(labels, label_size):
    """Return the labels to draw from, float32 [N, label_size].

    Raises:
        UserError: They have another size than the network's.
    """
    if labels is None or (label_size == 0 and np.size(labels) == 0):
        return np.eye(label_size, dtype=np.float32) if label_size else np.zeros([1, 0], np.float32)
    labels = np.asarray(labels, np.float32)
    if label_size == 0:
        return np.zeros([1, 0], np.float32)
    if labels.shape[1] != label_size:
        raise UserError(
            "the network takes labels of {} numbers, the dataset has labels of {}".format(label_size, labels.shape[1]),
            "labels of the same size",
            "name with --metricdata the dataset that the network was trained on",
        )
    return labels
