"""The losses of the methods that the ADA paper compares itself with; `shallowmap` has none: it is a shorter mapping network."""

from collections import OrderedDict
from typing import Any, Callable, Dict, Mapping, Tuple

import numpy as np

from ..augment.config import AugmentConfig
from ..augment.pipeline import augment
from ..draws import normal, uniform
from ..networks.layers import equalized
from ..networks.variables import PAGAN_BITS
from ..tf import tf

JITTER_STD = 0.1  # of zCR's noise on latents
TURNS = 4  # of auxiliary rotations
DRIFT_WEIGHT, PENALTY_WEIGHT, TARGET_NORM = 0.001, 10.0, 1.0  # of WGAN-GP
FADE = 0.5  # share of its interval of p in which a new bit of PA-GAN fades in
STATE_SUFFIX = "_sn"  # of the name of the left singular vector's estimate, [1, outputs]


# --- balanced consistency regularisation (bCR; Zhao et al. 2020): D shall score an image and its shifted copy alike


def shifted(images: tf.Tensor, bcr_augment: Mapping[str, Any], seed: tf.Tensor) -> tf.Tensor:
    """Return the images float32 [N, R, R, C] augmented once more, each of them, on top of what ADA has done to it.

    Args:
        bcr_augment: Transforms as the run's loss_kwargs name them: shifts in whole pixels by up to 1/32 of the image's size.
    """
    transforms = {name: value for name, value in bcr_augment.items() if name != "func_name"}
    return augment(images, 1.0, AugmentConfig(**transforms), seed)


def shift_term(scores: tf.Tensor, scores_of_shifted: tf.Tensor, weight: float) -> tf.Tensor:
    """Return weight · (D(x) − D(T(x)))², to be added to D's loss: [N, 1]."""
    return weight * tf.square(scores - scores_of_shifted)


# --- latent consistency regularisation (zCR; Zhao et al. 2020): nearby latents make different images that D scores alike


def jittered(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return the latents [N, D] with noise of standard deviation 0.1 added."""
    return z + JITTER_STD * normal(seed, "zcr", z.shape.as_list())


def jitter_term_of_G(images: tf.Tensor, images_of_jittered: tf.Tensor, weight: float) -> tf.Tensor:
    """Return −weight · mean (G(z) − G(z + δ))² over each image, to be added to G's loss: [N]."""
    return -weight * tf.reduce_mean(tf.square(images - images_of_jittered), axis=[1, 2, 3])


def jitter_term_of_D(scores: tf.Tensor, scores_of_jittered: tf.Tensor, weight: float) -> tf.Tensor:
    """Return weight · (D(G(z)) − D(G(z + δ)))², to be added to D's loss: [N, 1]."""
    return weight * tf.square(scores - scores_of_jittered)


# --- auxiliary rotations (Chen et al. 2019): D also tells by which quarter turn an image was turned, from outputs 1 to 4


def turned(images: tf.Tensor) -> tf.Tensor:
    """Return the images [N, R, R, C] in all four orientations, counter-clockwise, orientation by orientation: [4N, R, R, C]."""
    transposed = tf.transpose(images, [0, 2, 1, 3])
    return tf.concat([images, transposed[:, ::-1], images[:, ::-1, ::-1], transposed[:, :, ::-1]], axis=0)


def rotation_term(scores: tf.Tensor, weight: float) -> tf.Tensor:
    """Return weight · cross-entropy of telling the orientation: [4N].

    Args:
        scores: D's outputs [4N, 5] for `turned` images; the first one is the usual score.
        weight: auxrot_alpha for the fakes in G's loss, auxrot_beta for the reals in D's.
    """
    count = scores.shape[0] // TURNS
    labels = np.repeat(np.arange(TURNS, dtype=np.int32), count)
    return weight * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores[:, 1 : 1 + TURNS])


# --- WGAN-GP (Gulrajani et al. 2017) with the drift term of ProGAN (Karras et al. 2018)


def generator_wasserstein(fake_scores: tf.Tensor) -> tf.Tensor:
    """Return −D(G(z)), elementwise."""
    return -fake_scores


def discriminator_wasserstein(fake_scores: tf.Tensor, real_scores: tf.Tensor) -> tf.Tensor:
    """Return D(G(z)) − D(x) + 0.001 · D(x)², elementwise."""
    return fake_scores - real_scores + DRIFT_WEIGHT * tf.square(real_scores)


def mixing_factors(seed: tf.Tensor, count: int) -> tf.Tensor:
    """Return one factor in U[0,1) for each image: [N, 1, 1, 1]."""
    return uniform(seed, "wgangp", [count, 1, 1, 1])


