"""The noise that synthesis adds: stored in the network, fresh for each picture, none, or as in NVIDIA's TensorFlow program."""

from typing import Dict, Mapping, Sequence

import numpy as np

from ..errors import UserError
from ..seeds import random_state

NOISE_MODES = ("const", "random", "none", "tf")


def check_noise_mode(mode: str) -> None:
    """Raise a UserError for a noise mode that does not exist."""
    if mode not in NOISE_MODES:
        raise UserError(f"There is no noise mode {mode!r}.", "one of " + ", ".join(NOISE_MODES), "write const, the default")


def noise_arrays(mode: str, stored: Mapping[str, np.ndarray], seeds: Sequence[int], latent_size: int) -> Dict[str, np.ndarray]:
    """Return dict name → float32 [n,1,H,W] of the noise that replaces the stored one; empty for `const`.

    A picture's noise depends on its seed alone, not on the pictures made with it.

    Args:
        mode: "const": the stored noise; "random": N(0,1) drawn from the seed; "none": zeros; "tf": as NVIDIA's TensorFlow
            program, which draws z and then the noise of every layer from one RandomState(seed).
        stored: dict name → array [1,1,H,W], in the order of the layers.
        seeds: One for each picture; `const` and `none` do not use them.
        latent_size: Length of z, which "tf" draws first.
    """
    check_noise_mode(mode)
    if mode == "const":
        return {}
    if mode == "none":
        return {name: np.zeros(value.shape, np.float32) for name, value in stored.items()}
    drawn = {name: np.empty((len(seeds),) + tuple(value.shape[1:]), np.float32) for name, value in stored.items()}
    for row, seed in enumerate(seeds):
        if mode == "tf":
            draws = np.random.RandomState(seed)
            draws.randn(latent_size)
        else:
            draws = random_state(seed, "picture noise", 0)
        for values in drawn.values():
            values[row] = draws.randn(*values.shape[1:])
    return drawn
