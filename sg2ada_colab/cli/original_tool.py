"""The original's dataset_tool.py under `sg2ada dataset ...`: its sub-commands by their names, with their arguments."""

import argparse
from typing import Any, Optional

# Name, positional arguments, [(option, type, default)], help. The order is that of the original's help.
_COMMANDS = (
    ("create_mnist", ("tfrecord_dir", "mnist_dir"), (), "convert MNIST"),
    (
        "create_mnistrgb",
        ("tfrecord_dir", "mnist_dir"),
        (("num_images", int, 1000000), ("random_seed", int, 123)),
        "stack three random MNIST digits as the channels of each image",
    ),
    ("create_cifar10", ("tfrecord_dir", "cifar10_dir"), (("ignore_labels", int, 0),), "convert CIFAR-10"),
    ("create_cifar100", ("tfrecord_dir", "cifar100_dir"), (), "convert CIFAR-100"),
    ("create_svhn", ("tfrecord_dir", "svhn_dir"), (), "convert SVHN from train_1.pkl to train_3.pkl"),
    (
        "create_lsun",
        ("tfrecord_dir", "lmdb_dir"),
        (("resolution", int, 256), ("max_images", int, None)),
        "convert an LSUN database, centre squares",
    ),
    (
        "create_lsun_wide",
        ("tfrecord_dir", "lmdb_dir"),
        (("width", int, 512), ("height", int, 384), ("max_images", int, None)),
        "convert an LSUN database, wide pictures in black squares",
    ),
    ("create_celeba", ("tfrecord_dir", "celeba_dir"), (("cx", int, 89), ("cy", int, 121)), "convert CelebA's aligned PNGs"),
    (
        "create_from_images",
        ("tfrecord_dir", "image_dir"),
        (("shuffle", int, 1),),
        "convert a folder of equal square images; for any other, see `sg2ada prepare`",
    ),
    ("create_from_hdf5", ("tfrecord_dir", "hdf5_filename"), (("shuffle", int, 1),), "convert an HDF5 file"),
    ("convert_to_hdf5", ("hdf5_filename", "tfrecord_dir"), (("compress", int, 0),), "write a dataset as HDF5"),
    ("hdf5_from_images", ("hdf5_filename", "image_dir"), (("compress", int, 0),), "write a folder of images as HDF5"),
)


def register(actions: Any) -> None:
    """Add the commands to the sub-parsers of `sg2ada dataset`."""
    for name, positional, options, text in _COMMANDS:
        parser = _add(actions, name, text)
        for argument in positional:
            parser.add_argument(argument)
        for option, kind, default in options:
            _add_option(parser, option, type=kind, default=default, metavar="N")
        parser.set_defaults(run=_runner(name, positional + tuple(option for option, _, _ in options)))
    parser = _add(actions, "extract_brecahad_crops", "cut BreCaHAD's images into squares")
    _add_option(parser, "brecahad_dir", required=True, metavar="DIR")
    _add_option(parser, "output_dir", required=True, metavar="DIR")
    parser.add_argument("--cropsize", type=int, default=256, choices=(256, 512), help="(default: %(default)s)")
    parser.set_defaults(run=run_extract_brecahad_crops)


def add_positional_or_option(parser: argparse.ArgumentParser, name: str, option: str) -> None:
    """Add an argument that is given by its place, or, as in the original, as `--option`."""

    class Required(argparse.Action):
        def __call__(self, parser: Any, namespace: Any, value: Any, option_string: Optional[str] = None) -> None:
            given = getattr(namespace, name, None)
            if value is None and given is None:
                parser.error(f"the following arguments are required: {name.upper()}")
            setattr(namespace, name, given if value is None else value)

    parser.add_argument("--" + option, dest=name, help=argparse.SUPPRESS)
    parser.add_argument(name, metavar=name.upper(), nargs="?", action=Required)


def _add(actions, name, text):
    described = f"{text[0].upper() + text[1:]}, as the original's dataset_tool.py does."
    parser = actions.add_parser(name, help=text, description=described)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _add_option(parser, name, **settings):
    """Add an option that may be written with underscores, as in the original, or with dashes."""
    if settings.get("default") is not None:
        settings["help"] = "(default: %(default)s)"
    spellings = ["--" + name] + (["--" + name.replace("_", "-")] if "_" in name else [])
    parser.add_argument(*spellings, dest=name, **settings)


def _runner(name, arguments):
    def run(args):
        from ..dataset.classic import original_tool

        result = getattr(original_tool, name)(
            **{argument: getattr(args, argument) for argument in arguments}, progress=not args.quiet
        )
        if isinstance(result, int):
            print(f"{result} images written to {args.hdf5_filename}")
        else:
            from .prepare import print_result

            print_result(result)

    return run


def run_extract_brecahad_crops(args: argparse.Namespace) -> None:
    """Cut BreCaHAD's images."""
    from ..dataset.classic.brecahad import extract_brecahad_crops

    count = extract_brecahad_crops(args.brecahad_dir, args.output_dir, args.cropsize, not args.quiet)
    print(f"{count} images written to {args.output_dir}")
