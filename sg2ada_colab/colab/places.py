"""Where runs lie: in Colab on the machine's disk and on Drive, and the two are one; elsewhere in one folder."""

import os
import re
from dataclasses import dataclass
from typing import Optional

from ..training.run_name import latest_run
from .drive import MOUNTPOINT, choose_drive
from .runtime import in_colab
from .workspace import MACHINE_FOLDER, Workspace, workspace_root

FROM_DRIVE = os.path.join(MACHINE_FOLDER, "from-drive")  # for results folders on Drive that are not the workspace's


@dataclass(frozen=True)
class RunPlaces:
    """The folders of one run."""

    here: str  # where it is trained: on this machine's disk
    drive: Optional[str] = None  # the same run on Drive; None where `here` is where it stays

    @property
    def folders(self):
        """The nearest first."""
        return [self.here] + ([self.drive] if self.drive else [])

    def folder_with(self, file_name):
        """Return the nearest folder that has a file, or None."""
        return next((folder for folder in self.folders if os.path.isfile(os.path.join(folder, file_name))), None)


def usual_results():
    """Return the results folder of the usual workspace: on Drive in Colab, else in the home folder."""
    return Workspace(workspace_root(choose_drive().root)).results


def results_places(results_dir):
    """Return the folders that are one results folder, the nearest first: two in Colab where one of them is on Drive.

    Args:
        results_dir: Either of them, or any folder.
    """
    path = os.path.abspath(str(results_dir))
    if not in_colab():
        return [str(results_dir)]
    workspace = Workspace(workspace_root(choose_drive().root))
    if path in (workspace.results, workspace.machine_results):
        return workspace.places()
    for near, far in ((FROM_DRIVE, MOUNTPOINT), (MOUNTPOINT, FROM_DRIVE)):
        if path.startswith(far + os.sep):
            pair = [path, os.path.join(near, os.path.relpath(path, far))]
            return pair if far == FROM_DRIVE else pair[::-1]
    return [str(results_dir)]


def run_places(run_dir):
    """Return the `RunPlaces` of a run folder, which need not exist."""
    path = str(run_dir).rstrip(os.sep)
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        path = os.path.abspath(path)
    results, name = os.path.split(path)
    return RunPlaces(*[os.path.join(place, name) for place in results_places(results or os.curdir)])


def newest_run(results_dir, file_name):
    """Return the `RunPlaces` of the run with the highest number that has the file `file_name` in either place, or None."""
    found = [path for path in (latest_run(place, file_name) for place in results_places(results_dir)) if path]
    return run_places(max(found, key=_number)) if found else None


def _number(run_dir):
    name = os.path.basename(run_dir)
    return int(re.match(r"\d+", name).group()), name


def find_run(folder, file_name):
    """Return the `RunPlaces` of a run, or None.

    Args:
        folder: The run's folder, in either place; or a folder of runs, of which the newest is taken.
        file_name: A file that makes a folder a run's.
    """
    named = run_places(folder)
    return named if named.folder_with(file_name) else newest_run(folder, file_name)
