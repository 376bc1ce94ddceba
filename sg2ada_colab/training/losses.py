"""Losses and regularisers: non-saturating logistic loss, R1, path length (StyleGAN2 sections 3.1–3.2, appendix B)."""

import math
from typing import Any, Callable, Tuple

from ..tf import tf

PL_DECAY = 0.01
PL_WEIGHT = 2.0
LECAM_DECAY = 0.99


def generator_logistic(fake_scores: tf.Tensor) -> tf.Tensor:
    """Return softplus(−D(G(z))), elementwise (GAN, Goodfellow 2014, the non-saturating form)."""
    return tf.nn.softplus(-fake_scores)


def discriminator_logistic(fake_scores: tf.Tensor, real_scores: tf.Tensor) -> tf.Tensor:
    """Return softplus(D(G(z))) + softplus(−D(x)), elementwise."""
    return tf.nn.softplus(fake_scores) + tf.nn.softplus(-real_scores)


def r1_penalty(score: Callable, images: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor, Any]:
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


def path_lengths(synthesize: Callable, w: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
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


def path_length_penalty(lengths: tf.Tensor, mean: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return (penalty [N], new running mean); gradients flow through the new mean too, as in the original.

    Args:
        lengths: [N] from `path_lengths`.
        mean: Scalar, the running mean so far (0 at the start).
    """
    new_mean = path_length_mean(mean, tf.reduce_mean(lengths))
    return tf.square(lengths - new_mean), new_mean


def path_length_mean(mean: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
    """Return the running mean of path lengths after images whose mean length is `seen`."""
    return mean + PL_DECAY * (seen - mean)


def lecam_penalty(fake_scores: tf.Tensor, real_scores: tf.Tensor, means: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return (penalty, new means): scores are held near running means of the other kind's scores.

    R_LC = E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²] (Tseng et al. 2021, equations 4 and 5), with the running means α_R and α_F of
    the scores of reals and fakes: α ← 0.99 α + 0.01 · mean. The penalty uses the means of the passes before; gradients flow
    through the scores only.

    Args:
        fake_scores, real_scores: Scores of D, of any shape.
        means: float32 [2], α_R and α_F (0 at the start).

    Returns:
        (scalar, float32 [2]).
    """
    penalty = tf.reduce_mean(tf.square(real_scores - means[1])) + tf.reduce_mean(tf.square(fake_scores - means[0]))
    return penalty, lecam_means(means, mean_scores(fake_scores, real_scores))


def mean_scores(fake_scores: tf.Tensor, real_scores: tf.Tensor) -> tf.Tensor:
    """Return the means that LeCam's running means follow: of the scores of reals and of fakes, float32 [2]."""
    return tf.stop_gradient(tf.stack([tf.reduce_mean(real_scores), tf.reduce_mean(fake_scores)]))


def lecam_means(means: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Return the running means [2] after a pass whose `mean_scores` are given."""
    return LECAM_DECAY * means + (1 - LECAM_DECAY) * scores
