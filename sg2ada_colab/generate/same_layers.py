"""Whether networks can be made into one: the same settings and, layer by layer, the same shapes."""

import dataclasses
from typing import Sequence

import numpy as np

from ..errors import UserError
from ..formats.network_data import NetworkData, some_of

# Settings that change how a network is trained or how exactly it is computed, and not what its weights mean.
MAY_DIFFER = frozenset(["num_fp16_res", "style_mixing_prob", "w_avg_beta"])


def check_same_layers(networks: Sequence[NetworkData], titles: Sequence[str], what: str) -> None:
    """Raise a UserError that names each setting and each layer in which networks differ.

    Args:
        networks: Two NetworkData or more, all generators or all discriminators.
        titles: What to call them.
        what: What cannot be done, such as "blended".
    """
    first = networks[0]
    for network, title in zip(networks[1:], titles[1:]):
        lines = _settings(first, network) + _layers(first.variables, network.variables)
        if lines:
            shown = "; ".join(lines[:12]) + (f"; and {len(lines) - 12} more" if len(lines) > 12 else "")
            raise UserError(
                f"{titles[0]} and {title} cannot be {what}, their {first.name} differ: {shown}.",
                "networks of the same settings and layers, such as snapshots of one run or a run and the network that it was "
                "started from",
                "`sg2ada inspect` lists the layers of each",
            )


def _settings(first, other):
    ours, theirs = dataclasses.asdict(first.config), dataclasses.asdict(other.config)
    return [f"{name} is {ours[name]} and {theirs[name]}" for name in ours
            if name not in MAY_DIFFER and ours[name] != theirs[name]]  # fmt: skip


def _layers(ours, theirs):
    lines, missing = [], [name for name in ours if name not in theirs] + [name for name in theirs if name not in ours]
    for name in ours:
        if name in theirs and np.shape(ours[name]) != np.shape(theirs[name]):
            lines.append(f"{name} is {_sides(ours[name])} and {_sides(theirs[name])}")
    return lines + ([f"only one has {some_of(missing)}"] if missing else [])


def _sides(value):
    return "x".join(str(side) for side in np.shape(value)) or "a number"
