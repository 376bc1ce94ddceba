"""Which network a notebook works on, and where its pictures go: a run of the workspace, or any network by its name."""

import os
import re
from typing import NamedTuple, Optional, Tuple, Union

from ..errors import UserError
from ..files import FilePath
from ..generate.find_network import BEST, find_network, run_folders, run_pickles
from ..storage.which_run import runs_of
from .session import tell, workspace

PICTURES = "pictures"  # folder in a run's folder, and in the workspace for networks that are no runs
SHIPPED = "flags"


class OpenedNetwork(NamedTuple):
    """A network, or a run with its snapshots."""

    name: str  # for people, and in names of files
    pictures: str  # folder that its pictures go to; it may not be there yet
    folders: Tuple[str, ...] = ()  # of the run, the nearest first
    path: Optional[str] = None  # of the file, where it is no run


def opened_network(name: Union[FilePath, int, None] = None) -> OpenedNetwork:
    """Return the OpenedNetwork that a person names.

    Args:
        name: As `sg2ada_colab.load` takes it; None or "": the newest run, or the network that ships where there is none.

    Raises:
        UserError: There is no such network, or the run has no snapshot.
    """
    here = workspace()
    name = "" if name is None else str(name).strip()
    if not name:
        runs = [folders for _, folders in runs_of(here.places()) if run_pickles(folders)]
        if not runs:
            tell("info", "There is no run with a snapshot yet; this is the small network of flags that ships with the library.")
            return _file(SHIPPED, here)
        return _run(runs[0])
    folders = [] if name.endswith(BEST) else run_folders(name, here.places())
    return _run(folders) if folders else _file(name, here)


def _run(folders):
    title = os.path.basename(os.path.abspath(folders[0]))
    if not run_pickles(folders):
        raise UserError(f"The run {title} has no snapshot.", "at least one", "train for a while first")
    return OpenedNetwork(title, os.path.join(folders[-1], PICTURES), tuple(folders))


def _file(name, here):
    """Return the OpenedNetwork of what is no run, read once to see that it is a network."""
    found = find_network(name, here.places())
    for note in found.notes:
        tell("info", note)
    folder = re.sub(r"[^\w.-]+", "-", os.path.splitext(found.title)[0]).strip(".-") or "network"
    return OpenedNetwork(found.title, os.path.join(here.root, PICTURES, folder), (), found.path)
