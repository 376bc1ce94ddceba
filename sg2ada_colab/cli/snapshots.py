"""The verbs about single snapshots: `inspect`, `convert`, `export`."""

import argparse
import math
import os
from typing import Any, Optional

from ..errors import UserError

SOURCE_HELP = (
    "snapshot: a file, a URL (may end in #sha256=HEX), a preset (ffhq256, ffhq512, ffhq1024, celebahq256, lsundog256), flags, or "
    "a run by folder or number (its newest snapshot, or RUN:best)"
)
INSPECT = """\
Say what a snapshot is: family, resolution, labels, channels, mapping depth, parameters, the table of its layers, and the options
it was trained with if training_options.json lies beside it. Nothing in the file is run."""
CONVERT = """\
Write a snapshot in another form, by the ending of OUT. Reads the pickles of stylegan2, stylegan2-ada, stylegan2-ada-pytorch and
stylegan3 (--cfg=stylegan2), checkpoints of rosinality's stylegan2-pytorch, and safetensors.
  .pkl           TensorFlow pickle; opens in stylegan2-ada, and through legacy.py in stylegan2-ada-pytorch and stylegan3;
                 with --pytorch as those two write it themselves, which opens there whatever its shape
  .pt            checkpoint of rosinality's stylegan2-pytorch, which encoders and editing programs take (RGB, no labels)
  .safetensors   all three networks, names as in the pickle after the network's: Gs/synthesis/4x4/Conv/weight

For images of another form, as a beginning for training; what is new in it is said:
  sg2ada convert rgb.pkl rgba.pkl --alpha                    a fourth channel, which begins opaque
  sg2ada convert square512.pkl wide.pkl --resolution 768x512  a rectangle (width x height), or another resolution"""
EXPORT = """\
Write the generator for use without this program, by the form of OUT.
  .onnx          ONNX: z, psi -> images (needs the package onnx)
  .safetensors   all three networks as plain arrays
  a folder       TensorFlow SavedModel: z, psi -> uint8 images"""


def register(verbs: Any) -> None:
    """Add the verbs to the argparse subparsers `verbs`."""
    parser = _verb(verbs, "inspect", "say what a snapshot is", INSPECT, "sg2ada inspect FILE [FILE ...]")
    parser.add_argument("files", metavar="FILE", nargs="+", help=SOURCE_HELP)
    parser.add_argument("--no-layers", action="store_true", help="leave out the table of layers")
    parser.set_defaults(run=run_inspect)

    parser = _verb(verbs, "convert", "write a snapshot in another form", CONVERT, "sg2ada convert IN OUT [options]")
    _source_and_target(parser, "file to write, ending in .pkl, .pt or .safetensors")
    parser.add_argument("--compact", action="store_true", help="of a .safetensors file: Gs and D alone, in float16")
    parser.add_argument("--pytorch", action="store_true", help="of a .pkl file: in the form of the PyTorch programs")
    parser.add_argument(
        "--resolution", metavar="PX", help="for images of another size: one side, or WIDTHxHEIGHT such as 768x512"
    )
    alpha = parser.add_mutually_exclusive_group()
    alpha.add_argument("--alpha", action="store_true", default=None, help="give an RGB network a fourth channel, transparency")
    alpha.add_argument("--no-alpha", dest="alpha", action="store_false", help="take the fourth channel of an RGBA network away")
    parser.set_defaults(run=run_convert)

    parser = _verb(verbs, "export", "write the generator for other programs", EXPORT, "sg2ada export IN OUT [options]")
    _source_and_target(parser, "what to write: NAME.onnx, NAME.safetensors or a new folder")
    parser.add_argument(
        "--network", choices=("Gs", "G"), default="Gs", help="Gs: the moving average, G: as last trained (default: Gs)"
    )
    parser.add_argument("--trunc", type=float, metavar="PSI", help="a fixed truncation, instead of the input psi")
    parser.set_defaults(run=run_export, imports_tensorflow=True)


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


def run_inspect(args: argparse.Namespace) -> int:
    """Print the description of each file; returns 1 when one of several could not be read."""
    from ..formats.inspect import describe

    failed = []
    for index, name in enumerate(args.files):
        try:
            found = _found(name)
            lines = describe(found.snapshot, found.path, layers=not args.no_layers)
        except UserError as error:
            failed.append(error)
            continue
        print("\n".join(([""] if index else []) + lines))
    if len(args.files) == 1 and failed:
        raise failed[0]
    for problem in failed:
        print(f"\n{problem}")
    return 1 if failed else 0


