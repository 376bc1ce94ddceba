"""One network of two: coarse layers of one, fine layers of the other (Pinkney and Adler 2020, "Resolution dependent GAN
interpolation")."""

import math
import re
from typing import Optional, Sequence

import numpy as np

from ..errors import UserError
from ..formats.network_data import NetworkData, NetworkSnapshot
from .same_layers import check_same_layers

MAPPINGS = ("lower", "higher")
_RESOLUTION, _NOISE = re.compile(r"synthesis/(\d+)x\d+/"), re.compile(r"synthesis/noise(\d+)$")


def share_of_higher(resolution: int, split: int, width: float = 0.0) -> float:
    """Return how much of the network of fine layers a layer gets, 0 to 1.

    Args:
        resolution: Of the layer.
        split: The lowest resolution that comes from the network of fine layers.
        width: Of the logistic step, in doublings of the resolution; 0 is a hard step.
    """
    above = math.log2(resolution / split) + 0.5  # the step is half-way between `split` and the resolution below it
    if not width:
        return float(above > 0)
    return 0.5 + 0.5 * math.tanh(above / (2 * width))


def resolution_of(name: str) -> Optional[int]:
    """Return the resolution of a variable of a generator's synthesis, None for the mapping and the average of w."""
    block, noise = _RESOLUTION.match(name), _NOISE.match(name)
    if noise:
        return 2 ** ((int(noise.group(1)) + 5) // 2)
    return int(block.group(1)) if block else None


def blend(
    lower: NetworkSnapshot,
    higher: NetworkSnapshot,
    split: int,
    width: float = 0.0,
    mapping: str = "lower",
    titles: Sequence[str] = ("the first network", "the second"),
) -> NetworkSnapshot:
    """Return a NetworkSnapshot with the coarse layers of `lower` and the fine layers of `higher`.

    Args:
        lower, higher: NetworkSnapshots with the same layers, one of which was usually trained from the other: others have no
            common meaning of w.
        split, width: See `share_of_higher`.
        mapping: Whose mapping and average of w: "lower" or "higher".
        titles: What to call the two in messages.

    Raises:
        UserError: They do not fit, or the numbers cannot be used.
    """
    for a, b in ((lower.G, higher.G), (lower.Gs, higher.Gs)):
        check_same_layers([a, b], titles, "blended")
    _check_numbers(split, width, mapping, lower.Gs.resolution)
    networks = [_blended(getattr(lower, name), getattr(higher, name), split, width, mapping) for name in ("G", "Gs")]
    notes = ["D is that of the network of the fine layers; it has not seen what the blended G makes."]
    return NetworkSnapshot(networks[0], higher.D, networks[1], notes=notes)


def _blended(lower, higher, split, width, mapping):
    variables = {}
    for name, low in lower.variables.items():
        resolution, high = resolution_of(name), higher.variables[name]
        share = float(mapping == "higher") if resolution is None else share_of_higher(resolution, split, width)
        mixed = np.float64(low) + share * (np.float64(high) - np.float64(low))
        variables[name] = np.asarray(low if share == 0 else high if share == 1 else mixed, np.float32)
    return NetworkData(lower.name, dict(lower.kwargs), variables)


def _check_numbers(split, width, mapping, resolution):
    sizes = [2**power for power in range(3, int(math.log2(resolution)) + 1)]
    if split not in sizes:
        raise UserError(f"The split is at {split}.", f"a resolution of these networks above 4: {', '.join(map(str, sizes))}",
                        f"write --split={sizes[len(sizes) // 2]}")  # fmt: skip
    if not (isinstance(width, (int, float)) and math.isfinite(width) and width >= 0):
        raise UserError(f"The width of the step is {width}.", "a number of doublings from 0 (a hard step)", "write --width=1")
    if mapping not in MAPPINGS:
        raise UserError(f"The mapping network of {mapping!r} is asked for.", " or ".join(MAPPINGS), "write lower, the default")
