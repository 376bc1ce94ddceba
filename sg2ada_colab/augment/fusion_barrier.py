"""Fusion barrier: keep XLA from computing the parameters of an image again for each of its pixels."""

from ..tf import tf


def fusion_barrier(rows: tf.Tensor) -> tf.Tensor:
    """Return the array [N, K] itself, behind an operation that XLA does not fuse into what uses it.

    Fusion would repeat the chain of draws, sines and products behind these numbers at every pixel, which doubled the
    pipeline's time on CPUs. A sum over segments of one row each changes nothing, and it is a scatter: fusion ends there.
    """
    return tf.math.unsorted_segment_sum(rows, tf.range(rows.shape[0]), rows.shape[0])
