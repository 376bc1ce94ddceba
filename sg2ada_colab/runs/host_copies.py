"""Copies of a training state in the host's memory, which is taken once and touched before it is needed."""

import threading
from typing import Any, Dict, Mapping

import numpy as np

PAGE_BYTES = 4096


class HostCopies:
    """Memory for one copy of a state's variables, filled anew for each snapshot.

    A virtual machine gets memory from its host page by page at the first touch, which took over six seconds for a state of
    0.9 GB where every later copy took half a second. So a thread touches it all while the networks are being compiled.

    Args:
        variables: Result of `TrainState.variables`: part → name → tf.Variable.
    """

    def __init__(self, variables: Mapping[str, Mapping[str, Any]]) -> None:
        self._variables = variables
        self._memory = {part: {name: _memory_for(one) for name, one in named.items()} for part, named in variables.items()}
        self._toucher = threading.Thread(target=self._touch, name="snapshot-memory", daemon=True)
        self._toucher.start()

    def _touch(self):
        for arrays in self._memory.values():
            for array in arrays.values():
                array.reshape(-1).view(np.uint8)[::PAGE_BYTES] = 0

    def take(self) -> Dict[str, Dict[str, np.ndarray]]:
        """Copy everything off the device; return part → name → array.

        The arrays are overwritten by the next call: whoever writes them must have ended by then.
        """
        self._toucher.join()
        for part, named in self._variables.items():
            for name, variable in named.items():
                np.copyto(self._memory[part][name], np.asarray(variable.read_value()), casting="no")
        return {part: dict(arrays) for part, arrays in self._memory.items()}

    def close(self) -> None:
        """Wait for the thread that touches the memory."""
        self._toucher.join()


def _memory_for(variable):
    return np.empty(variable.shape.as_list(), variable.dtype.as_numpy_dtype)
