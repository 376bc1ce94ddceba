"""`sg2ada dataset ...`: what can be done with data sets, and the original's tool under its own names."""

from . import original_tool
from .prepare import add_doctor, add_prepare


def register(verbs):
    """Add the verbs to argparse's sub-parsers."""
    add_prepare(verbs)
    dataset = verbs.add_parser("dataset", help="look at, check, compare, and convert data sets; examine images")
    actions = dataset.add_subparsers(dest="action", metavar="ACTION")
    dataset.set_defaults(run=lambda args: dataset.print_help())
    add_doctor(actions)
    _add_tools(actions)
    original_tool.register(actions)


def _add_tools(actions):
    def add(name, run, text, *paths):
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

    add("info", run_info, "print the facts about a data set", "dataset")
    parser = add("display", run_display, "write images of a data set, with their numbers, on one sheet", "dataset")
    parser.add_argument("file", nargs="?", metavar="FILE", help="PNG to write (default: the data set's name, -images.png)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first image (default: %(default)s)")
    parser.add_argument("--count", type=int, default=60, metavar="N", help="how many (default: %(default)s)")
    add("verify", run_verify, "check every byte of a data set", "dataset")
    parser = add("extract", run_extract, "write all images as PNG files into one folder", "dataset", "destination")
    parser.add_argument("--resolution", type=int, metavar="PX", help="which level (default: the largest)")
    parser = add(
        "compare", run_compare, "compare two data sets record by record; exit with 1 if they differ", "dataset_a", "dataset_b"
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
    parser = add("pack", run_pack, "make a data set from an unpacked one",
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
        "copy a data set from a slow disk to a fast one, checked, unless it is there already",
        "dataset",
        "folder",
    )


def run_info(args):
    """Print the facts about a data set."""
    from ..dataset.tools import info

    for name, value in info(args.dataset).items():
        print("{:<20}{}".format(name, value))


def run_display(args):
    """Write a sheet of images."""
    import os

    from ..dataset.display import display

    file = args.file or os.path.basename(os.path.abspath(args.dataset)) + "-images.png"
    display(args.dataset, file, args.first, args.count)
    print(os.path.abspath(file))


def run_verify(args):
    """Check a data set."""
    from ..dataset.tools import verify
    from ..images.wording import some

    result = verify(args.dataset, progress=not args.quiet)
    for problem in result.problems:
        print(problem)
    manifest = "manifest and " if result.checked["manifest"] else "no manifest; "
    print(
        "{}: {}{} records checked, {}".format(
            result.path,
            manifest,
            result.records,
            "all good" if not result.problems else some(len(result.problems), "problem", "problems"),
        )
    )
    return 1 if result.problems else 0


def run_extract(args):
    """Write images as PNG files."""
    from ..dataset.tools import extract

    print(
        "{} images written to {}".format(
            extract(args.dataset, args.destination, args.resolution, not args.quiet), args.destination
        )
    )


def run_compare(args):
    """Compare two data sets."""
    from ..dataset.tools import compare

    result = compare(args.dataset_a, args.dataset_b, bool(args.ignore_labels), not args.quiet)
    print(
        "{} and {} images; of the first {}: {} equal images, {} equal labels".format(
            result.images_a, result.images_b, result.compared, result.equal_images, result.equal_labels
        )
    )
    return 0 if result.equal else 1


def run_unpack(args):
    """Unpack a data set."""
    from ..dataset.packing import unpack

    print(
        "{} images unpacked to {}".format(
            unpack(args.dataset, args.destination, args.resolution, not args.quiet), args.destination
        )
    )


def run_pack(args):
    """Pack an unpacked data set."""
    from ..dataset.packing import PackOptions, pack

    options = PackOptions(args.num_train, args.num_validation, bool(args.mirror), args.seed)
    print(
        "{}: {} training and {} validation images".format(
            args.destination, *pack(args.unpacked, args.destination, options, not args.quiet)
        )
    )


def run_export(args):
    """Export a data set."""
    from ..dataset.torch_format import export

    print(
        "{} images written to {}".format(
            export(args.dataset, args.destination, args.resolution, not args.quiet), args.destination
        )
    )


def run_copy(args):
    """Copy a data set to a fast disk."""
    from ..dataset.local_copy import local_copy

    print(local_copy(args.dataset, args.folder, progress=not args.quiet))
