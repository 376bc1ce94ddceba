"""What a notebook's training cell asks for: its dataset by name, its form's options, and the plan of the run."""

import argparse
import os
from dataclasses import fields
from typing import Any, List, Mapping, Optional, Tuple, Union

from ..config.options import TrainOptions, flag_of
from ..config.resume_check import OtherSettingsError
from ..errors import UserError
from ..files import FilePath
from ..runs import plan
from ..runs.plan import RunPlan
from ..storage.places import workspace_places
from ..storage.which_run import runs_of
from ..storage.workspace import Workspace


def find_dataset(workspace: Workspace, name: Optional[FilePath] = None) -> str:
    """Return the path of a dataset: a path as it is, a name in the workspace, or the one that was prepared last.

    Raises:
        UserError: There is none, or more than one to choose from.
    """
    places = {name: folder for folder in workspace.dataset_places()[::-1] for name in dataset_names(folder)}
    names = sorted(places)
    wanted = name or workspace.choices.get("dataset")
    if wanted and os.path.exists(os.path.expanduser(str(wanted))) and os.sep in str(wanted):
        return os.path.abspath(os.path.expanduser(str(wanted)))
    if wanted in names:
        return os.path.join(places[wanted], wanted)
    if not name and len(names) == 1:
        return os.path.join(places[names[0]], names[0])
    there = "the workspace holds {}".format(", ".join(names)) if names else "the workspace holds none yet"
    raise UserError(
        f"There is no dataset {name!r}." if name else "It is not clear which dataset to take.",
        f"the name of a dataset in {workspace.datasets}; {there}",
        "write one of these names" if names else "run the notebook that prepares a dataset first",
    )


def dataset_names(folder: FilePath) -> List[str]:
    """Return the names of the datasets in a folder, in no order."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    whole = [name for name in names if not name.startswith(".") and not name.endswith(".partial")]
    return [name for name in whole if os.path.isdir(os.path.join(folder, name)) or name.endswith(".zip")]


def find_run(here: Workspace, run: Union[str, int, None] = None) -> Tuple[str, List[str]]:
    """Return (run name, its folders, the nearest first): a run by its name or number, or the newest.

    Args:
        here: `Workspace`.

    Raises:
        UserError: There is none.
    """
    runs = runs_of(here.places())
    wanted = str(run) if run not in (None, "") else None
    for name, folders in runs:
        if wanted in (None, name) or (wanted.isdigit() and int(name.split("-")[0]) == int(wanted)):
            return name, folders
    raise UserError(
        f"There is no run {run!r}." if wanted else "There is no run yet.",
        "one of: {}".format(", ".join(name for name, _ in runs[:10])) if runs else f"a run in {here.results}",
        "write one of these names" if runs else "run the notebook that trains first",
    )


def plan_run(
    workspace: Workspace, data_path: str, options: Mapping[str, Any], new_run: bool = False, run: Union[str, int, None] = None
) -> RunPlan:
    """Return the `RunPlan` of a notebook's training cell, as `runs.plan` decides it.

    Args:
        workspace: `Workspace`.
        data_path: Folder of the dataset, on a fast disk.
        options: Dict of `TrainOptions` fields that were given.
        new_run: Begin a new run in any case.
        run: Name or number of the run to go on with; None: `runs.plan` chooses.

    Raises:
        UserError: As `runs.plan.plan_run`.
    """
    name = None if run in (None, "") else find_run(workspace, run)[0]
    wanted = parse_options(dict(options, data=str(data_path), outdir=workspace.results))
    try:
        return plan.plan_run(wanted, workspace_places(workspace, name), new_run)
    except OtherSettingsError as error:
        advice = error.next_step + " In a notebook: or begin a new run with the new settings, with new_run=True."
        other = OtherSettingsError(error.what, error.expected, advice)
        other.run, other.changed = error.run, error.changed
        raise other from None


def parse_options(options: Mapping[str, Any]) -> TrainOptions:
    """Return the `TrainOptions` of a dict; values that are text, as forms give them, are read as on the command line.

    Raises:
        UserError: A name or a value that `sg2ada train` does not know.
    """
    kinds = {f.name: f.metadata["kind"] for f in fields(TrainOptions)}
    unknown = [name for name in options if name not in kinds]
    if unknown:
        raise UserError(
            "train() does not know the options {}.".format(", ".join(unknown)),
            "options of `sg2ada train` with underscores, such as batch_gpu=8",
            "see them all with: !python -m sg2ada_colab train --help",
        )
    parsed = {}
    for name, value in options.items():
        try:
            parsed[name] = kinds[name](value) if isinstance(value, str) else value
        except (ValueError, argparse.ArgumentTypeError):
            raise UserError(
                f"{name}={value!r} cannot be read.", f"a value as for {flag_of(name)} of `sg2ada train`",
                "see what it takes with: !python -m sg2ada_colab train --help",
            ) from None  # fmt: skip
    return TrainOptions(**parsed)
