"""Put a run folder in order after a crash: list what is whole, take away what was cut short."""

import os
from contextlib import suppress

from ..errors import UserError
from .atomic import TEMPORARY, sha256_of
from .choose import RunFolder, list_folder, read_pickle_by_default
from .manifest import FileRecord, SnapshotRecord, pickle_name, state_name
from .training_state import verify_state


def tidy(store, read_pickle=None, truncate=False):
    """Put the run folder of a `RunStore` in order; only the holder of the run's lease may do it.

    Snapshots that are whole but not listed enter manifest.json. Of those that are not whole, the training state goes, and the
    pickle if it is not the one that the state names. A pickle without a state stays: a person may have put it there. Files
    that `atomic_file` left half written go.

    Args:
        store: `RunStore`.
        read_pickle: As for `choose.newest_good`.
        truncate: True on Drive, where deleted bytes count until they are cut off.

    Returns:
        Names of the files that were deleted.
    """
    folder = RunFolder(store.run_dir)
    doomed = [name for name in list_folder(store.run_dir) if name.endswith(TEMPORARY)]
    for name in sorted(folder.names()):
        if store.record(name) is not None:
            continue
        candidate, _ = folder.check(name, read_pickle or read_pickle_by_default)
        if candidate is None:
            doomed += _ours(folder, name)
        elif os.path.basename(candidate.pickle) == pickle_name(name) and os.path.basename(candidate.state) == state_name(name):
            store.adopt(record_of(candidate))
    for name in doomed:
        with suppress(OSError):
            if truncate:
                os.truncate(store.path(name), 0)
            os.unlink(store.path(name))
    return doomed


def _ours(folder, name):
    """Return the files of a snapshot that is not whole and that this program, not a person, put there."""
    kinds = folder.files.get(name, {})
    if state_name(name) not in kinds.get("training-state", []):
        return []
    state, pickle = (os.path.join(folder.path, file_of(name)) for file_of in (state_name, pickle_name))
    mine = False
    try:
        named = verify_state(state).get("snapshot", {}).get("pickle")
        if named is not None and pickle_name(name) in kinds.get("network-snapshot", []):
            # The state is whole. So the pickle is what is wrong, unless Drive had merely failed to read one of them.
            if sha256_of(pickle) == (named["bytes"], named["sha256"]):
                return []
            mine = True
    except UserError:
        pass
    except OSError:
        return []
    return [state_name(name)] + ([pickle_name(name)] if mine else [])


def record_of(candidate):
    """Return the `SnapshotRecord` of a verified candidate under the exact names of its files."""
    meta = verify_state(candidate.state)
    files = {
        pickle_name(candidate.name): FileRecord(*sha256_of(candidate.pickle)),
        state_name(candidate.name): FileRecord(*sha256_of(candidate.state)),
    }
    when = meta.get("snapshot", {}).get("time") or os.path.getmtime(candidate.state)
    return SnapshotRecord(candidate.name, candidate.kimg, meta.get("nimg"), when, files)
