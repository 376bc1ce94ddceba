"""Images of any kind -> a folder of multi-resolution TFRecords, complete or absent."""

import dataclasses
import os
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..images.duplicates import exact_duplicates, near_duplicates
from ..images.frames import all_frames, frames_advice, headers_of_frames, labels_of_frames
from ..images.grey_range import FULL, measure, parse_grey_range, range_for_all
from ..images.inspect import inspect
from ..images.labels import find_labels
from ..images.progress import Progress
from ..images.read import TRANSPARENCY, Header
from ..images.scan import scan
from ..images.source import Source
from ..images.wide import is_wide
from ..shape import Size
from ..words import counted, shown
from .building import LOCK_NAME, Build, locked
from .disk import reporting
from .options import PrepareOptions
from .plan import make_plan, no_images_error
from .sources import open_any_source


@dataclasses.dataclass
class PrepareResult:
    """The result of a conversion.

    Attributes:
        path: Folder of the dataset.
        num_images, resolution, channels, label_size: Of the dataset.
        problems: (name, kind, text) of every image that was left out.
        ignored: Reason -> number of files that were not images.
        manifest: Content of manifest.json.
        notes: Sentences about what was taken otherwise than one might expect.
    """

    path: str
    num_images: int
    resolution: Size  # side of a square, or (height, width)
    channels: int
    label_size: int
    problems: list
    ignored: dict
    manifest: dict
    notes: list = dataclasses.field(default_factory=list)


def prepare(
    source: Any, destination: FilePath, options: PrepareOptions = PrepareOptions(), progress: bool = True
) -> PrepareResult:
    """Convert images to a dataset of TFRecords that stylegan2-ada reads too.

    The dataset is built in `<destination>.partial` and renamed when it is complete. A run that was killed continues where it
    stopped when the same images and options are given again, and starts over otherwise.

    Args:
        source: Path of a folder or an archive, or a `Source`.
        destination: Folder to make; must not exist, or be empty. Its name becomes the prefix of the files.
        options: PrepareOptions.
        progress: Show progress bars.

    Returns:
        PrepareResult.

    Raises:
        UserError: Nothing usable found, bad options, no space, destination in use; with `options.strict` any bad file.
    """
    options.check()
    destination = Path(os.path.abspath(str(destination)))
    check_destination(destination)
    source = open_any_source(source) if isinstance(source, (str, Path)) else source
    if not len(source):
        raise no_images_error(source, [])
    contents, labels = source.contents(), find_labels(source, options.labels)
    source, headers, labels, notes = _scanned(source, labels, options, progress)
    options, more_notes = _with_grey_range(source, headers, options, progress)
    repeated = _repeated(source, options, progress)
    plan = make_plan(source, headers, options, repeated)
    notes += _opaque_note(headers, plan)
    del headers, repeated  # of a million images they would weigh on every worker
    partial = destination.with_name(destination.name + ".partial")
    with reporting(partial, "free some space and run the same command again; it continues where it stopped"), locked(partial):
        build = Build(source, plan, labels, options, partial, destination.name, contents)
        manifest = _built(build, destination, progress)
    return PrepareResult(
        str(destination), manifest["num_images"], plan.resolution, plan.channels, manifest["label_size"], plan.problems,
        dict(source.ignored), manifest, notes + more_notes,
    )  # fmt: skip


def _scanned(source, labels, options, progress):
    """Return (source of the images or frames to take, their headers, their labels, [a sentence about frames])."""
    with Progress(progress, len(source), "Looking at the images") as bar:
        can_stop = options.drop_duplicates == "none" and options.frames == "first"
        enough = options.max_images if can_stop else None  # a small part of millions of images does not wait for all
        headers = scan(source, options.read_options(), options.workers, bar.update, enough)
    source = source.first(len(headers))
    if options.frames == "all":
        source, files = all_frames(source, headers)
        labels = labels_of_frames(labels, files)
        return source, headers_of_frames(source, headers, files, options.read_options(), options.workers), labels, []
    advice = frames_advice(headers)
    return source, headers, labels, [advice] if advice else []


def _built(build, destination, progress):
    """Convert the images of a Build and rename what is complete to `destination`; return the manifest."""
    build.convert(progress)
    if build.options.strict and build.plan.problems:  # only now, so that all problems are reported at once
        raise strict_error(build.source, build.plan.problems)
    manifest = build.finish()
    if destination.exists():
        destination.rmdir()
    (build.folder / LOCK_NAME).unlink()
    os.replace(str(build.folder), str(destination))
    return manifest


def _with_grey_range(source, headers, options, progress):
    """Return the options with the range of greys in numbers, and [a sentence] where the images use little of it."""
    how = parse_grey_range(options.grey_range) if isinstance(options.grey_range, str) else tuple(options.grey_range)
    count = sum(isinstance(header, Header) and is_wide(header.mode) for header in headers)
    with Progress(progress, count, "Looking at the greys") as bar:
        values = measure(source, headers, options.read_options(), options.workers, bar.update)
    notes = [values.advice()] if values and values.use_little() and how == FULL else []
    return dataclasses.replace(options, grey_range=range_for_all(how, values) or FULL), notes


def _opaque_note(headers, plan):
    """Return [a sentence] where transparency is kept and some images have none."""
    used = np.unique(plan.tasks[:, 0])
    opaque = sum(TRANSPARENCY not in headers[index].notes for index in used)
    if plan.channels != 4 or not opaque:
        return []
    if opaque == len(used):
        return ["No image is transparent anywhere: without --alpha keep the dataset is RGB, and every network of it, too."]
    return [f"{opaque} of {len(used)} images have no transparency: they are opaque everywhere."]


def _repeated(source, options, progress):
    """Return {index: name of the image that it repeats} for the images that `drop_duplicates` leaves out."""
    if options.drop_duplicates == "none":
        return {}
    with Progress(progress, len(source), "Comparing the images") as bar:
        findings = inspect(source, options.read_options(), options.workers, bar.update)
    good = [i for i, finding in enumerate(findings) if finding.problem is None]
    groups = exact_duplicates([findings[i].digest for i in good])
    if options.drop_duplicates == "near" and good:
        thumbs: Any = [findings[i].thumb for i in good]  # there is one where there is no problem
        groups = near_duplicates(np.stack(thumbs))
    return {good[k]: source.names[good[group[0]]] for group in groups for k in group[1:]}


def check_destination(destination: Path) -> None:
    """Raise UserError unless a folder can be made at this Path; makes its parents."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(
            f"{destination} is in use",
            "a folder that does not exist yet, or an empty one",
            "choose another name, or delete it first if it is not needed",
        )
    with reporting(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)


def strict_error(source: Source, problems: Sequence[Any]) -> UserError:
    """Return the UserError that lists the images which cannot be used, where every one must be valid."""
    listed = "".join(f"\n    {shown(name)}: {shown(text)}" for name, _, text in problems[:20])
    more = f"\n    and {len(problems) - 20} more" if len(problems) > 20 else ""
    return UserError(
        "{} in {} cannot be used:{}{}".format(counted(len(problems), "image", "images"), source.path, listed, more),
        "every image valid, because --strict was given",
        "fix or remove them, or leave out --strict to go on without them",
    )
