"""The verb `generate`, and the flags that it shares with the other verbs of a trained network."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..errors import UserError
from ..words import counted

if TYPE_CHECKING:
    from ..generate.generator import TrainedGenerator
    from ..generate.pictures import Made
    from ..generate.settings import PictureSettings

NETWORK_HELP = (
    "the network: a file, a URL, a preset such as ffhq256, flags (the one that ships), or the folder or number of a run, "
    "which means its newest snapshot; RUN:best is the one that was measured best"
)
GENERATE = """\
Make pictures with a trained network: one for each seed, in a file of its own. Each file's metadata says what made it, and
--like makes it again. The same command a second time makes only what is missing; a folder with other pictures is refused.

  sg2ada generate --network=3 --seeds=0-15 --trunc=0.7 --outdir=out --grid
  sg2ada generate --network=ffhq256 --count=1000 --format=jpg --outdir=faces --zip
  sg2ada generate --like=out/seed0007.png --trunc=1 --outdir=bolder"""
DEFAULT_COUNT, SHEET_COUNT = 16, 8
NOISE_HELP = (
    "const: the noise stored in the network, as in NVIDIA's PyTorch program; random: drawn from each seed; none; "
    "tf: as NVIDIA's TensorFlow program draws it (default: const)"
)


def register(verbs: Any) -> None:
    """Add the verbs to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "generate", "make pictures with a trained network", GENERATE)
    add_source(parser)
    what = parser.add_argument_group("what to make, one of these")
    what.add_argument("--seeds", metavar="LIST", help=f"seeds, such as 0-15 or 0,1,4-6 (default: 0-{DEFAULT_COUNT - 1})")
    what.add_argument("--count", type=int, metavar="N", help="N pictures, seeds 0 to N-1")
    what.add_argument("--dlatents", metavar="FILE", help="an npz file of w, as NVIDIA's TensorFlow projector writes it")
    what.add_argument("--projected-w", metavar="FILE", help="the same, as the PyTorch projector writes it; names are projNN")
    what.add_argument("--like", metavar="PICTURE", help="a picture that this verb made: again, with what is given here changed")
    what.add_argument(
        "--classes", action="store_true", help=f"one sheet of all classes, a row each (default: of seeds 0-{SHEET_COUNT - 1})"
    )
    add_settings(parser)
    files = parser.add_argument_group("files")
    files.add_argument("--outdir", metavar="DIR", required=True, help="folder for the pictures (required)")
    files.add_argument("--format", metavar="FORM", default="png", help="png, jpg or webp (default: png)")
    files.add_argument(
        "--grid", metavar="COLSxROWS", nargs="?", const="", type=grid_text, help="also write all of them as grid.png"
    )
    files.add_argument("--zip", action="store_true", help="also pack them into DIR.zip")
    parser.set_defaults(run=run_generate)


def add_verb(verbs: Any, name: str, help_text: str, description: str) -> argparse.ArgumentParser:
    """Add a parser with our width and layout; returns it."""
    return verbs.add_parser(
        name,
        help=help_text,
        description=description,
        usage=f"sg2ada {name} [options]",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110),
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every verb of a trained network has; such a verb keeps the programs that it compiles."""
    parser.set_defaults(keeps_programs=True, imports_tensorflow=True)
    parser.add_argument("--network", metavar="NAME", help=NETWORK_HELP)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--no-xla", action="store_true", help="do not compile with XLA")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the flags that PictureSettings are made of."""
    how = parser.add_argument_group("how")
    how.add_argument("--trunc", type=float, metavar="PSI", help="truncation: 1 is none, 0 the average picture (default: 1)")
    how.add_argument("--trunc-cutoff", type=int, metavar="N", help="truncate the first N layers only (default: all)")
    how.add_argument(
        "--trunc-clusters", type=int, metavar="K",
        help="truncate towards the nearest of K cluster centres, which keeps more variety than the one average",
    )  # fmt: skip
    how.add_argument(
        "--class", dest="class_", metavar="CLASS", help="class number, a vector 0,0.5,0.5, or none for the zero vector"
    )
    how.add_argument("--noise-mode", metavar="MODE", help=NOISE_HELP)


def grid_text(text: str) -> str:
    """Argparse type of --grid: the flag alone takes no other word as its value.

    Raises argparse.ArgumentTypeError for a text that is not a grid.
    """
    from ..previews.sheet import parse_grid

    try:
        parse_grid(text, 1)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error.expected)) from None
    return text


