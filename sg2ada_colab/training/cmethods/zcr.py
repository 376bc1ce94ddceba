"""Latent consistency regularisation (zCR; Zhao et al. 2020): nearby latents make different images that D scores alike."""
from ...draws import normal
from ...tf import tf

GENERATOR_WEIGHT, DISCRIMINATOR_WEIGHT = 0.02, 0.2
NOISE_STD = 0.1


def jittered(z, seed):
    """Return the latents [N, D] with noise of standard deviation 0.1 added."""
    return z + NOISE_STD * normal(seed, "zcr", z.shape.as_list())


def generator_term(images, images_of_jittered, weight=GENERATOR_WEIGHT):
    """Return −weight · mean (G(z) − G(z + δ))² over each image, to be added to G's loss: [N]."""
    return -weight * tf.reduce_mean(tf.square(images - images_of_jittered), axis=[1, 2, 3])


def discriminator_term(scores, scores_of_jittered, weight=DISCRIMINATOR_WEIGHT):
    """Return weight · (D(G(z)) − D(G(z + δ)))², to be added to D's loss: [N, 1]."""
    return weight * tf.square(scores - scores_of_jittered)
