"""The verb `env`: environments of other Pythons, such as the one of TensorFlow 1.14."""

import argparse
import os
from typing import Any

DESCRIPTION = """Make, list and remove environments beside this Python. tf114 has TensorFlow 1.14 on Python 3.7, which
StyleGAN2-ADA was written for; in Colab with CUDA 10.0, which knows a T4 and no card newer than it. Notebooks train there
with runtime="tf114"."""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    env = verbs.add_parser("env", help="make the Python of TensorFlow 1.14 beside this one", description=DESCRIPTION)
    what = env.add_subparsers(title="what to do", metavar="WHAT", dest="what")
    what.required = True
    create = what.add_parser("create", help="make it, or see that it is complete", description=run_create.__doc__)
    _add_name(create)
    create.add_argument("--python", metavar="PATH", help="the CPython 3.7 to make it from (default: on the path, or pyenv's)")
    create.add_argument(
        "--micromamba", action="store_true", default=None,
        help="let micromamba bring Python 3.7 and, for a GPU, CUDA 10.0 and cuDNN 7 (default in Colab)",
    )  # fmt: skip
    create.add_argument("--cpu", action="store_true", help="for the processor alone: without CUDA, and using no GPU")
    create.set_defaults(run=run_create)
    what.add_parser("list", help="what there is", description=run_list.__doc__).set_defaults(run=run_list)
    remove = what.add_parser("remove", help="delete it", description=run_remove.__doc__)
    _add_name(remove)
    remove.set_defaults(run=run_remove)


def _add_name(parser):
    parser.add_argument("name", metavar="NAME", help="tf114")


def run_create(args: argparse.Namespace) -> None:
    """Make an environment, or see that the one that is there is complete and has this library; say whether it sees the GPU."""
    from ..colab.make_environment import make_environment

    made = make_environment(args.name, python=args.python, micromamba=args.micromamba, processor_only=args.cpu)
    program = os.path.join(made.prefix, "bin", "sg2ada")
    print(f'Ready. In a notebook: sg2ada_colab.train(runtime="{made.name}")\nOn the command line: {program} train …')


def run_list(args: argparse.Namespace) -> None:
    """Show each environment: whether it is there, for what, and where."""
    from ..colab.environment import NAMES, environment_folder, find_environment
    from ..words import table

    rows = [["name", "what", "state", "folder"]]
    for name, what in NAMES.items():
        found = find_environment(name)
        state = "not there" if found is None else "for a GPU" if found.uses_gpu else "for the processor"
        rows.append([name, what, state, environment_folder(name)])
    print("\n".join(table(rows)))


def run_remove(args: argparse.Namespace) -> None:
    """Delete an environment. Runs that were trained in it stay as they are."""
    from ..colab.environment import environment_folder, remove_environment

    there = remove_environment(args.name)
    print("{} {}".format("Removed" if there else "There is no", environment_folder(args.name)))
