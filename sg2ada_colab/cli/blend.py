"""The verbs that make one network of several: `blend`, `average`."""

import argparse
import os
from typing import Any

from ..errors import UserError
from ..words import counted
from .generate import NETWORK_HELP, add_verb

BLEND = """\
Make one network of two: coarse layers (pose, shape) of LOWER, fine layers (texture, colour) of HIGHER. One of them should have
been trained from the other, so that w means the same to both. Both must have the same layers.

  sg2ada blend ffhq256 12 --split=32 --width=1 --out=blended.pkl"""
AVERAGE = """\
Make one network of several snapshots of a run: the mean of their generators, with the D of the newest. Name the snapshots from
old to new; those called network-snapshot-* are put in the order of their kimg.

  sg2ada average 12 --last=4 --out=averaged.pkl
  sg2ada average a.pkl b.pkl c.pkl --out=averaged.pkl"""
OUT_HELP = "file to write, ending in .pkl or .safetensors (required)"


def register(verbs: Any) -> None:
    """Add the verbs to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "blend", "make one network of two: coarse layers of one, fine ones of the other", BLEND)
    parser.usage = "sg2ada blend LOWER HIGHER --split=RES --out=FILE [options]"
    parser.add_argument("lower", metavar="LOWER", help=NETWORK_HELP)
    parser.add_argument("higher", metavar="HIGHER", help="the network of the fine layers, named in the same ways")
    parser.add_argument(
        "--split",
        type=int,
        metavar="RES",
        required=True,
        help="the lowest resolution of HIGHER, by the names of its layers in `sg2ada inspect` (required)",
    )
    parser.add_argument(
        "--width", type=float, default=0.0, metavar="N",
        help="width of the logistic step in doublings of the resolution; 0 is a hard step (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--mapping", default="lower", metavar="WHOSE", help="whose mapping, from z to w: lower or higher (default: lower)"
    )
    _add_out(parser)
    parser.set_defaults(run=run_blend)

    parser = add_verb(verbs, "average", "make one network of several snapshots: their mean", AVERAGE)
    parser.usage = "sg2ada average NETWORK [NETWORK ...] --out=FILE [options]"
    parser.add_argument("networks", metavar="NETWORK", nargs="+", help=NETWORK_HELP)
    parser.add_argument("--last", type=int, metavar="N", help="of the one run that is named, the newest N snapshots")
    _add_out(parser)
    parser.set_defaults(run=run_average)


def _add_out(parser):
    parser.add_argument("--out", metavar="FILE", required=True, help=OUT_HELP)
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run_blend(args: argparse.Namespace) -> int:
    """Blend two networks and say what was written."""
    from ..colab.session import results_folders
    from ..generate.blend import blend
    from ..generate.find_network import find_network

    check_out(args)
    lower, higher = (find_network(name, results_folders()) for name in (args.lower, args.higher))
    made = blend(lower.snapshot, higher.snapshot, args.split, args.width, args.mapping, (lower.title, higher.title))
    return _write(made, args.out)


def run_average(args: argparse.Namespace) -> int:
    """Average networks and say what was written."""
    from ..formats.read import read_snapshot
    from ..generate.average import average

    check_out(args)
    paths = _paths(args)
    print(f"Averaging {counted(len(paths), 'network', 'networks')}, D of {paths[-1]}")
    return _write(average((read_snapshot(path) for path in paths), [os.path.basename(path) for path in paths]), args.out)


def _paths(args):
    """Return the files to average, old to new."""
    from ..colab.session import results_folders
    from ..generate.find_network import find_network, run_folders, run_pickles

    if args.last is None:
        paths = [find_network(name, results_folders()).path for name in args.networks]
        return sorted(paths, key=_kimg) if all(_kimg(path) for path in paths) else paths
    folders = run_folders(args.networks[0], results_folders()) if len(args.networks) == 1 else []
    if not folders or args.last < 2:
        raise UserError(f"--last={args.last} is given with {' '.join(args.networks)}.", "one run, and a number from 2",
                        "`sg2ada runs` lists the runs; leave --last out to average files")  # fmt: skip
    return [paths[0] for paths in run_pickles(folders).values()][: args.last][::-1]


def _kimg(path):
    """Return the sort key of a file called network-snapshot-KIMG.pkl, None for another name."""
    from ..run_files import PICKLE, order_of

    name = os.path.splitext(os.path.basename(path))[0]
    try:
        return order_of(name[len(PICKLE) :]) if name.startswith(PICKLE) else None
    except ValueError:
        return None


def check_out(args: argparse.Namespace) -> None:
    """Raise a UserError for a result that has no form, or would replace a file."""
    from ..formats.convert import check_target

    check_target(args.out)
    if os.path.exists(args.out) and not (args.force and os.path.isfile(args.out)):
        raise UserError(f"{args.out} exists already.", "a new name", "choose another name, or add --force to replace a file")


def _write(snapshot, path):
    from ..formats.convert import write_snapshot

    write_snapshot(path, snapshot)
    for note in snapshot.notes:
        print("Note: " + note)
    print(f"Wrote {path}")
    return 0
