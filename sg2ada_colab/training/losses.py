"""Losses and regularisers: non-saturating logistic loss, R1, path length (StyleGAN2 sections 3.1–3.2, appendix B)."""

import math

from ..tf import tf

PL_DECAY = 0.01
PL_WEIGHT = 2.0


def generator_logistic(fake_scores):
    """Return softplus(−D(G(z))), elementwise (GAN, Goodfellow 2014, the non-saturating form)."""
    return tf.nn.softplus(-fake_scores)


def discriminator_logistic(fake_scores, real_scores):
    """Return softplus(D(G(z))) + softplus(−D(x)), elementwise."""
    return tf.nn.softplus(fake_scores) + tf.nn.softplus(-real_scores)


def r1_penalty(score, images):
    """Return the squared norm of each image's gradient of Σ score(images): [N] (Mescheder 2018, R1).

    Args:
        score: Function images [N,R,R,C] → (scores [N,S], anything); the second part is handed through.
        images: float32; the gradient is taken with respect to these, before any augmentation inside `score`.

    Returns:
        (penalty [N], scores, the function's second result).
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores, extra = score(images)
        total = tf.reduce_sum(scores)
    gradients = tape.gradient(total, images)
    return tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]), scores, extra


def path_lengths(synthesize, w, noise):
    """Return √(mean over layers of ‖∂Σ(G(w)·y)/∂w‖²) for each image: [N] (StyleGAN2 equation 4).

    Args:
        synthesize: Function w [N,L,D] → images [N,R,R,C].
        w: float32 [N,L,D].
        noise: y before scaling, N(0,1) draws of the images' shape; divided by √(H·W) here.
    """
    with tf.GradientTape() as tape:
        tape.watch(w)
        images = synthesize(w)
        total = tf.reduce_sum(images * (noise / math.sqrt(int(noise.shape[1]) * int(noise.shape[2]))))
    jacobian = tape.gradient(total, w)
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(jacobian), axis=2), axis=1))


def path_length_penalty(lengths, mean):
    """Return (penalty [N], new running mean); gradients flow through the new mean too, as in the original.

    Args:
        lengths: [N] from `path_lengths`.
        mean: Scalar, the running mean so far (0 at the start).
    """
    new_mean = mean + PL_DECAY * (tf.reduce_mean(lengths) - mean)
    return tf.square(lengths - new_mean), new_mean
