"""The verbs `init`, `runs` and `doctor`."""

import argparse
from typing import Any

from ..errors import UserError


def register(verbs: Any) -> None:
    """Add the verbs to the argparse subparsers `verbs`."""
    init = verbs.add_parser("init", help="make the folders for datasets and results", description=run_init.__doc__)
    _add_folder(init)
    init.set_defaults(run=run_init)
    runs = verbs.add_parser(
        "runs", help="list the runs: snapshots, progress, best metric, size, state", description=run_runs.__doc__
    )
    _add_folder(runs)
    runs.set_defaults(run=run_runs)
    doctor = verbs.add_parser("doctor", help="examine this machine and say what to fix", description=run_doctor.__doc__)
    _add_folder(doctor)
    doctor.set_defaults(run=run_doctor, imports_tensorflow=True)


def _add_folder(parser):
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=None,
        help="folder that holds the workspace (default: Google Drive in Colab, elsewhere the home folder)",
    )  # fmt: skip


def run_init(args: argparse.Namespace) -> None:
    """Make colab-sg2-ada/stylegan2-ada with its folders and workspace.json. What is there already stays as it is."""
    from ..colab.drive import choose_drive
    from ..storage.workspace import open_workspace

    workspace = open_workspace(choose_drive(args.folder).mount())
    for note in workspace.notes:
        print(note)
    print(f"Workspace: {workspace.root}\nDatasets:  {workspace.datasets}\nResults:   {workspace.results}")


def run_runs(args: argparse.Namespace) -> None:
    """List the runs of a workspace, or of a folder of runs, on this machine and on Drive."""
    import os

    from ..colab.drive import choose_drive
    from ..storage.choose import run_names
    from ..storage.overview import overview, table
    from ..storage.workspace import Workspace, workspace_root

    drive = choose_drive(args.folder)
    places = Workspace(workspace_root(drive.root)).places()
    if args.folder is not None and run_names(drive.root):
        places = [drive.root]
    elif not any(os.path.isdir(place) for place in places):
        raise UserError(
            f"There is no workspace in {drive.root}.",
            "a folder that `sg2ada init` has prepared, or one that holds runs",
            "sg2ada init {}".format(args.folder or "").strip(),
        )
    print("\n".join(table(overview(places))))


def run_doctor(args: argparse.Namespace) -> None:
    """Show one table about this machine for bug reports, and what to do about each problem."""
    from ..colab.doctor import examine, report

    print("\n".join(report(examine(args.folder))))
