"""Seeds on the host: a stream's seed is a function of (run seed, stream name, step); imports no TensorFlow."""

import hashlib
from typing import Union

import numpy as np


def step_seed(run_seed: Union[int, str], stream: str, step: int) -> np.ndarray:
    """Return the int32 [2] seed of one stream at one step.

    Args:
        run_seed: Integer of the run (`--seed`), or a text that is made of it, such as "7/120".
        stream: Name of the consumer, such as "D_main".
        step: Integer that counts the consumer's calls.
    """
    digest = hashlib.sha256(f"{run_seed}/{stream}/{step}".encode()).digest()
    return np.frombuffer(digest[:8], "<i4").copy()


def random_state(run_seed: int, stream: str, step: int) -> np.random.RandomState:
    """Return a NumPy `RandomState` for one stream at one step; its draws are frozen across NumPy versions."""
    return np.random.RandomState(step_seed(run_seed, stream, step).view(np.uint32))
