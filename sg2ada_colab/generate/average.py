"""The mean of several snapshots' generators (stochastic weight averaging, Izmailov et al. 2018)."""

from typing import Any, Dict, Iterable, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..formats.network_data import NetworkData, NetworkSnapshot
from .same_layers import check_same_layers


def average(snapshots: Iterable[NetworkSnapshot], titles: Optional[Sequence[str]] = None) -> NetworkSnapshot:
    """Return a NetworkSnapshot whose G and Gs are the means of those of several, and whose D is the last one's.

    Args:
        snapshots: Iterable of two NetworkSnapshots or more, old to new; one is held at a time, beside the first and the sums.
        titles: What to call them in messages.

    Raises:
        UserError: There are fewer than two, or they do not fit.
    """
    sums: Dict[Tuple[str, str], Any] = {}
    first: Any = None
    D: Any = None
    count = 0
    for count, snapshot in enumerate(snapshots, 1):
        first, D = first or snapshot, snapshot.D
        names = [titles[0], titles[count - 1]] if titles else ["network 1", f"network {count}"]
        for name in ("G", "D", "Gs"):
            check_same_layers([getattr(first, name), getattr(snapshot, name)], names, "averaged")
        for network in (snapshot.G, snapshot.Gs):
            for variable, value in network.variables.items():
                key = network.name, variable
                sums[key] = sums.get(key, 0.0) + np.float64(value)
    if count < 2:
        raise UserError(
            f"{count or 'No'} network is given to average.", "two or more", "name several snapshots, or a run and --last=3"
        )
    means: Dict[str, Dict[str, np.ndarray]] = {name: {} for name in ("G", "Gs")}
    for (name, variable), total in sums.items():
        means[name][variable] = np.asarray(total / count, np.float32)
    G, Gs = (NetworkData(name, dict(getattr(first, name).kwargs), means[name]) for name in ("G", "Gs"))
    return NetworkSnapshot(G, D, Gs, notes=[f"G and Gs are the means of {count} networks; D is that of the newest."])