def settings_of(args: argparse.Namespace, like: Optional["PictureSettings"] = None) -> "PictureSettings":
    """Return the PictureSettings of parsed flags; what is not given is taken from `like`, or is the default."""
    from dataclasses import replace

    from ..generate.labels import parse_class
    from ..generate.settings import PictureSettings

    given = {"trunc": args.trunc, "trunc_cutoff": args.trunc_cutoff, "trunc_clusters": args.trunc_clusters,
             "class_": parse_class(args.class_), "noise_mode": args.noise_mode}  # fmt: skip
    return replace(like or PictureSettings(), **{name: value for name, value in given.items() if value is not None})


def load_named(args: argparse.Namespace, say: Callable[[str], Any] = print) -> "TrainedGenerator":
    """Return the TrainedGenerator that --network names; raise UserError where it names none."""
    from ..colab.load import load

    _expect_network(args)
    return load(args.network, False if args.no_xla else None, say)


def _expect_network(args):
    if not args.network:
        raise UserError("No network is named.", NETWORK_HELP, "add --network=NAME; `sg2ada runs` lists the runs")


def run_generate(args: argparse.Namespace) -> int:
    """Make what is asked for and say where it is."""
    from ..generate.picture_files import check_format

    check_what(args)
    check_format(args.format)
    network, settings, seeds = _like(args) if args.like else (_named(args), settings_of(args), _seeds(args))
    show = not args.quiet and sys.stderr.isatty()
    if args.classes:
        from ..generate.pictures import make_class_sheet

        print(f"Wrote {make_class_sheet(network, settings, seeds, args.outdir, show)}")
        return 0
    from ..generate.pictures import make_grid, make_pictures, zip_pictures

    made = make_pictures(network, settings, _jobs(args, network, settings, seeds), args.outdir, args.format, show)
    print(summary(made, args.outdir, settings))
    extra = [make_grid(network, settings, made, args.outdir, args.grid)] if args.grid is not None else []
    if extra:
        print(f"Wrote {extra[0]}")
    if args.zip:
        print(f"Wrote {zip_pictures(made.paths + extra, str(args.outdir).rstrip('/') + '.zip')}")
    return 0


def check_what(args: argparse.Namespace) -> None:
    """Raise a UserError where two flags say what to make."""
    given = [name for name in ("seeds", "count", "dlatents", "projected_w", "like") if getattr(args, name) is not None]
    given += ["classes"] if args.classes and not {"seeds", "count"} & set(given) else []
    if len(given) > 1:
        raise UserError("{} are given together.".format(" and ".join("--" + name.replace("_", "-") for name in given)),
                        "one of them", "leave the others out")  # fmt: skip
    if args.count is not None and args.count < 1:
        raise UserError(f"--count is {args.count}.", "a number of pictures from 1", "write --count=16")
    if args.classes and (args.class_ is not None or args.grid is not None or args.zip):
        raise UserError("--classes makes one sheet of all classes.", "no --class, --grid or --zip with it", "leave them out")


def _seeds(args):
    from ..generate.seed_list import parse_seeds

    if args.count is not None:
        return range(args.count)
    if args.seeds is not None:
        return parse_seeds(args.seeds)
    return range(SHEET_COUNT if args.classes else DEFAULT_COUNT)


def _named(args):
    """Return the NamedNetwork of --network; raise UserError where it names none."""
    from ..colab.load import named
    from ..colab.session import results_folders
    from ..generate.find_network import find_network

    _expect_network(args)
    return named(find_network(args.network, results_folders()), False if args.no_xla else None, print)


def _like(args):
    """Return (NamedNetwork, settings, seeds) of --like."""
    from ..colab.load import named
    from ..colab.session import results_folders
    from ..generate.like import network_of, recipe_of

    recipe, settings = recipe_of(args.like)
    found = network_of(recipe, args.network, results_folders())
    return named(found, False if args.no_xla else None, print), settings_of(args, settings), [recipe["seed"]]


def _jobs(args, generator, settings, seeds):
    """Return the Jobs of what is asked for."""
    from ..files import sha256_of
    from ..generate.latent_file import read_latents
    from ..generate.pictures import latent_jobs, seed_jobs

    path = args.dlatents or args.projected_w
    if not path:
        return seed_jobs(generator, settings, seeds)
    w = read_latents(path, generator)
    return latent_jobs(generator, settings, w, sha256_of(path)[1], "dlatent" if args.dlatents else "proj")


def summary(made: "Made", outdir: str, settings: "PictureSettings") -> str:
    """Return a sentence on what was written."""
    words = f"Wrote {counted(made.written, 'picture', 'pictures')} to {outdir}" + (
        f"; {made.skipped} were there already" if made.skipped else ""
    )
    how = f" (truncation {settings.trunc:g}, noise {settings.noise_mode})"
    return words + how
