"""Which network a new run begins with: what the form names, or the newest of an earlier run on a dataset that has grown since."""

import os
import re
from typing import List, Optional, Tuple, Union

from ..config.train_config import TrainConfig
from ..dataset.reading import Dataset
from ..errors import UserError
from ..shape import size_words
from ..storage.choose import newest_good
from ..storage.saved_config import saved_config
from ..storage.which_run import runs_of
from ..storage.workspace import Workspace
from ..words import shown
from .plan import find_run

NEWEST, NOISE = "newest", "noise"
RUN = re.compile(r"\d{1,5}(-.+)?")  # a run's number, or the name of its folder


def start_network(here: Workspace, data: Dataset, value: Union[str, int, None]) -> Optional[str]:
    """Return what the option `resume` is for the form's field start_from: a preset, path or address; None is noise.

    Args:
        here: `Workspace`.
        data: The opened dataset.
        value: Of the field: "" and "noise" are none; "newest" is the newest network of an earlier run on a dataset of this
            name; a run's number or name is its newest network; anything else is taken as it is.

    Raises:
        UserError: There is no such run, or it has no network.
    """
    text = str(value or "")
    if text in ("", NOISE):
        return None
    if text == NEWEST:
        found = earlier_run(here, data)
        if found is None:
            raise UserError(
                f"There is no earlier run on a dataset called {shown(data.name)} with images of {size_words(data.size)} px.",
                "a run on this dataset before it changed",
                "leave start_from empty, or write a run's number or the path of a .pkl",
            )
        return _newest_network(*found[:2])
    if RUN.fullmatch(text) and not os.path.exists(text):
        return _newest_network(*find_run(here, text))
    return text


def earlier_run(here: Workspace, data: Dataset) -> Optional[Tuple[str, List[str], TrainConfig]]:
    """Return (name, folders, `TrainConfig`) of the newest run on other images of the same name and size, or None."""
    digest = data.digest()
    for name, folders in runs_of(here.places()):
        try:
            config, _, _ = saved_config(folders)
        except UserError:  # another program's run, or its options are not there
            continue
        is_same_kind = (config.data.name, config.size, config.channels) == (data.name, data.size, data.channels)
        if is_same_kind and config.data.digest not in (None, digest) and _has_network(folders):
            return name, folders, config
    return None


def offer(name: str, config: TrainConfig, data: Dataset) -> UserError:
    """Return the UserError that asks where the training on a dataset that has changed is to begin."""
    return UserError(
        f"Nothing was started: {shown(data.name)} has changed since the run {shown(name)} was begun. It had "
        f"{config.data.num_images} images then and has {data.num_images} now.",
        f"a choice in the field start_from: {NEWEST}, which begins a new run with that run's newest network and is much "
        f"quicker, or {NOISE}, which begins from nothing",
        f"write {NEWEST} or {NOISE} into start_from, and run the cell again",
    )


def _has_network(folders):
    return newest_good(folders).candidate is not None


def _newest_network(name, folders):
    candidate = newest_good(folders).candidate
    if candidate is None:
        raise UserError(
            f"The run {shown(name)} has no complete snapshot.",
            "a run with a network-snapshot-NNNNNN.pkl",
            "choose another run, or leave start_from empty",
        )
    return candidate.pickle
