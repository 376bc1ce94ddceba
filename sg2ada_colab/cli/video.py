"""The verb `video`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Optional

from ..errors import UserError
from .generate import add_settings, add_source, add_verb, load_named, settings_of

if TYPE_CHECKING:
    from ..generate.directions import Direction
    from ..generate.video import VideoSettings

DESCRIPTION = """\
Make a video with a trained network. By default it walks through the seeds in a closed loop, along a cubic spline in w, as
NVIDIA's stylegan3 program does. MP4 needs the package imageio-ffmpeg; .webp and .gif need nothing.

  sg2ada video --network=ffhq256 --seeds=0-5 --trunc=0.7 --fps=30 --output=walk.mp4
  sg2ada video --network=3 --seeds=0-31 --grid=4x2 --w-frames=60 --output=grid.mp4
  sg2ada video --network=3 --seeds=7 --interpolation=noise-loop --space=z --seconds=8 --output=loop.webp
  sg2ada video --network=3 --projected-w me.npz you.npz --seconds=3 --output=morph.mp4
  sg2ada video --network=3 --seeds=7 --file=directions.npz --direction=smile --sweep=-2,2 --output=smile.mp4"""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "video", "make a video: a walk between pictures, a loop, a sweep", DESCRIPTION)
    add_source(parser)
    what = parser.add_argument_group("what to show")
    what.add_argument("--seeds", metavar="LIST", help="seeds to pass through, such as 0-5 (default: 0-3)")
    what.add_argument("--shuffle-seed", type=int, metavar="N", help="shuffle the seeds first, always in the same way")
    what.add_argument("--projected-w", nargs="+", metavar="FILE", help="npz files of w to pass through instead of seeds")
    what.add_argument("--interpolation", metavar="KIND", default="cubic", help=(
        "linear, slerp, cubic; circular: around a circle through two seeds; noise-loop: a smooth random loop; "
        "truncation: one picture from the average to itself and back; direction: along --direction and back "
        "(default: cubic)"))  # fmt: skip
    what.add_argument("--file", metavar="FILE", help="file of directions, as `sg2ada directions` writes it")
    what.add_argument("--direction", metavar="NAME", help="its direction that pictures are moved along, there and back")
    what.add_argument("--space", metavar="z|w", help="where the way lies (default: w; z for slerp, circular and noise-loop)")
    what.add_argument("--diameter", type=float, default=2.0, metavar="D", help="how far a noise loop wanders (default: 2)")
    what.add_argument(
        "--sweep", metavar="FROM,TO", help="truncation of a sweep (default: 0,1), or strengths along a direction (default: -3,3)"
    )
    what.add_argument("--class-path", metavar="LIST", help="a class for each keyframe, such as 0,3,1: it changes on the way")
    what.add_argument("--grid", metavar="COLSxROWS", default="1x1", help="videos side by side; each takes its share of the seeds")
    what.add_argument("--open", action="store_true", help="end at the last keyframe instead of going back to the first")
    how = parser.add_argument_group("length and speed")
    how.add_argument("--keyframes", "--num-keyframes", type=int, metavar="N", help="keyframes of each cell (default: its seeds)")
    how.add_argument("--w-frames", type=int, metavar="N", help="frames from keyframe to keyframe (default: 120)")
    how.add_argument("--seconds", type=float, metavar="S", help="length of the video, instead of --w-frames")
    how.add_argument("--fps", type=float, default=60.0, metavar="N", help="frames a second (default: 60)")
    how.add_argument("--scale", type=int, default=1, metavar="N", help="enlarge each pixel N times (default: 1)")
    how.add_argument("--easing", metavar="KIND", default="linear", help="linear, in, out or in-out (default: linear)")
    add_settings(parser)
    parser.add_argument("--output", metavar="FILE", required=True, help="NAME.mp4, NAME.webp or NAME.gif (required)")
    parser.set_defaults(run=run_video)


def run_video(args: argparse.Namespace) -> int:
    """Make the video and say what it is."""
    from ..generate.latent_file import read_latents
    from ..generate.seed_list import parse_seeds
    from ..generate.video import make_video
    from ..previews.video_file import check_video_path

    check_video_path(args.output)
    if args.seconds is not None and args.w_frames is not None:
        raise UserError("--seconds and --w-frames are given together.", "one of them", "leave one out")
    if args.projected_w and (args.seeds or args.class_path):
        raise UserError("--projected-w is given with --seeds or --class-path.", "files of w or seeds", "leave one out")
    if bool(args.file) != bool(args.direction):
        raise UserError(
            "--file and --direction go together.", "both or neither", "name the direction in the file, or leave both out"
        )
    settings, seeds = settings_of(args), parse_seeds(args.seeds or "0-3")
    classes = parse_seeds(args.class_path) if args.class_path else None
    if not args.direction:
        video_settings(args).check()
    generator = load_named(args)
    video = video_settings(args, _direction(args, generator) if args.direction else None)
    video.check()
    w = None
    if args.projected_w:
        import numpy as np

        w = np.concatenate([read_latents(path, generator) for path in args.projected_w])
    count = make_video(generator, settings, video, args.output, seeds, w, classes, not args.quiet and sys.stderr.isatty())
    print(f"Wrote {args.output}: {count} frames, {count / video.fps:.3g} s")
    if generator.config.num_channels == 4:
        print("Videos have no transparency: the pictures are shown on white.")
    return 0


def _direction(args, generator):
    from ..generate.direction_file import find_direction, read_directions

    return find_direction(read_directions(args.file, generator)[0], args.direction, args.file)


def video_settings(args: argparse.Namespace, direction: Optional["Direction"] = None) -> "VideoSettings":
    """Return the VideoSettings of parsed flags, and of a Direction.

    Raises UserError where --sweep is not two numbers.
    """
    from ..generate.video import VideoSettings
    from ..previews.sheet import parse_grid

    try:
        sweep = tuple(float(part) for part in args.sweep.split(",")) if args.sweep is not None else None
    except ValueError:
        sweep = ()
    if sweep is not None and len(sweep) != 2:
        raise UserError(f"--sweep is {args.sweep!r}.", "two numbers, such as 0,1", "write --sweep=0,1")
    return VideoSettings(
        interpolation="direction" if direction and args.interpolation == "cubic" else args.interpolation,
        space=args.space or ("z" if args.interpolation in ("slerp", "circular", "noise-loop") else "w"),
        keyframes=args.keyframes, w_frames=120 if args.w_frames is None else args.w_frames, seconds=args.seconds, fps=args.fps,
        easing=args.easing, grid=parse_grid(args.grid, 1), loop=not args.open, shuffle_seed=args.shuffle_seed,
        diameter=args.diameter, sweep=sweep, direction=direction, scale=args.scale,
    )  # fmt: skip
