"""The verb `project`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, Tuple

from ..errors import UserError
from .generate import add_source, add_verb

if TYPE_CHECKING:
    from ..generate.find_network import FoundNetwork
    from ..generate.generator import TrainedGenerator

DESCRIPTION = """\
Find the w with which a network makes a photograph again, or one of its own pictures. Writes target.png, proj.png, and the w as
projected_w.npz and dlatents.npz, which `sg2ada generate --projected-w`, `video`, `directions apply` and NVIDIA's programs take.
A folder of photographs gives a folder each.

  sg2ada project --network=ffhq256 --target=me.jpg --outdir=me --space=w+ --save-video
  sg2ada project --network=ffhq256 --target=me.jpg --outdir=me2 --pti        tunes the network to the photograph"""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "project", "find the w of a photograph, and tune the network to it", DESCRIPTION)
    add_source(parser)
    parser.add_argument("--target", metavar="PHOTO", required=True, help="a photograph, or a folder of them (required)")
    parser.add_argument("--outdir", metavar="DIR", required=True, help="folder for the files (required)")
    parser.add_argument("--enlarge", action="store_true", help="take photographs smaller than the network's pictures, too")
    how = parser.add_argument_group("how")
    how.add_argument("--num-steps", type=int, default=1000, metavar="N", help="steps (default: 1000)")
    how.add_argument("--seed", type=int, default=303, metavar="N", help="of the noise (default: 303)")
    how.add_argument(
        "--space", default="w", metavar="SPACE",
        help="w: one vector for all layers; w+: one for each, which comes closer and edits worse (default: w)",
    )  # fmt: skip
    how.add_argument("--keep-noise", action="store_true", help="leave the network's stored noise as it is while searching")
    how.add_argument(
        "--w-noise", type=float, default=0.05, metavar="F",
        help="noise added to w while searching, times the spread of w; 0 comes closer to pictures that the network made itself, "
        "and less close to most photographs (default: 0.05)",
    )  # fmt: skip
    how.add_argument("--class", dest="class_", metavar="CLASS", help="class whose mean w is begun with (default: none)")
    how.add_argument(
        "--distance", default="auto", metavar="NAME",
        help="lpips: LPIPS on VGG16; efflite0: EfficientNet-Lite0; auto: lpips where its weights can be had (default: auto)",
    )  # fmt: skip
    how.add_argument("--features", metavar="PATH", help="file or folder of the weights of VGG16")
    more = parser.add_argument_group("more files")
    more.add_argument("--save-video", action="store_true", help="a video of the way: .mp4, or .webp without an encoder")
    more.add_argument("--pti", action="store_true", help="pivotal tuning: write a network that is tuned to the photograph")
    more.add_argument("--pti-steps", type=int, default=350, metavar="N", help="steps of it (default: 350)")
    parser.set_defaults(run=run_project)


def run_project(args: argparse.Namespace) -> int:
    """Project each photograph and say how close it came."""
    from ..generate.labels import parse_class
    from ..generate.target import photographs, read_target

    paths = photographs(args.target)
    class_ = parse_class(args.class_)
    found, generator = open_named(args)
    from ..generate.perceptual import open_distance
    from ..generate.project import project_target
    from ..generate.projector import ProjectOptions, Projector

    options = ProjectOptions(
        steps=args.num_steps, seed=args.seed, space=args.space, w_noise=args.w_noise, optimise_noise=not args.keep_noise
    )
    options.check()
    targets = [read_target(path, generator, args.enlarge) for path in paths]  # all of them before the first takes its minutes
    distance = open_distance(args.distance, args.features)
    print(f"Distance: {distance.title}")
    projector = Projector(generator, distance, options, class_)
    show, video = not args.quiet and sys.stderr.isatty(), None
    if args.save_video:
        from ..previews.video_file import video_suffix

        video = video_suffix()
    pti = args.pti_steps if args.pti else None
    for target, folder in zip(targets, _folders(targets, args)):
        for note in target.notes:
            print(f"{target.path}: {note}")
        done = project_target(projector, target, folder, pti, video, found.snapshot.D, show)
        print(_sentence(target, done))
    return 0


def open_named(args: argparse.Namespace) -> Tuple["FoundNetwork", "TrainedGenerator"]:
    """Return (FoundNetwork, TrainedGenerator) of --network; raise UserError where it names none."""
    from ..colab.load import ready
    from ..colab.session import results_folders
    from ..generate.find_network import find_network
    from .generate import NETWORK_HELP

    if not args.network:
        raise UserError("No network is named.", NETWORK_HELP, "add --network=NAME; `sg2ada runs` lists the runs")
    found = find_network(args.network, results_folders())
    return found, ready(found, False if args.no_xla else None, print)


def _folders(targets, args):
    """Return the folder of each target: --outdir itself for a single photograph, one each in it for a folder of them."""
    if os.path.isfile(args.target):
        return [args.outdir]
    names = [target.name for target in targets]
    return [os.path.join(args.outdir, target.name if names.count(target.name) == 1 else os.path.basename(target.path))
            for target in targets]  # fmt: skip


def _sentence(target, done):
    if done.was_there:
        return f"{target.path}: its projection is in {done.folder} already"
    words = f"{target.path}: distance {done.distance:.4f}, of the mean picture {done.distance_of_mean:.4f}"
    words += f", tuned {done.tuned_distance:.4f}" if done.tuned_distance is not None else ""
    if done.w_error is not None:
        words += f"; the network made it itself, and w is off by {done.w_error:.3f} times the spread of w"
    return words + f"; wrote {done.folder}"