def run_convert(args: argparse.Namespace) -> None:
    """Convert and say what was written."""
    from ..formats.convert import check_target, write_snapshot
    from ..formats.reshape import reshaped
    from ..shape import parse_size

    size = parse_size(args.resolution) if getattr(args, "resolution", None) else None
    alpha = getattr(args, "alpha", None)
    compact, pytorch = getattr(args, "compact", False), getattr(args, "pytorch", False)
    check_target(args.target, compact, pytorch)  # before anything is downloaded
    _check_target(args)
    snapshot = _found(args.source).snapshot
    if size is not None or alpha is not None:
        snapshot = reshaped(snapshot, size, alpha)
    write_snapshot(args.target, snapshot, compact, pytorch)
    _report(snapshot, args.target)
    if snapshot.Gs.num_channels == 4 and args.target.lower().endswith(".pkl"):
        print(
            "The network makes RGBA. Where a program of the PyTorch family stops at colour transforms of four channels, train "
            "there with --augpipe=bg."
        )
    if not snapshot.Gs.config.is_square and pytorch:
        print(
            "The network is not square: the PyTorch programs make pictures with it by the code inside; they train squares only."
        )
    elif not snapshot.Gs.config.is_square and args.target.lower().endswith(".pkl"):
        print("The network is not square: stylegan2-ada opens it with the code inside; the PyTorch programs refuse it. "
              "With --pytorch it is written for them.")  # fmt: skip


def run_export(args: argparse.Namespace) -> int:
    """Export the generator by the form of the target's name."""
    ending = os.path.splitext(args.target)[1].lower()
    if ending in (".pkl", ".pt", ".pth", ".h5", ".keras", ".tflite", ".pb"):
        raise UserError(f"{args.target} is not a format that can be exported.", "NAME.onnx, NAME.safetensors or a new folder",
                        "for a pickle use `sg2ada convert`; PyTorch opens that one through legacy.py")  # fmt: skip
    _check_target(args)
    if args.trunc is not None and not math.isfinite(args.trunc):
        raise UserError(f"The truncation is {args.trunc}.", "a number, 1 for none", "write --trunc=0.7")
    if ending == ".safetensors":
        if args.trunc is not None:
            raise UserError("A .safetensors file holds weights, which truncation does not change.", "NAME.onnx or a new folder",
                            "leave --trunc out, or choose another form")  # fmt: skip
        run_convert(args)
        return 0
    snapshot = _found(args.source).snapshot
    network = snapshot.Gs if args.network == "Gs" else snapshot.G
    if ending == ".onnx":
        from ..formats.export_onnx import export_onnx

        export_onnx(args.target, network, args.trunc)
    else:
        from ..formats.export_savedmodel import export_savedmodel

        export_savedmodel(args.target, network, args.trunc)
    _report(snapshot, args.target)
    return 0


def _check_target(args):
    if os.path.exists(args.target) and not (args.force and os.path.isfile(args.target)):
        raise UserError(f"{args.target} exists already.", "a new name", "choose another name, or add --force to replace a file")
    if os.path.abspath(args.target) == os.path.abspath(args.source):
        raise UserError("IN and OUT are the same file.", "another name for the result", "choose another name")


def _found(name):
    """Return the FoundNetwork of a name, and say what was passed over."""
    from ..colab.session import results_folders
    from ..generate.find_network import find_network

    found = find_network(name, results_folders(), progress=_Progress(name))
    for note in found.notes:
        print("Note: " + note)
    return found


class _Progress:
    """Prints every tenth of a download."""

    def __init__(self, name: str) -> None:
        self.name, self.tenth = name, -1

    def __call__(self, done: int, total: Optional[int]) -> None:
        if total and done * 10 // total > self.tenth:
            self.tenth = done * 10 // total
            print(f"Downloading {self.name}: {done:,} of {total:,} bytes", flush=True)


def _report(snapshot, target):
    for note in snapshot.notes:
        print("Note: " + note)
    print(f"Wrote {target}")
