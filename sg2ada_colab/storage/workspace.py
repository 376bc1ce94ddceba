"""The folder tree on Drive that all notebooks share, and the one file that holds the user's choices."""

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Dict, List

from .. import machine
from ..errors import UserError
from ..files import FilePath, write_text
from ..json_files import check_shape, read_json
from ..machine import in_colab, input_folders

TREE = os.path.join("colab-sg2-ada", "stylegan2-ada")
FILE_NAME = "workspace.json"
FORMAT_VERSION = 1
MACHINE_FOLDER = "/content/sg2ada"  # on Colab's own disk: fast, and gone with the session
MOUNTPOINT = "/content/drive"  # where Colab mounts Google Drive


@dataclass
class Workspace:
    """The workspace: its folders and the choices that notebooks share."""

    root: str  # …/colab-sg2-ada/stylegan2-ada
    choices: Dict[str, object] = field(default_factory=dict)  # what JSON can hold
    notes: tuple = ()  # sentences about what was fixed while opening

    @property
    def datasets(self) -> str:
        return os.path.join(self.root, "datasets")

    @property
    def results(self) -> str:
        return os.path.join(self.root, "results")

    @property
    def machine_results(self) -> str:
        """The results folder on the machine's own disk, where runs are written first; the same as `results` off Colab."""
        return os.path.join(MACHINE_FOLDER, "results") if in_colab() else self.results

    def places(self) -> List[str]:
        """Return the results folders to look for runs in, the nearest first; on Kaggle those of its inputs, too."""
        own = [self.machine_results] + ([self.results] if self.machine_results != self.results else [])
        return own + input_folders(os.path.join(TREE, "results"))

    def dataset_places(self) -> List[str]:
        """Return the folders to look for datasets in; on Kaggle those of its inputs, too."""
        return [self.datasets] + input_folders(os.path.join(TREE, "datasets"))

    def choose(self, **choices: object) -> None:
        """Remember choices, beside those made before, in workspace.json."""
        self.choices.update(choices)
        self._save()

    def _save(self):
        content = {"format_version": FORMAT_VERSION, "saved": time.time(), "choices": self.choices}
        write_text(os.path.join(self.root, FILE_NAME), json.dumps(content, indent=1, sort_keys=True) + "\n")


def usual_folder() -> str:
    """Return the folder of the workspace where none is named: My Drive in Colab, what Kaggle keeps, else the home folder."""
    if machine.in_kaggle():
        return machine.KAGGLE_WORKING
    return os.path.join(MOUNTPOINT, "MyDrive") if in_colab() else os.path.expanduser("~")


def workspace_root(folder: FilePath) -> str:
    """Return where the workspace of a folder lies: the folder itself if it is one, else the tree in it."""
    folder = os.path.abspath(os.path.expanduser(str(folder)))
    is_one = os.path.isfile(os.path.join(folder, FILE_NAME)) or folder.endswith(os.sep + TREE)
    return folder if is_one else os.path.join(folder, TREE)


def open_workspace(folder: FilePath) -> Workspace:
    """Make or open the workspace in a folder; what is there stays as it is.

    Args:
        folder: MyDrive, or any folder; a path that is a workspace already is taken as such.

    Returns:
        Workspace.

    Raises:
        UserError: The folders cannot be made, or workspace.json is of a later version.
    """
    root = workspace_root(folder)
    workspace = Workspace(root)
    try:
        for path in (workspace.datasets, workspace.results):
            os.makedirs(path, exist_ok=True)
        workspace.choices, workspace.notes = _read_choices(os.path.join(root, FILE_NAME))
        if not os.path.exists(os.path.join(root, FILE_NAME)):
            workspace._save()
    except OSError as error:
        raise UserError(
            f"The workspace {root} cannot be made: {error.strerror or error}",
            "a folder that can be written to",
            "connect Drive again (notebook), or choose another folder: sg2ada init FOLDER",
        ) from error
    return workspace


def _read_choices(path):
    try:
        content = read_json(path, {"format_version": int})
        version = content["format_version"]
        check_shape(content, {"choices": dict} if version == FORMAT_VERSION else dict)
    except FileNotFoundError:
        return {}, ()
    except ValueError:
        # Drive can cut a file short. The choices are few and asked for again; the damaged file stays for a look.
        with suppress(OSError):
            os.replace(path, path + ".damaged")
        return {}, (f"{path} was damaged and begins anew; the old one is {FILE_NAME}.damaged.",)
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version}.",
            f"format version {FORMAT_VERSION}, the one that this release reads",
            "install the latest sg2ada_colab; or delete the file, which holds only your choices in the notebooks",
        )
    return content["choices"], ()
