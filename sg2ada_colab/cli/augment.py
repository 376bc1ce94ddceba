"""The verb `augment-preview`: a picture of what augmentation does to the user's own images."""

import argparse
from pathlib import Path
from typing import Any, Tuple

from ..errors import UserError
from ..files import atomic_path

DESCRIPTION = """\
Draw what augmentation does to images of a dataset: a row for each image, a column for each strength p, a panel for the whole
pipe and one for each of its transforms. The discriminator sees images like these; at the strength where you no longer
recognise what matters in them, it cannot learn it either. Training with --aug=ada chooses p by itself."""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    from ..augment.config import DEFAULT_PIPE, PIPES

    parser = verbs.add_parser(
        "augment-preview",
        help="draw what augmentation does to your images",
        description=DESCRIPTION,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110),
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="dataset of TFRecords")
    default_out = "augment-preview.png"
    parser.add_argument("--out", default=default_out, metavar="PNG", help="picture to write (default: ./augment-preview.png)")
    parser.add_argument("--augpipe", default=DEFAULT_PIPE, choices=tuple(PIPES), help="transforms (default: bgc)")
    parser.add_argument("--images", type=int, default=4, metavar="N", help="images, spread over the dataset (default: 4)")
    parser.add_argument("--p", default="0,0.2,0.4,0.6,0.8,1", metavar="LIST", help="strengths (default: 0,0.2,0.4,0.6,0.8,1)")
    parser.add_argument("--tile", type=int, default=96, metavar="PX", help="width of an image in the picture (default: 96)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draws (default: 0)")
    parser.set_defaults(run=run_augment_preview, imports_tensorflow=True)


def parse_strengths(text: str) -> Tuple[float, ...]:
    """Return the numbers of a list such as "0,0.5,1"; raise UserError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--p={text} is not a list of strengths.", "Numbers with commas between.", "Try --p=0,0.5,1.") from None


def run_augment_preview(args: argparse.Namespace) -> int:
    """Write the picture and say where it is."""
    from tqdm import tqdm

    from ..augment.preview import preview_dataset
    from ..dataset.reading import open_dataset

    out = Path(args.out)
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"--out={out} is not a picture.", "A name that ends in .png or .jpg.", "Use --out=preview.png.")
    if not 8 <= args.tile <= 1024:
        raise UserError(f"--tile={args.tile} cannot be drawn.", "8 to 1024 pixels.", "Use --tile=96.")
    strengths = parse_strengths(args.p)
    dataset = open_dataset(args.data)
    picture = preview_dataset(
        dataset, args.augpipe, args.images, strengths=strengths, seed=args.seed, tile_px=args.tile,
        progress=lambda panels: tqdm(panels, desc="drawing", unit="panel"),
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out, out.suffix) as temporary:
        picture.save(temporary)
    print(f"Wrote {out} ({picture.width} x {picture.height} pixels).")
    return 0
