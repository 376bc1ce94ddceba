"""`sg2ada prepare` and `sg2ada dataset doctor`: from images to a data set, and a look at them before."""

import argparse
import json
import os


def add_prepare(verbs):
    """Add `prepare` to argparse's sub-parsers."""
    parser = verbs.add_parser(
        "prepare",
        help="convert images to a data set of TFRecords",
        description="Convert images of any kind to a folder of multi-resolution TFRecords. Files that cannot be used are left "
        "out and listed. A run that was stopped goes on where it was when it is started again.",
    )
    parser.add_argument("source", help="folder, zip or tar of images; text file with one image path a line; or a data set")
    parser.add_argument("destination", help="folder to make; its name becomes the name of the data set")
    _add_image_options(parser)
    group = parser.add_argument_group("what becomes part of the data set")
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
    group = parser.add_argument_group("how images become squares")
    group.add_argument(
        "--resolution",
        type=int,
        metavar="PX",
        help="power of two (default: the largest, up to 1024, that nine images in ten reach)",
    )
    group.add_argument(
        "--fit",
        default="crop",
        choices=("crop", "pad", "stretch", "tiles", "random", "boxes"),
        help="crop: the largest centred square; pad: the whole image on the background; stretch: ignore the aspect"
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
    group.add_argument("--boxes", metavar="FILE", help='JSON {"name": [left, top, right, bottom], ...} for --fit boxes')
    group.add_argument(
        "--filter",
        default="lanczos",
        choices=("lanczos", "box", "bicubic"),
        help="for resizing, all antialiased (default: %(default)s)",
    )
    group.add_argument("--upscale", action="store_true", help="enlarge images that are too small instead of leaving them out")
    group = parser.add_argument_group("how colours are read")
    group.add_argument(
        "--color",
        default="auto",
        choices=("auto", "rgb", "grey"),
        help="auto: grey if every image is stored in grey (default: %(default)s)",
    )
    group.add_argument(
        "--background",
        type=_color,
        default=(255, 255, 255),
        metavar="COLOR",
        help="under transparency and around padded images: a name or #rrggbb (default: white)",
    )
    group.add_argument(
        "--ignore-icc", action="store_true", help="take the numbers as they are, whatever colour profile is embedded"
    )
    group.add_argument(
        "--max-megapixels", type=float, default=89.478485, metavar="N", help="refuse larger images (default: %(default)s)"
    )


def _color(text):
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise argparse.ArgumentTypeError("{!r} is no color; write a name such as black, or #rrggbb".format(text)) from None


def add_doctor(actions):
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
    from ..errors import UserError
    from ..images.fit import FitOptions

    boxes = {}
    if args.fit == "boxes":
        try:
            with open(args.boxes or "", encoding="utf-8") as file:
                boxes = {name: tuple(int(edge) for edge in box) for name, box in json.load(file).items()}
            if any(len(box) != 4 for box in boxes.values()):
                raise ValueError("a box needs four numbers")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                "--boxes {} cannot be read: {}".format(args.boxes, error),
                'JSON {"name": [left, top, right, bottom], ...}',
                "give the file that holds the crop boxes",
            ) from error
    return FitOptions(args.fit, args.filter, args.upscale, args.tile_px, args.crops_per_image, args.crop_seed, boxes)


def run_prepare(args):
    """Convert images; print what came of them."""
    from ..dataset.options import PrepareOptions
    from ..dataset.preparation import prepare

    options = PrepareOptions(
        resolution=args.resolution,
        color=args.color,
        fit=_fit_options(args),
        background=args.background,
        use_icc=not args.ignore_icc,
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
    from ..dataset.manifest import write_json

    with reporting(path):
        write_json(path, content)


def print_result(result):
    """Print what became of the images: a `PrepareResult`."""
    kind = "RGB" if result.channels == 3 else "grey"
    labels = ", {} labels each".format(result.label_size) if result.label_size else ""
    print("{}: {} {} images of {} pixels{}".format(result.path, result.num_images, kind, result.resolution, labels))
    for reason, count in sorted(result.ignored.items()):
        print("ignored: {} x {}".format(count, reason))
    if result.problems:
        print("left out: {}".format(len(result.problems)))
        for name, _, text in result.problems[:20]:
            print("  {}: {}".format(name, text))
        if len(result.problems) > 20:
            print("  and {} more; --report FILE lists all".format(len(result.problems) - 20))


def run_doctor(args):
    """Examine images and print the report."""
    from ..dataset.disk import reporting
    from ..dataset.plan import check_resolution
    from ..dataset.sources import open_any_source
    from ..images.contact_sheet import contact_sheet
    from ..images.doctor import diagnose, report_text
    from ..images.progress import Progress
    from ..images.read import ReadOptions

    if args.resolution:
        check_resolution(args.resolution)
    read = ReadOptions(1 if args.color == "grey" else 3, args.background, not args.ignore_icc, int(args.max_megapixels * 1e6))
    source, fit = open_any_source(args.source), _fit_options(args)
    with Progress(not args.quiet, len(source), "Examining") as bar:
        report, findings = diagnose(source, args.resolution, fit, read, args.workers, bar.update)
    print(report_text(report))
    if args.json:
        _write_json(args.json, report.as_json())
    if args.sheet and report.good:
        sheet = contact_sheet(source, findings, report.resolution, fit, read, args.workers)
        with reporting(args.sheet):
            sheet.save(args.sheet + ".tmp", "PNG")
            os.replace(args.sheet + ".tmp", args.sheet)
    return 1 if not report.good or (args.strict and report.problems) else 0
