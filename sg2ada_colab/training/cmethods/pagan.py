"""Progressive augmentation (PA-GAN; Zhang and Khoreva 2019): D is given random bits and must undo their parity.

The number of bits grows with the strength p, which is adapted as that of ADA is. With an even number of ones "real" means
real, with an odd number it means fake, so that every bit makes D's task harder. A bit enters as a constant extra channel of
the image: a row of weights that is added to FromRGB's result.
"""
from collections import OrderedDict

from ...draws import uniform
from ...networks.layers import equalized
from ...tf import tf

NUM_BITS = 16
FADE = 0.5  # share of its interval of p in which a new bit fades in


def bits(seed, count, p):
    """Return bits 0 or 1, float32 [N, 16]: at strength p the first 16·p are fair coins, the newest a growing chance of 1."""
    shares = tf.clip_by_value((p * NUM_BITS - tf.range(NUM_BITS, dtype=tf.float32)) / FADE, 0.0, 1.0)
    return tf.cast(uniform(seed, "pagan", [count, NUM_BITS]) < 0.5 * shares, tf.float32)


def signs(bits):
    """Return +1 for an even and −1 for an odd number of ones: [N, 1]. D's raw scores times these are scores of realness."""
    return 1.0 - 2.0 * tf.math.floormod(tf.reduce_sum(bits, axis=1, keepdims=True), 2.0)


def weight_name(resolution):
    """Return the name of the bits' weights [16, channels of FromRGB]."""
    return "{0}x{0}/FromRGB/PAGAN/weight".format(resolution)


def with_bits(variables, resolution, bits):
    """Return D's variables with a bias of FromRGB for each image that the bits have been added to."""
    name = "{0}x{0}/FromRGB/bias".format(resolution)
    shift = tf.reduce_sum(bits[:, :, tf.newaxis] * equalized(variables[weight_name(resolution)]), axis=1)
    changed = OrderedDict(variables)
    changed[name] = (variables[name] + shift)[:, tf.newaxis, tf.newaxis, :]
    return changed
