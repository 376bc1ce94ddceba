"""`sg2ada directions ...`: find directions of w, keep them under names, and move pictures along them."""

import argparse
import os
import sys
from typing import Any

from ..errors import UserError
from ..words import counted
from .generate import add_settings, add_source, add_verb, load_named, settings_of, summary

TEXT = """\
Find directions of w in which a picture changes in one way (a pose, a colour, a style), give them names, and move pictures.

  sg2ada directions find --network=12 --out=ways.npz --look=ways.png       look at ways.png, a row each
  sg2ada directions between --network=12 --these=1,5,9 --those=2,3 --name=brighter --out=ways.npz
  sg2ada directions rename --file=ways.npz weights3 "more stripes"
  sg2ada directions apply --network=12 --file=ways.npz --direction=brighter --seeds=0-3 --outdir=moved"""
FIND = """\
Find directions without looking at pictures. weights: to which the styles answer most (closed-form factorization); pca: along
which w varies most. Strength 1 is one standard deviation of w along a direction. --look writes a picture with a row for each one,
moved by -3, -1.5, 0, 1.5 and 3."""
BETWEEN = """\
Make a direction of two groups of seeds that you pick: from the mean of THOSE to the mean of THESE, which is strength 1."""
APPLY = """\
Move seeds, or the w of a file, along directions: a picture for each strength, and grid.png with all of them."""


def register(verbs: Any) -> None:
    """Add the verb and its actions to the argparse subparsers `verbs`."""
    verb = add_verb(verbs, "directions", "find and apply directions in which pictures change", TEXT)
    verb.usage = "sg2ada directions ACTION [options]"
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    verb.set_defaults(run=lambda args: verb.print_help())
    _add_find(actions)
    _add_between(actions)
    _add_apply(actions)
    text = "List the directions in a file; with --network also say whether they were found in it."
    parser = _action(actions, "list", "list the directions in a file", text, run_list)
    _add_file(parser)
    parser = _action(actions, "rename", "give a direction another name", "Give a direction in a file another name.", run_rename)
    _add_file(parser)
    parser.add_argument("old", metavar="OLD", help="its name")
    parser.add_argument("new", metavar="NEW", help="the name that it gets")


def _action(actions, name, help_text, description, run):
    parser = add_verb(actions, name, help_text, description)
    parser.usage = f"sg2ada directions {name} [options]" + (" OLD NEW" if name == "rename" else "")
    if name != "rename":
        add_source(parser)
    parser.set_defaults(run=run)
    return parser


def _add_file(parser):
    parser.add_argument("--file", metavar="FILE", required=True, help="a file of directions (required)")


def _add_layers(parser, text):
    parser.add_argument("--layers", metavar="LIST", help=text + ", such as 0-3 or 4,6 (default: all)")


def _add_find(actions):
    parser = _action(actions, "find", "find directions in the weights, or in many w", FIND, run_find)
    parser.add_argument("--method", default="weights", metavar="HOW", help="weights or pca (default: weights)")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="how many (default: 10)")
    _add_layers(parser, "layers that are looked at and moved")
    parser.add_argument("--out", metavar="FILE", required=True, help="file of directions to write or add to, .npz (required)")
    parser.add_argument("--look", metavar="PICTURE", help="also write a picture with a row for each direction")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of that picture (default: 0)")
    add_settings(parser)


def _add_between(actions):
    parser = _action(actions, "between", "make a direction of two groups of seeds", BETWEEN, run_between)
    parser.add_argument("--these", metavar="LIST", required=True, help="seeds of pictures that have it (required)")
    parser.add_argument("--those", metavar="LIST", required=True, help="seeds of pictures that have it not (required)")
    parser.add_argument("--name", required=True, help="what to call it (required)")
    parser.add_argument("--class", dest="class_", metavar="CLASS", help="class number, a vector, or none for the zero vector")
    _add_layers(parser, "layers that are moved")
    parser.add_argument("--out", metavar="FILE", required=True, help="file of directions to write or add to, .npz (required)")


def _add_apply(actions):
    parser = _action(actions, "apply", "move pictures along directions", APPLY, run_apply)
    _add_file(parser)
    parser.add_argument("--direction", metavar="NAMES", required=True, help="its name, or several with commas (required)")
    parser.add_argument("--strengths", metavar="LIST", help="how far, write it with = (default: --strengths=-3,-1.5,0,1.5,3)")
    _add_layers(parser, "layers that are moved, in place of those of the direction")
    parser.add_argument("--seeds", metavar="LIST", help="seeds to move (default: 0-3)")
    parser.add_argument("--projected-w", metavar="FILE", help="an npz file of w to move, as a projector writes it")
    add_settings(parser)
    parser.add_argument("--outdir", metavar="DIR", required=True, help="folder for the pictures (required)")
    parser.add_argument("--format", metavar="FORM", default="png", help="png, jpg or webp (default: png)")


