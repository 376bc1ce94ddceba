"""The verb `style-mixing`."""

import argparse
import sys
from typing import Any

from ..errors import UserError
from .generate import add_settings, add_source, add_verb, load_named, settings_of, summary

DESCRIPTION = """\
Mix the styles of seeds: each picture has the row's seed, with the layers --styles of the column's. Writes ROW-COLUMN.png for
every pair, SEED-SEED.png for every seed, and grid.png with the columns on top and the rows on the left.

  sg2ada style-mixing --network=ffhq256 --rows=85,100,75 --cols=55,821,1789 --styles=0-6 --outdir=mixed"""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "style-mixing", "mix the coarse and fine styles of seeds", DESCRIPTION)
    add_source(parser)
    parser.add_argument("--rows", metavar="LIST", required=True, help="seeds of the rows, such as 85,100 (required)")
    parser.add_argument("--cols", metavar="LIST", required=True, help="seeds of the columns (required)")
    parser.add_argument("--styles", metavar="LIST", help="the column's layers, such as 0-3 (default: 0-6, the coarse ones)")
    add_settings(parser)
    parser.add_argument("--outdir", metavar="DIR", required=True, help="folder for the pictures (required)")
    parser.add_argument("--format", metavar="FORM", default="png", help="png, jpg or webp (default: png)")
    parser.set_defaults(run=run_style_mixing)


def run_style_mixing(args: argparse.Namespace) -> int:
    """Make the pictures and say where they are."""
    from ..generate.picture_files import check_format
    from ..generate.seed_list import parse_seeds

    check_format(args.format)
    rows, columns = parse_seeds(args.rows), parse_seeds(args.cols)
    settings = settings_of(args)
    if settings.noise_mode == "tf":
        raise UserError("The noise mode tf is for pictures of single seeds.", "const, random or none",
                        "leave it out: NVIDIA's TensorFlow program mixes with the stored noise, too")  # fmt: skip
    generator = load_named(args)
    from ..generate.style_mixing import mix_styles, parse_styles

    styles = parse_styles(args.styles, generator.num_layers)
    show = not args.quiet and sys.stderr.isatty()
    made, grid = mix_styles(generator, settings, rows, columns, styles, args.outdir, args.format, show)
    print(summary(made, args.outdir, settings))
    print(f"Wrote {grid}")
    return 0
