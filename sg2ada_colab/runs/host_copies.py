"""Copies of a training state in the host's memory, which is taken once and touched before it is needed."""

import threading

import numpy as np

from ..snapshots.network_data import NetworkData, NetworkSnapshot

PAGE_BYTES = 4096
NETWORKS = ("G", "D", "Gs")


class HostCopies:
    """Memory for one copy of a TrainState, filled anew for each snapshot.

    A virtual machine gets memory from its host page by page at the first touch, which took over six seconds for a state of
    0.9 GB where every later copy took half a second. So a thread touches it all while the networks are being compiled.

    Args:
        state: TrainState.
    """

    def __init__(self, state):
        self.state = state
        self._variables = {name: dict(getattr(state, name).variables) for name in NETWORKS}
        self._variables["rest"] = dict(state._variables())
        self._memory = {part: {name: _memory_for(one) for name, one in named.items()} for part, named in self._variables.items()}
        self._toucher = threading.Thread(target=self._touch, name="snapshot-memory", daemon=True)
        self._toucher.start()

    def _touch(self):
        for arrays in self._memory.values():
            for array in arrays.values():
                array.reshape(-1).view(np.uint8)[::PAGE_BYTES] = 0

    def take(self):
        """Copy everything off the device.

        Returns:
            (NetworkSnapshot, dict name → array of the rest, as `TrainState.arrays` gives it). They are overwritten by the next
            call: whoever writes them must have ended by then.
        """
        self._toucher.join()
        for part, named in self._variables.items():
            for name, variable in named.items():
                np.copyto(self._memory[part][name], np.asarray(variable.read_value()), casting="no")
        networks = {name: self._network(name) for name in NETWORKS}
        return NetworkSnapshot(**networks), dict(self._memory["rest"])

    def _network(self, name):
        return NetworkData(name, getattr(self.state, name).config.to_kwargs(), dict(self._memory[name]))


def _memory_for(variable):
    return np.empty(variable.shape.as_list(), variable.dtype.as_numpy_dtype)
