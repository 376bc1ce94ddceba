"""A distance of pictures that needs no network."""

from sg2ada_colab.generate.perceptual import Distance
from sg2ada_colab.tf import tf


class MeanSquare(Distance):
    """The mean square of the pixels' difference."""

    name = title = "mean square"

    def embed(self, images):
        return [images]

    def between(self, ours, theirs):
        return 1e-4 * tf.reduce_mean(tf.square(ours[0] - theirs[0]))