def gradient_penalty(judge: Callable, reals: tf.Tensor, fakes: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
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


# --- progressive augmentation (PA-GAN; Zhang and Khoreva 2019): D is given random bits and must undo their parity
#
# The number of bits grows with the strength p, which is adapted as that of ADA is. With an even number of ones "real" means
# real, with an odd number it means fake, so that every bit makes D's task harder. A bit enters as a constant extra channel of
# the image: a row of weights that is added to FromRGB's result.


def parity_bits(seed: tf.Tensor, count: int, p: tf.Tensor) -> tf.Tensor:
    """Return bits 0 or 1, float32 [N, 16]: at strength p the first 16·p are fair coins, the newest a growing chance of 1."""
    shares = tf.clip_by_value((p * PAGAN_BITS - tf.range(PAGAN_BITS, dtype=tf.float32)) / FADE, 0.0, 1.0)
    return tf.cast(uniform(seed, "pagan", [count, PAGAN_BITS]) < 0.5 * shares, tf.float32)


def parity_signs(bits: tf.Tensor) -> tf.Tensor:
    """Return +1 for an even and −1 for an odd number of ones: [N, 1]. D's raw scores times these are scores of realness."""
    return 1.0 - 2.0 * tf.math.floormod(tf.reduce_sum(bits, axis=1, keepdims=True), 2.0)


def bits_weight_name(resolution: int) -> str:
    """Return the name of the bits' weights [16, channels of FromRGB]."""
    return f"{resolution}x{resolution}/FromRGB/PAGAN/weight"


def with_bits(variables: Dict[str, Any], resolution: int, bits: tf.Tensor) -> Dict[str, Any]:
    """Return D's variables with a bias of FromRGB for each image that the bits have been added to."""
    name = f"{resolution}x{resolution}/FromRGB/bias"
    shift = tf.reduce_sum(bits[:, :, tf.newaxis] * equalized(variables[bits_weight_name(resolution)]), axis=1)
    changed = OrderedDict(variables)
    changed[name] = (variables[name] + shift)[:, tf.newaxis, tf.newaxis, :]
    return changed


# --- spectral normalisation of D's 3×3 convolutions (Miyato et al. 2018), one power iteration an evaluation


def singular_vector_names(variables: Dict[str, Any]) -> Dict[str, str]:
    """Return {name of a 3×3 weight: name of its state} for D's variables, which hold the states."""
    pairs = {name: name + STATE_SUFFIX for name in variables if name.endswith("/weight")}
    return OrderedDict((name, state) for name, state in pairs.items() if state in variables)


def _unit(x):
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x)) + 1e-12)


def largest_singular_value(weight: tf.Tensor, state: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return (σ of a weight seen as a matrix [inputs, outputs], the new state); gradients flow through the weight alone.

    Args:
        weight: float32 [3, 3, I, O], as it is used.
        state: float32 [1, O].
    """
    matrix = tf.reshape(weight, [-1, weight.shape[-1]])
    fixed = tf.stop_gradient(matrix)
    inputs = _unit(tf.matmul(state, fixed, transpose_b=True))
    outputs = _unit(tf.matmul(inputs, fixed))
    sigma = tf.reduce_sum(tf.matmul(inputs, matrix) * outputs)
    return sigma, outputs


def spectrally_normalised(variables: Dict[str, Any], keep: Callable = lambda state, outputs: None) -> Dict[str, Any]:
    """Return D's variables with every 3×3 weight divided by its largest singular value.

    Args:
        variables: Name → variable, or tensor.
        keep: Called with the name of each state and the iterated one [1, O].
    """
    changed = OrderedDict(variables)
    for name, state in singular_vector_names(variables).items():
        sigma, outputs = largest_singular_value(equalized(variables[name]), variables[state])
        changed[name] = variables[name] / sigma
        keep(state, outputs)
    return changed


# --- adaptive dropout (ADA paper, section 4): D's activations times log-normal noise whose strength is adapted as ADA's is


def noisy_layer(seed: tf.Tensor, strength: tf.Tensor) -> Callable:
    """Return a function (activations, layer name) → activations · exp(strength · N(0,1)).

    Args:
        seed: int32 [2]; every layer draws from its own sub-stream.
        strength: Scalar; 0 changes nothing.
    """

    def layer(x, name):
        noise = normal(seed, "adropout/" + name, x.shape.as_list())
        return x * tf.cast(tf.exp(noise * strength), x.dtype)

    return layer
