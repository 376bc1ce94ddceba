"""`sg2ada dataset ...`: what can be done with datasets, and the original's tool under its own names."""

import argparse
from functools import partial
from typing import Any

from . import original_tool
from .prepare import add_doctor, add_prepare


def register(verbs: Any) -> None:
    """Add the verbs to argparse's sub-parsers."""
    add_prepare(verbs)
    dataset = verbs.add_parser("dataset", help="look at, check, compare, and convert datasets; examine images")
    actions = dataset.add_subparsers(dest="action", metavar="ACTION")
    dataset.set_defaults(run=lambda args: dataset.print_help())
    add_doctor(actions)
    _add_tools(actions)
    original_tool.register(actions)


def _add_tool(actions, name, run, text, *paths):
    """Add one action and return its parser; a path that is a pair may also be given as the original's option of that name."""
    parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    for path in paths:
        if isinstance(path, str):
            parser.add_argument(path, metavar=path.upper())
        else:
            original_tool.add_positional_or_option(parser, *path)
    if name != "info":
        parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)
    return parser


def _add_tools(actions):
    add = partial(_add_tool, actions)
    add("info", run_info, "print the facts about a dataset", "dataset")
    parser = add("display", run_display, "write images of a dataset, with their numbers, on one sheet", "dataset")
    parser.add_argument("file", nargs="?", metavar="FILE", help="PNG to write (default: the dataset's name, -images.png)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first image (default: %(default)s)")
    parser.add_argument("--count", type=int, default=60, metavar="N", help="how many (default: %(default)s)")
    add("verify", run_verify, "check every byte of a dataset", "dataset")
    parser = add("extract", run_extract, "write all images as PNG files into one folder", "dataset", "destination")
    parser.add_argument("--resolution", type=int, metavar="PX", help="which level (default: the largest)")
    parser = add(
        "compare", run_compare, "compare two datasets record by record; exit with 1 if they differ", "dataset_a", "dataset_b"
    )
    parser.add_argument("--ignore-labels", "--ignore_labels", type=int, nargs="?", const=1, default=0, metavar="0|1")
    parser = add(
        "unpack",
        run_unpack,
        "write images as PNG files with their labels beside them, for `pack`",
        ("dataset", "tfrecord_dir"),
        ("destination", "output_dir"),
    )
    parser.add_argument("--resolution", type=int, metavar="PX", help="resize to this (default: as they are)")
    parser = add("pack", run_pack, "make a dataset from an unpacked one",
                 ("unpacked", "unpacked_dir"), ("destination", "tfrecord_dir"))  # fmt: skip
    number = {"type": int, "metavar": "N"}
    parser.add_argument("--num-train", "--num_train", help="images for training (default: all that are left)", **number)
    parser.add_argument("--num-validation", "--num_validation", default=0, help="images for validation (default: 0)", **number)
    parser.add_argument(
        "--mirror", type=int, nargs="?", const=1, default=0, metavar="0|1", help="add a mirrored copy of each training image"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="choose and order the images at random (default: in order)")
    parser = add("export", run_export, "write a zip or folder for stylegan2-ada-pytorch and stylegan3", "dataset", "destination")
    parser.add_argument("--resolution", type=int, metavar="PX", help="which level (default: the largest)")
    add(
        "copy",
        run_copy,
        "copy a dataset from a slow disk to a fast one, checked, unless it is there already",
        "dataset",
        "folder",
    )


def run_info(args: argparse.Namespace) -> None:
    """Print the facts about a dataset."""
    from ..dataset.tools import info

    for name, value in info(args.dataset).items():
        print(f"{name:<20}{value}")


def run_display(args: argparse.Namespace) -> None:
    """Write a sheet of images."""
    import os

    from ..dataset.display import display

    file = args.file or os.path.basename(os.path.abspath(args.dataset)) + "-images.png"
    display(args.dataset, file, args.first, args.count)
    print(os.path.abspath(file))


def run_verify(args: argparse.Namespace) -> int:
    """Check a dataset."""
    from ..dataset.tools import verify
    from ..words import counted, shown

    result = verify(args.dataset, progress=not args.quiet)
    for problem in result.problems:
        print(shown(problem))
    manifest = "manifest and " if result.checked["manifest"] else "no manifest; "
    print(
        "{}: {}{} {} checked, {}".format(
            result.path,
            manifest,
            result.records,
            result.unit,
            "all valid" if not result.problems else counted(len(result.problems), "problem", "problems"),
        )
    )
    return 1 if result.problems else 0


def run_extract(args: argparse.Namespace) -> None:
    """Write images as PNG files."""
    from ..dataset.tools import extract

    print(f"{extract(args.dataset, args.destination, args.resolution, not args.quiet)} images written to {args.destination}")


def run_compare(args: argparse.Namespace) -> int:
    """Compare two datasets."""
    from ..dataset.tools import compare

    result = compare(args.dataset_a, args.dataset_b, bool(args.ignore_labels), not args.quiet)
    print(
        f"{result.images_a} and {result.images_b} images; of the first {result.compared}: {result.equal_images} equal "
        f"images, {result.equal_labels} equal labels"
    )
    return 0 if result.equal else 1


def run_unpack(args: argparse.Namespace) -> None:
    """Unpack a dataset."""
    from ..dataset.classic.packing import unpack

    print(f"{unpack(args.dataset, args.destination, args.resolution, not args.quiet)} images unpacked to {args.destination}")


def run_pack(args: argparse.Namespace) -> None:
    """Pack an unpacked dataset."""
    from ..dataset.classic.packing import PackOptions, pack

    options = PackOptions(args.num_train, args.num_validation, bool(args.mirror), args.seed)
    print(
        "{}: {} training and {} validation images".format(
            args.destination, *pack(args.unpacked, args.destination, options, not args.quiet)
        )
    )


def run_export(args: argparse.Namespace) -> None:
    """Export a dataset."""
    from ..dataset.classic.torch_format import export
    from ..dataset.reading import open_dataset
    from ..shape import size_words

    print(f"{export(args.dataset, args.destination, args.resolution, not args.quiet)} images written to {args.destination}")
    data = open_dataset(args.dataset)
    if not isinstance(data.size, int):
        size = size_words(data.size)
        print(f"Note: those programs train squares a power of two wide only; these images are {size} (width x height).")
    if data.channels == 4:
        print("Note: the images are RGBA; sg2ada puts this form of them on white, unless `sg2ada prepare --alpha keep` reads it.")


def run_copy(args: argparse.Namespace) -> None:
    """Copy a dataset to a fast disk."""
    from ..dataset.local_copy import local_copy

    print(local_copy(args.dataset, args.folder, progress=not args.quiet))
