"""Seeds on the host: a stream's seed is a function of (run seed, stream name, step); imports no TensorFlow."""

import hashlib

import numpy as np


def step_seed(run_seed, stream, step):
    """Return the int32 [2] seed of one stream at one step.

    Args:
        run_seed: Integer of the run (`--seed`).
        stream: Name of the consumer, such as "D_main".
        step: Integer that counts the consumer's calls.
    """
    digest = hashlib.sha256("{}/{}/{}".format(run_seed, stream, step).encode()).digest()
    return np.frombuffer(digest[:8], "<i4").copy()


def random_state(run_seed, stream, step):
    """Return a NumPy `RandomState` for one stream at one step; its draws are frozen across NumPy versions."""
    return np.random.RandomState(step_seed(run_seed, stream, step).view(np.uint32))
