"""Where runs lie: in Colab on the machine's disk and on Drive, and the two are one; elsewhere in one folder."""

import os
from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

from ..machine import in_colab, in_kaggle
from ..run_files import MANIFEST, OPTIONS
from .choose import list_folder
from .workspace import MACHINE_FOLDER, MOUNTPOINT, Workspace, usual_folder, workspace_root

FROM_DRIVE = os.path.join(MACHINE_FOLDER, "from-drive")  # for results folders on Drive that are not the workspace's


@dataclass(frozen=True)
class Places:
    """A folder of runs, and the run in it that was named, if one was."""

    results: Tuple[str, ...]  # folders that are one, the nearest first: runs are looked for in all, and trained in the first
    run: Optional[str] = None  # name of the run's folder
    drive: Optional[str] = None  # the one of them that runs are copied to; None where the first is where they stay

    def folders(self, run: str) -> List[str]:
        """Return the folders of a run, the nearest first; they need not exist."""
        return [os.path.join(folder, run) for folder in self.results]


def workspace_places(workspace: Workspace, run: Optional[str] = None) -> Places:
    """Return the `Places` of a workspace, and of a run in it that is named."""
    drive = workspace.results if workspace.machine_results != workspace.results else None
    return Places(tuple(workspace.places()), run, drive)


def usual_results() -> str:
    """Return the results folder of the usual workspace: on Drive in Colab, else in the home folder."""
    return Workspace(workspace_root(usual_folder())).results


def results_places(results_dir: str) -> Places:
    """Return the `Places` of a folder of runs: two in Colab where one of them is on Drive; on Kaggle its inputs, too.

    Args:
        results_dir: Either of them, or any folder.
    """
    given, path = str(results_dir), os.path.abspath(str(results_dir))
    if not (in_colab() or in_kaggle()):
        return Places((given,))
    workspace = Workspace(workspace_root(usual_folder()))
    if path in (workspace.results, workspace.machine_results):
        return workspace_places(workspace)
    far = near = path
    if path.startswith(MOUNTPOINT + os.sep):
        near = os.path.join(FROM_DRIVE, os.path.relpath(path, MOUNTPOINT))
    elif path.startswith(FROM_DRIVE + os.sep):
        far = os.path.join(MOUNTPOINT, os.path.relpath(path, FROM_DRIVE))
    return Places((near, far), drive=far) if near != far else Places((given,))


def run_places(run_dir: str) -> Places:
    """Return the `Places` of a run that is named by its folder, which need not exist."""
    path = str(run_dir).rstrip(os.sep)
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        path = os.path.abspath(path)
    results, name = os.path.split(path)
    return replace(results_places(results or os.curdir), run=name)


def find_places(folder: str) -> Places:
    """Return the `Places` that a folder means: of the run that it is, in either place, or of the runs that it holds."""
    named = run_places(folder)
    is_run = any({OPTIONS, MANIFEST} & set(list_folder(place)) for place in named.folders(named.run or ""))
    return named if is_run else results_places(folder)
