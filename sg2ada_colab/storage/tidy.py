"""Put a run folder in order after a crash: list what is complete, take away what was cut short."""

import os
from contextlib import suppress
from typing import List, Optional

from ..errors import UserError
from ..files import TEMPORARY, delete_file, sha256_of
from ..run_files import NETWORKS, TRAINING_STATE, pickle_name, state_name
from .check_files import run_of
from .choose import Candidate, RunFolder, list_folder
from .store import RunStore
from .training_state import verify_state


def tidy(store: RunStore, known: Optional[Candidate] = None, truncate: bool = False) -> List[str]:
    """Put the run folder of a `RunStore` in order; only the holder of the run's lease may do it.

    Snapshots that are complete but not listed enter manifest.json, and those whose files are gone leave it. Of those that are
    not complete, the training state goes, and the pickle if it is not the one that the state names. A pickle without a state
    stays: a person may have put it there; so does what belongs to another run. Files that `atomic_file` left half written go.

    Args:
        store: `RunStore`.
        known: Optional `Candidate` of this folder that this process has verified.
        truncate: True on Drive, where deleted bytes count until they are cut off.

    Returns:
        Names of the files that were deleted.
    """
    folder = RunFolder(store.run_dir)
    folder.run_id = folder.run_id or store.run_id
    to_delete = [name for name in list_folder(store.run_dir) if name.endswith(TEMPORARY)]
    gone = [record.name for record in store.snapshots() if folder.lacks_files(record)]
    if gone:
        store.forget(gone)
    for name in sorted(folder.files):
        if store.record(name) is not None:
            continue
        candidate = known if known is not None and known.name == name else folder.check(name)[0]
        if candidate is None:
            to_delete += _files_to_delete(folder, name)
        elif os.path.basename(candidate.pickle) == pickle_name(name) and os.path.basename(candidate.state) == state_name(name):
            store.adopt(candidate.record)
    for name in to_delete:
        store.before_write()
        with suppress(OSError):
            delete_file(store.path(name), truncate)
    return to_delete


def _files_to_delete(folder, name):
    """Return the files of a snapshot that is not complete and that this run, not a person, put there."""
    kinds = folder.files.get(name, {})
    if state_name(name) not in kinds.get(TRAINING_STATE, []):
        return []
    state, pickle = (os.path.join(folder.path, file_of(name)) for file_of in (state_name, pickle_name))
    mine = False
    try:
        meta = verify_state(state)
        if run_of(meta) != folder.run_id and run_of(meta) is not None:
            return []
        named = (meta.get("snapshot") or {}).get("pickle")
        if named is not None and pickle_name(name) in kinds.get(NETWORKS, []):
            # The state is complete. So the pickle is what is wrong, unless Drive had merely failed to read one of them.
            if sha256_of(pickle) == (named["bytes"], named["sha256"]):
                return []
            mine = True
    except UserError:
        pass
    except OSError:
        return []
    return [state_name(name)] + ([pickle_name(name)] if mine else [])
