"""Stateless draws inside step functions: a function of (step seed, name) and nothing else."""

import zlib
from typing import Any

import numpy as np

from .tf import tf

SEED_DTYPE = tf.float64  # of seeds as inputs of compiled functions: TensorFlow would keep int32 in main memory, not on a GPU


def substream(seed: Any, name: str) -> Any:
    """Return the seed of a named sub-stream of `seed` (int32 [2]); works inside compiled functions."""
    key = name.encode()
    offsets = np.array([zlib.crc32(key), zlib.crc32(key[::-1] + b"/")], np.uint32).view(np.int32)
    return tf.bitwise.bitwise_xor(seed, tf.constant(offsets))


def normal(seed: Any, name: str, shape: Any, dtype: Any = tf.float32) -> Any:
    """Return N(0, 1) draws of the given shape from the sub-stream `name` of `seed`."""
    return tf.random.stateless_normal(shape, substream(seed, name), dtype=dtype)


def uniform(seed: Any, name: str, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Return float32 draws from U[low, high) of the given shape from the sub-stream `name` of `seed`."""
    return tf.random.stateless_uniform(shape, substream(seed, name), minval=low, maxval=high)
