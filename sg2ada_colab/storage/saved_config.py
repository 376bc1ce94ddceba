"""What a run was begun with, from its training_options.json, or else from its newest training state."""

import os
from typing import List, Optional, Sequence, Tuple

from ..config.options_file import read_first_config, saved_in
from ..config.train_config import TrainConfig
from ..errors import UserError
from ..json_text import BadJson
from ..run_files import order_of
from .choose import RunFolder
from .training_state import read_meta

CONFIG_KEY = "config"  # in the counters of a training state


def saved_config(folders: Sequence[str]) -> Tuple[TrainConfig, str, List[str]]:
    """Return (`TrainConfig`, the folder that it was found in, sentences for the user) of a run that lies in several places.

    The options of the nearest folder count that has some which can be read. Where none has, as when a machine is lost while they
    are copied to Drive, each training state holds them, too: those of the newest one count.

    Raises:
        UserError: They can be read nowhere, or the file system fails, which may be over soon; the error is that of the options.
    """
    try:
        return (*read_first_config(folders), [])
    except UserError as problem:
        fails = isinstance(problem.__cause__, OSError) and not isinstance(problem.__cause__, FileNotFoundError)
        found = None if fails else _of_newest_state(folders)
        if found is None:
            raise
        config, path = found
        return config, os.path.dirname(path), [f"{problem.what} Its settings are those that {path} holds."]


def _of_newest_state(folders: Sequence[str]) -> Optional[Tuple[TrainConfig, str]]:
    states = [(order_of(name), path) for folder in folders for name, path in RunFolder(folder).states()]
    for _, path in sorted(states, key=lambda one: one[0], reverse=True):
        try:
            saved = read_meta(path).get(CONFIG_KEY)
            if saved:
                return saved_in(saved), path
        except (UserError, BadJson, OSError):
            continue
    return None
