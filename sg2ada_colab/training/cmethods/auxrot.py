"""Auxiliary rotations (Chen et al. 2019): D also tells by which quarter turn an image was turned, from its outputs 1 to 4."""
import numpy as np

from ...tf import tf

GENERATOR_WEIGHT, DISCRIMINATOR_WEIGHT = 10.0, 5.0
TURNS = 4


def turned(images):
    """Return the images [N, R, R, C] in all four orientations, counter-clockwise, orientation by orientation: [4N, R, R, C]."""
    transposed = tf.transpose(images, [0, 2, 1, 3])
    return tf.concat([images, transposed[:, ::-1], images[:, ::-1, ::-1], transposed[:, :, ::-1]], axis=0)


def rotation_loss(scores, weight):
    """Return weight · cross-entropy of telling the orientation: [4N].

    Args:
        scores: D's outputs [4N, 5] for `turned` images; the first one is the usual score.
        weight: 10 for the fakes in G's loss, 5 for the reals in D's.
    """
    count = scores.shape[0] // TURNS
    labels = np.repeat(np.arange(TURNS, dtype=np.int32), count)
    return weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores[:, 1 : 1 + TURNS])
