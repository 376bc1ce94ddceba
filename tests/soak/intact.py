"""Which snapshots in a folder are whole: judged from the bytes, with nothing of the package that is tested."""

import hashlib
import io
import json
import os
import re

import numpy as np

FILE = re.compile(r"(network-snapshot|training-state)-(\d{6,}(?:-\d+)?)(?: \(\d+\))?\.(?:pkl|npz)$")


def files_of(name):
    """Return the two file names of a snapshot."""
    return [f"network-snapshot-{name}.pkl", f"training-state-{name}.npz"]


class Inspector:
    """Finds the whole snapshots of a run folder.

    Whole is a training state whose every member has its checksum, beside a pickle of the size and the SHA-256 that this state
    names. Neither a manifest nor the package's readers are asked.

    Args:
        count: Key of the position in a state's meta.
        check_contents: Callable of (position, arrays, pickle's bytes), which raises AssertionError where a snapshot that is
            whole does not hold what it should.
    """

    def __init__(self, count, check_contents):
        self.count, self.check_contents = count, check_contents
        self._states = {}  # SHA-256 of a state -> (position, size and SHA-256 of its pickle), or None where it is damaged
        self._checked = set()  # (SHA-256 of a state, of a pickle) whose contents were checked

    def whole(self, run_dir):
        """Return {snapshot name: position}; read a folder behind the mount, where no fault of the mount plays a part."""
        found = {}
        for name, kinds in _grouped(str(run_dir)).items():
            pickles = {_identity(content): content for content in map(_content, kinds["network-snapshot"])}
            for state in map(_content, kinds["training-state"]):
                position, named = self._read_state(state)
                if named in pickles:
                    found[name] = position
                    self._check(state, pickles[named])
        return found

    def _read_state(self, content):
        key = _identity(content)
        if key not in self._states:
            opened = _open_state(content)
            bound = opened[0]["snapshot"]["pickle"] if opened else None
            self._states[key] = (opened[0][self.count], (bound["bytes"], bound["sha256"])) if opened else (None, None)
        return self._states[key]

    def _check(self, state, pickle):
        key = _identity(state), _identity(pickle)
        if key not in self._checked:
            meta, arrays = _open_state(state)
            self.check_contents(meta[self.count], arrays, pickle)
            self._checked.add(key)


def _grouped(run_dir):
    """Return {snapshot name: {"network-snapshot": [paths], "training-state": [paths]}}, twins among them."""
    groups = {}
    for file_name in sorted(os.listdir(run_dir)) if os.path.isdir(run_dir) else []:
        match = FILE.match(file_name)
        if match:
            kinds = groups.setdefault(match.group(2), {"network-snapshot": [], "training-state": []})
            kinds[match.group(1)].append(os.path.join(run_dir, file_name))
    return groups


def lying_pickles(run_dir):
    """Return the names of the snapshots whose network pickle lies in a folder and is not empty."""
    groups = _grouped(str(run_dir))
    return {name for name, kinds in groups.items() if any(os.path.getsize(path) for path in kinds["network-snapshot"])}


def _content(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:  # a deletion that was asked for earlier reached the cloud just now
        return b""


def _identity(content):
    return len(content), hashlib.sha256(content).hexdigest()


def _open_state(content):
    """Return (meta, arrays), or None where anything at all is wrong with the bytes."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            header = json.loads(str(archive["__state__"][()]))
            return header["meta"], {name: archive[name] for name in header["arrays"]}
    except Exception:
        return None