def run_find(args: argparse.Namespace) -> int:
    """Find directions, keep them, and show them where that is asked for."""
    from ..generate.direction_file import add_directions

    if args.method not in ("weights", "pca"):
        raise UserError(f"There is no method {args.method!r}.", "weights or pca", "write --method=weights")
    _check_out(args.out)
    settings, generator = settings_of(args), load_named(args)
    settings.check(generator)
    from ..generate.directions import find_directions

    found = find_directions(generator, args.method, args.count, _layers(args, generator), settings.class_)
    add_directions(args.out, found, generator)
    print(f"Wrote {counted(len(found), 'direction', 'directions')} to {args.out}")
    if args.look:
        from ..generate.move_pictures import overview

        print(f"Wrote {overview(generator, settings, found, args.seed, args.look)}")
    return 0


def run_between(args: argparse.Namespace) -> int:
    """Make a direction of two groups of seeds and keep it."""
    from ..generate.direction_file import add_directions
    from ..generate.labels import parse_class
    from ..generate.seed_list import parse_seeds

    _check_out(args.out)
    these, those, class_ = parse_seeds(args.these), parse_seeds(args.those), parse_class(args.class_)
    generator = load_named(args)
    from ..generate.directions import direction_between

    made = direction_between(generator, these, those, args.name, _layers(args, generator), class_)
    add_directions(args.out, [made], generator)
    print(f"Wrote the direction {made.name} ({made.origin}) to {args.out}")
    return 0


def run_apply(args: argparse.Namespace) -> int:
    """Move pictures along directions and say where they are.

    Raises UserError where both seeds and a file of w are given, and as `move_pictures.make_moved` does.
    """
    from ..generate.direction_file import find_direction
    from ..generate.move_pictures import Moves, latent_starts, make_moved, parse_strengths, seed_starts
    from ..generate.picture_files import check_format
    from ..generate.seed_list import parse_seeds

    check_format(args.format)
    if args.seeds and args.projected_w:
        raise UserError("--seeds and --projected-w are given together.", "one of them", "leave the other out")
    settings, strengths = settings_of(args), parse_strengths(args.strengths)
    generator, known = _opened(args)
    directions = [find_direction(known, name.strip(), args.file) for name in args.direction.split(",")]
    settings.check(generator)
    if args.projected_w:
        from ..generate.latent_file import read_latents

        starts = latent_starts(generator, settings, read_latents(args.projected_w, generator), args.projected_w)
    else:
        starts = seed_starts(generator, settings, parse_seeds(args.seeds or "0-3"))
    show = not args.quiet and sys.stderr.isatty()
    moves = Moves(starts, directions, strengths, _layers(args, generator))
    made, grid = make_moved(generator, settings, moves, args.outdir, args.format, show)
    print(summary(made, args.outdir, settings))
    print(f"Wrote {grid}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Print the directions of a file."""
    from ..generate.direction_file import list_directions
    from ..words import table

    rows = [("Name", "Layers", "Found by")]
    for one in _opened(args)[1] if args.network else list_directions(args.file):
        rows.append((one.name, "all" if one.layers is None else ",".join(map(str, one.layers)), one.origin))
    print("\n".join(table(rows)))
    return 0


def run_rename(args: argparse.Namespace) -> int:
    """Rename a direction."""
    from ..generate.direction_file import rename_direction

    rename_direction(args.file, args.old, args.new)
    print(f"{args.old} is called {args.new} now.")
    return 0


def _opened(args):
    """Return (generator, Directions of --file), and say where they come from another network."""
    from ..generate.direction_file import read_directions

    generator = load_named(args)
    directions, same = read_directions(args.file, generator)
    if not same:
        print(f"Note: the directions of {args.file} were found in another network; they mean the same in relatives of it only.")
    return generator, directions


def _layers(args, generator):
    from ..generate.style_mixing import parse_styles

    return None if args.layers is None else parse_styles(args.layers, generator.num_layers)


def _check_out(path):
    folder = os.path.dirname(os.path.abspath(path))
    if not path.endswith(".npz") or not os.path.isdir(folder):
        raise UserError(f"Directions cannot be written to {path}.", "a file that ends in .npz, in a folder that exists",
                        "write --out=directions.npz")  # fmt: skip
