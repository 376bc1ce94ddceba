"""`sg2ada prepare` and `sg2ada dataset doctor`: from images to a dataset, and a look at them before."""

import argparse
from typing import TYPE_CHECKING, Any

from ..files import atomic_path
from ..shape import size_words
from ..words import shown

if TYPE_CHECKING:
    from ..dataset.preparation import PrepareResult


def add_prepare(verbs: Any) -> None:
    """Add `prepare` to argparse's sub-parsers."""
    parser = verbs.add_parser(
        "prepare",
        help="convert images to a dataset of TFRecords",
        description="Convert images of any kind to a folder of multi-resolution TFRecords. Files that cannot be used are left "
        "out and listed. A run that was stopped goes on where it was when it is started again.",
    )
    parser.add_argument(
        "source",
        help="folder, zip or tar of images, or a folder of such archives; text file with one image path a line; a dataset, or "
        "TFRecords of another program",
    )
    parser.add_argument("destination", help="folder to make; its name becomes the name of the dataset")
    _add_image_options(parser)
    group = parser.add_argument_group("what becomes part of the dataset")
    group.add_argument(
        "--labels",
        default="auto",
        metavar="HOW",
        help="auto: from a dataset.json that lies with the images; folders: one class for each sub-folder; none; "
        "or a CSV or JSON file (default: %(default)s)",
    )
    group.add_argument("--max-images", type=int, metavar="N", help="convert only the first N images")
    group.add_argument(
        "--drop-duplicates",
        choices=("none", "exact", "near"),
        default="none",
        help="leave out images that repeat others: the same file, or the same picture (default: %(default)s)",
    )
    group.add_argument("--no-shuffle", action="store_true", help="keep the images in the order of their names")
    group.add_argument(
        "--full-only",
        action="store_true",
        help="leave out the smaller levels: a quarter less disk, but the original stylegan2-ada cannot read the set",
    )
    group = parser.add_argument_group("how it runs")
    group.add_argument("--strict", action="store_true", help="fail, and list why, if any file cannot be used")
    group.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    group.add_argument("--report", metavar="FILE", help="write all problems to a JSON file")
    group.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run_prepare)


def _add_image_options(parser):
    group = parser.add_argument_group("how images become squares or rectangles")
    group.add_argument(
        "--resolution",
        type=_size,
        metavar="PX",
        help="power of two; WIDTHxHEIGHT such as 768x512; or auto: the rectangle that keeps most of the images' pixels (default: "
        "the largest square, up to 1024, that nine images in ten reach)",
    )
    group.add_argument(
        "--fit",
        default="crop",
        choices=("crop", "pad", "stretch", "tiles", "random", "boxes"),
        help="crop: the largest centred region of that shape; pad: the whole image on the background; stretch: ignore the aspect"
        " ratio; tiles: a grid of squares from each image; random: squares at random places; boxes: from "
        "--boxes (default: %(default)s)",
    )
    group.add_argument(
        "--tile-px",
        type=int,
        default=0,
        metavar="PX",
        help="side of the squares of tiles and random, in the image's own pixels (default: the resolution)",
    )
    group.add_argument("--crops-per-image", type=int, default=8, metavar="N", help="for --fit random (default: %(default)s)")
    group.add_argument("--crop-seed", type=int, default=0, metavar="N", help="for --fit random (default: %(default)s)")
    group.add_argument(
        "--boxes",
        metavar="FILE",
        help='JSON {"name": [left, top, right, bottom], ...} for --fit boxes; with crop, pad and stretch, for those images alone',
    )
    group.add_argument(
        "--filter",
        default="lanczos",
        choices=("lanczos", "box", "bicubic"),
        help="for resizing, all antialiased (default: %(default)s)",
    )
    group.add_argument("--upscale", action="store_true", help="enlarge images that are too small instead of leaving them out")
    group.add_argument(
        "--frames",
        default="first",
        choices=("first", "all"),
        help="of animations and files of several pages; all: each frame is an image of its own (default: %(default)s)",
    )
    _add_colour_options(parser)


def _add_colour_options(parser):
    group = parser.add_argument_group("how colours are read")
    group.add_argument(
        "--color",
        default="auto",
        choices=("auto", "rgb", "grey"),
        help="auto: grey if every image is stored in grey (default: %(default)s)",
    )
    group.add_argument(
        "--alpha",
        default="flatten",
        choices=("flatten", "keep"),
        help="flatten: transparent images over --background; keep: make an RGBA dataset (default: %(default)s)",
    )
    group.add_argument(
        "--background",
        type=_color,
        default=(255, 255, 255),
        metavar="COLOR",
        help="under transparency that is not kept, and around padded images: a name or #rrggbb (default: white)",
    )
    group.add_argument(
        "--ignore-icc", action="store_true", help="take the numbers as they are, whatever colour profile is embedded"
    )
    group.add_argument(
        "--grey-range",
        type=_grey_range,
        default="full",
        metavar="RANGE",
        help="of images of grey in more than 8 bits: full: 0 to 65535, whatever they use of it; used: from the lowest to the "
        "highest value of all images; or LOW:HIGH, such as 0:4095 (default: %(default)s)",
    )
    group.add_argument(
        "--max-megapixels", type=float, default=89.478485, metavar="N", help="refuse larger images (default: %(default)s)"
    )


