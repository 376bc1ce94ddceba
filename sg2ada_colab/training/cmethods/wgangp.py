"""WGAN-GP (Gulrajani et al. 2017) with the drift term of ProGAN (Karras et al. 2018)."""
from ...draws import uniform
from ...tf import tf

DRIFT_WEIGHT, PENALTY_WEIGHT, TARGET_NORM = 0.001, 10.0, 1.0


def generator_loss(fake_scores):
    """Return −D(G(z)), elementwise."""
    return -fake_scores


def discriminator_loss(fake_scores, real_scores):
    """Return D(G(z)) − D(x) + 0.001 · D(x)², elementwise."""
    return fake_scores - real_scores + DRIFT_WEIGHT * tf.square(real_scores)


def mixing_factors(seed, count):
    """Return one factor in U[0,1) for each image: [N, 1, 1, 1]."""
    return uniform(seed, "wgangp", [count, 1, 1, 1])


def gradient_penalty(judge, reals, fakes, factors):
    """Return 10 · (‖∂D/∂x‖ − 1)² at x = real + (fake − real) · factor: [N].

    Args:
        judge: Function images [N, R, R, C] → scores [N, 1].
        reals, fakes: float32 [N, R, R, C].
        factors: Result of `mixing_factors`.
    """
    images = reals + (fakes - reals) * factors
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(judge(images))
    squares = tf.reduce_sum(tf.square(tape.gradient(total, images)), axis=[1, 2, 3])
    return PENALTY_WEIGHT / TARGET_NORM**2 * tf.square(tf.sqrt(squares) - TARGET_NORM)
