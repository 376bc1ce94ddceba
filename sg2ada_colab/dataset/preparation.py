"""Images of any kind -> a folder of multi-resolution TFRecords, whole or not there at all."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..images.duplicates import exact_duplicates, near_duplicates
from ..images.inspect import inspect
from ..images.labels import find_labels
from ..images.progress import Progress
from ..images.scan import scan
from ..images.wording import some
from .building import LOCK_NAME, Build, locked
from .disk import reporting
from .options import PrepareOptions
from .plan import make_plan, no_images_error
from .sources import open_any_source


@dataclasses.dataclass
class PrepareResult:
    """What became of the images.

    Attributes:
        path: Folder of the data set.
        num_images, resolution, channels, label_size: Of the data set.
        problems: (name, kind, text) of every image that was left out.
        ignored: Reason -> number of files that were no images.
        manifest: Content of manifest.json.
    """

    path: str
    num_images: int
    resolution: int
    channels: int
    label_size: int
    problems: list
    ignored: dict
    manifest: dict


def prepare(source, destination, options=PrepareOptions(), progress=True):  # noqa: B008 - frozen
    """Convert images to a data set of TFRecords that stylegan2-ada reads too.

    The data set is built in `<destination>.partial` and renamed when it is whole. A run that was killed goes on where it
    stopped when the same images and options are given again, and starts anew otherwise.

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
    labels = find_labels(source, options.labels)
    with Progress(progress, len(source), "Looking at the images") as bar:
        enough = options.max_images if options.drop_duplicates == "none" else None  # a few of millions need not wait for all
        headers = scan(source, options.read_options(), options.workers, bar.update, enough)
    source = source.first(len(headers))
    repeated = _repeated(source, options, progress)
    plan = make_plan(source, headers, options.resolution, options.color, options.fit, options.max_images, repeated)
    del headers, repeated  # of a million images they would weigh on every worker
    partial = destination.with_name(destination.name + ".partial")
    with reporting(partial, "free some space and run the same command again; it goes on where it stopped"), locked(partial):
        build = Build(source, plan, labels, options, partial, destination.name)
        build.convert(progress)
        if options.strict and plan.problems:  # only now, so that all problems are told at once
            raise strict_error(source, plan.problems)
        manifest = build.finish()
        if destination.exists():
            destination.rmdir()
        (partial / LOCK_NAME).unlink()
        os.replace(str(partial), str(destination))
    return PrepareResult(
        str(destination), manifest["num_images"], plan.resolution, plan.channels, manifest["label_size"], plan.problems,
        dict(source.ignored), manifest,
    )  # fmt: skip


def _repeated(source, options, progress):
    """Return {index: name of the image that it repeats} for the images that `drop_duplicates` leaves out."""
    if options.drop_duplicates == "none":
        return {}
    with Progress(progress, len(source), "Comparing the images") as bar:
        findings = inspect(source, options.read_options(), options.workers, bar.update)
    good = [i for i, finding in enumerate(findings) if finding.problem is None]
    groups = exact_duplicates([findings[i].digest for i in good])
    if options.drop_duplicates == "near" and good:
        groups = near_duplicates(np.stack([findings[i].thumb for i in good]))
    return {good[k]: source.names[good[group[0]]] for group in groups for k in group[1:]}


def check_destination(destination):
    """Raise UserError unless a folder can be made at this Path; makes its parents."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(
            "{} is in use".format(destination),
            "a folder that does not exist yet, or an empty one",
            "choose another name, or delete it first if it is not needed",
        )
    with reporting(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)


def strict_error(source, problems):
    """Return the UserError that lists the images which cannot be used, where every one must be good."""
    listed = "".join("\n    {}: {}".format(name, text) for name, _, text in problems[:20])
    more = "\n    and {} more".format(len(problems) - 20) if len(problems) > 20 else ""
    return UserError(
        "{} in {} cannot be used:{}{}".format(some(len(problems), "image", "images"), source.path, listed, more),
        "every image good, because --strict was given",
        "mend or remove them, or leave out --strict to go on without them",
    )
