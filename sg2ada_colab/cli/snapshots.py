"""The verbs about single snapshots: `inspect`, `convert`, `export`."""

import argparse
import os

from ..errors import UserError

SOURCE_HELP = "snapshot: a file, a URL (may end in #sha256=HEX), or ffhq256, ffhq512, ffhq1024, celebahq256, lsundog256"
INSPECT = """\
Say what a snapshot is: family, resolution, labels, channels, mapping depth, parameters, the table of its layers, and the options
it was trained with if training_options.json lies beside it. Nothing in the file is run."""
CONVERT = """\
Write a snapshot in another form, by the ending of OUT. Reads the pickles of stylegan2, stylegan2-ada, stylegan2-ada-pytorch and
stylegan3 (--cfg=stylegan2), and safetensors.
  .pkl           TensorFlow pickle; opens in stylegan2-ada, and through legacy.py in stylegan2-ada-pytorch and stylegan3
  .safetensors   all three networks, names as in the pickle after the network's: Gs/synthesis/4x4/Conv/weight"""
EXPORT = """\
Write the generator for use without this program, by the form of OUT.
  .onnx          ONNX: z, psi -> images (needs the package onnx)
  .safetensors   all three networks as plain arrays
  a folder       TensorFlow SavedModel: z, psi -> uint8 images"""


def register(verbs):
    """Add the verbs to the argparse subparsers `verbs`."""
    parser = _verb(verbs, "inspect", "say what a snapshot is", INSPECT, "sg2ada inspect FILE [FILE ...]")
    parser.add_argument("files", metavar="FILE", nargs="+", help=SOURCE_HELP)
    parser.add_argument("--no-layers", action="store_true", help="leave out the table of layers")
    parser.set_defaults(run=run_inspect)

    parser = _verb(verbs, "convert", "write a snapshot in another form", CONVERT, "sg2ada convert IN OUT [options]")
    _source_and_target(parser, "file to write, ending in .pkl or .safetensors")
    parser.set_defaults(run=run_convert)

    parser = _verb(verbs, "export", "write the generator for other programs", EXPORT, "sg2ada export IN OUT [options]")
    _source_and_target(parser, "what to write: NAME.onnx, NAME.safetensors or a new folder")
    parser.add_argument(
        "--network", choices=("Gs", "G"), default="Gs", help="Gs: the moving average, G: as last trained (default: Gs)"
    )
    parser.set_defaults(run=run_export)


def _verb(verbs, name, help_text, description, usage):
    return verbs.add_parser(
        name,
        help=help_text,
        description=description,
        usage=usage,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110),
    )


def _source_and_target(parser, target_help):
    parser.add_argument("source", metavar="IN", help=SOURCE_HELP)
    parser.add_argument("target", metavar="OUT", help=target_help)
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def run_inspect(args):
    """Print the description of each file; returns 1 when one of several could not be read."""
    from ..snapshots.inspect import describe
    from ..snapshots.read import read_snapshot

    failed = []
    for index, name in enumerate(args.files):
        try:
            path = _local(name)
            lines = describe(read_snapshot(path), path, layers=not args.no_layers)
        except UserError as error:
            failed.append(error)
            continue
        print("\n".join(([""] if index else []) + lines))
    if len(args.files) == 1 and failed:
        raise failed[0]
    for problem in failed:
        print("\n{}".format(problem))
    return 1 if failed else 0


def run_convert(args):
    """Convert and say what was written."""
    from ..snapshots.convert import convert, form_of

    form_of(args.target)  # before anything is downloaded
    _check_target(args)
    _report(convert(_local(args.source), args.target), args.target)


def run_export(args):
    """Export the generator by the form of the target's name."""
    from ..snapshots.read import read_snapshot

    ending = os.path.splitext(args.target)[1].lower()
    if ending in (".pkl", ".pt", ".pth", ".h5", ".keras", ".tflite", ".pb"):
        raise UserError("{} is no form that can be exported.".format(args.target), "NAME.onnx, NAME.safetensors or a new folder",
                        "for a pickle use `sg2ada convert`; PyTorch opens that one through legacy.py")  # fmt: skip
    _check_target(args)
    if ending == ".safetensors":
        return run_convert(args)
    snapshot = read_snapshot(_local(args.source))
    network = snapshot.Gs if args.network == "Gs" else snapshot.G
    if ending == ".onnx":
        from ..snapshots.export_onnx import export_onnx

        export_onnx(args.target, network)
    else:
        from ..snapshots.export_savedmodel import export_savedmodel

        export_savedmodel(args.target, network)
    _report(snapshot, args.target)
    return 0


def _check_target(args):
    if os.path.exists(args.target) and not (args.force and os.path.isfile(args.target)):
        raise UserError(
            "{} exists already.".format(args.target), "a new name", "choose another name, or add --force to replace a file"
        )
    if os.path.abspath(args.target) == os.path.abspath(args.source):
        raise UserError("IN and OUT are the same file.", "another name for the result", "choose another name")


def _local(name):
    from ..snapshots.download import local_snapshot

    return local_snapshot(name, progress=_Progress(name))


class _Progress:
    """Prints every tenth of a download."""

    def __init__(self, name):
        self.name, self.tenth = name, -1

    def __call__(self, done, total):
        if total and done * 10 // total > self.tenth:
            self.tenth = done * 10 // total
            print("Downloading {}: {:,} of {:,} bytes".format(self.name, done, total), flush=True)


def _report(snapshot, target):
    for note in snapshot.notes:
        print("Note: " + note)
    print("Wrote {}".format(target))