def _size(text):
    """Return the side of a square, (height, width), or "auto"."""
    from ..errors import UserError
    from ..images.suggest_size import AUTO
    from ..shape import compact_size, parse_size

    if text == AUTO:
        return AUTO
    try:
        return int(text) if text.isdigit() else compact_size(*parse_size(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{error.what} Expected: {error.expected}, or auto; {error.next_step}") from None


def _color(text):
    from ..errors import UserError
    from ..images.colour import parse_colour

    try:
        return parse_colour(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{error.what}; write {error.expected}") from None


def _grey_range(text):
    from ..errors import UserError
    from ..images.grey_range import parse_grey_range

    try:
        return parse_grey_range(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range; write {error.expected}") from None


def add_doctor(actions: Any) -> None:
    """Add `doctor` to the sub-parsers of `sg2ada dataset`."""
    parser = actions.add_parser("doctor", help="examine images before they are converted")
    parser.add_argument("source", help="folder, zip or tar of images, or text file with one image path a line")
    _add_image_options(parser)
    group = parser.add_argument_group("what comes out")
    group.add_argument("--json", metavar="FILE", help="write the whole report as JSON")
    group.add_argument("--sheet", metavar="FILE", help="write a PNG that shows what is cut from the images")
    group.add_argument("--strict", action="store_true", help="exit with 1 if any file cannot be used")
    group.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    group.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run_doctor)


def _fit_options(args):
    from ..images.crop_boxes import read_boxes
    from ..images.fit import FitOptions

    boxes = read_boxes(args.boxes) if args.fit == "boxes" or args.boxes else {}
    return FitOptions(args.fit, args.filter, args.upscale, args.tile_px, args.crops_per_image, args.crop_seed, boxes)


def run_prepare(args: argparse.Namespace) -> None:
    """Convert images; print what came of them."""
    from ..dataset.options import PrepareOptions
    from ..dataset.preparation import prepare

    options = PrepareOptions(
        resolution=args.resolution,
        color=args.color,
        alpha=args.alpha,
        fit=_fit_options(args),
        background=args.background,
        use_icc=not args.ignore_icc,
        grey_range=args.grey_range,
        frames=args.frames,
        max_megapixels=args.max_megapixels,
        labels=args.labels,
        shuffle=not args.no_shuffle,
        full_only=args.full_only,
        max_images=args.max_images,
        drop_duplicates=args.drop_duplicates,
        strict=args.strict,
        workers=args.workers,
    )
    result = prepare(args.source, args.destination, options, progress=not args.quiet)
    print_result(result)
    if args.report:
        _write_json(args.report, {"problems": result.problems, "ignored": result.ignored})


def _write_json(path, content):
    from ..dataset.disk import reporting
    from ..files import write_json

    with reporting(path):
        write_json(path, content)


def print_result(result: "PrepareResult") -> None:
    """Print what became of the images: a `PrepareResult`."""
    kind = {1: "grey", 3: "RGB", 4: "RGBA"}[result.channels]
    labels = f", {result.label_size} labels each" if result.label_size else ""
    print(f"{result.path}: {result.num_images} {kind} images of {size_words(result.resolution)} pixels{labels}")
    for reason, count in sorted(result.ignored.items()):
        print(f"ignored: {count} x {shown(reason)}")
    for note in result.notes:
        print(note)
    if result.problems:
        print(f"left out: {len(result.problems)}")
        for name, _, text in result.problems[:20]:
            print(f"  {shown(name)}: {shown(text)}")
        if len(result.problems) > 20:
            print(f"  and {len(result.problems) - 20} more; --report FILE lists all")


def run_doctor(args: argparse.Namespace) -> int:
    """Examine images and print the report."""
    from ..dataset.disk import reporting
    from ..dataset.options import PrepareOptions
    from ..dataset.plan import check_resolution
    from ..dataset.sources import open_any_source
    from ..images.contact_sheet import contact_sheet
    from ..images.doctor import diagnose, report_text
    from ..images.frames import all_frames
    from ..images.progress import Progress
    from ..images.read import ReadOptions
    from ..images.scan import scan
    from ..images.suggest_size import AUTO

    if args.resolution and args.resolution != AUTO:
        check_resolution(args.resolution)
    grey_range = args.grey_range if isinstance(args.grey_range, tuple) else None
    PrepareOptions(color=args.color, alpha=args.alpha).check()
    channels = 4 if args.alpha == "keep" else 1 if args.color == "grey" else 3
    read = ReadOptions(channels, args.background, not args.ignore_icc, grey_range, int(args.max_megapixels * 1e6))
    source, fit = open_any_source(args.source), _fit_options(args)
    if args.frames == "all":
        source, _ = all_frames(source, scan(source, read, args.workers))
    with Progress(not args.quiet, len(source), "Examining") as bar:
        report, findings = diagnose(source, args.resolution, fit, read, args.workers, bar.update)
    print(report_text(report))
    if args.json:
        _write_json(args.json, report.as_json())
    if args.sheet and report.good:
        sheet = contact_sheet(source, findings, report.resolution, fit, read, args.workers)  # type: ignore[arg-type]
        with reporting(args.sheet), atomic_path(args.sheet) as temporary:
            sheet.save(temporary, "PNG")
    return 1 if not report.good or (args.strict and report.problems) else 0
