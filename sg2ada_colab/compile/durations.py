"""How long compiling and starting took the last time on this kind of card: a file beside the compiled programs; no TensorFlow."""

import functools
import json
import os
from contextlib import suppress
from typing import Dict, List, Mapping, Optional, Sequence

from ..files import FilePath, write_text
from ..json_files import read_json
from ..machine import cudnn_version, device_name, processor_name, tensorflow_version
from .cache import CompileCache, combination, in_background, root_folder

FILE = "durations.json"  # {combination: {name: seconds}}
WAIT_S = 5.0  # for Drive, before a start goes on without what it knows


class Durations:
    """Seconds by name, for one kind of card (without one: of processor) and one TensorFlow.

    What can be neither read nor written costs only the sentence that would have told it.

    Args:
        kind: The card and TensorFlow, as `cache.combination` names them.
        folders: That hold the folders of the combinations, this machine's first, then Drive's. None of them: nothing is kept.
    """

    def __init__(self, kind: str, folders: Sequence[FilePath] = ()) -> None:
        self.kind, self.folders = kind, [str(folder) for folder in folders]
        self._known: List[Dict[str, float]] = [{} for _ in self.folders]
        for number in range(len(self.folders)):
            in_background(functools.partial(self._read, number)).join(WAIT_S)

    def _read(self, number):
        self._known[number].update(_read(self.folders[number]).get(self.kind, {}))

    def last_s(self, name: str) -> Optional[float]:
        """Return how many seconds something took the last time, or None."""
        return next((known[name] for known in self._known if name in known), None)

    def keep(self, seconds: Mapping[str, float]) -> None:
        """Keep how long things took, by name; what is not named stays. Drive is not waited for."""
        rounded = {name: round(value, 1) for name, value in seconds.items()}
        for number, folder in enumerate(self.folders):
            self._known[number].update(rounded)
            if number == 0:
                with suppress(OSError):
                    self._write(folder, rounded)
            else:
                in_background(functools.partial(self._write, folder, rounded))

    def _write(self, folder, seconds):
        content = _read(folder)
        content[self.kind] = dict(content.get(self.kind, {}), **seconds)
        os.makedirs(folder, exist_ok=True)
        write_text(os.path.join(folder, FILE), json.dumps(content, indent=1, sort_keys=True) + "\n")


def beside(cache: Optional[CompileCache]) -> Durations:
    """Return the `Durations` that belong to the programs of a CompileCache; without one nothing is known or kept."""
    if cache is None:
        return Durations("")
    folders = [os.path.dirname(folder) for folder in (cache.folder, cache.remote) if folder]
    return Durations(os.path.basename(cache.folder), folders)


def of_this_machine(drive: Optional[FilePath] = None, version: Optional[str] = None) -> Durations:
    """Return the `Durations` of this machine's card and a TensorFlow.

    Args:
        drive: Folder on Drive that holds folders of compiled programs, or None.
        version: Of TensorFlow; None is the one that this Python has.
    """
    device = device_name()
    cudnn = "" if device == processor_name() else cudnn_version()
    root = root_folder()
    folders = [] if root is None else [root] + [str(drive)] * bool(drive)
    return Durations(combination(device, version or tensorflow_version() or "-none", cudnn), folders)


def _read(folder):
    """Return what a folder's file holds, {} where it cannot be read or is damaged."""
    try:
        return read_json(os.path.join(folder, FILE), {str: {str: float}})
    except (OSError, ValueError):
        return {}
