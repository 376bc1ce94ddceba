"""The datasets of a workspace: made once from what is asked, made anew when something else is asked, never lost."""

import os
import re
import shutil
from contextlib import suppress
from typing import Any, Optional, Sequence, Union

from ..dataset import PrepareOptions, open_dataset, prepare
from ..dataset.difference import Difference, differences
from ..dataset.local_copy import local_copy
from ..dataset.manifest import read_manifest
from ..dataset.plan import check_resolution
from ..dataset.sources import open_any_source
from ..errors import UserError
from ..files import FilePath
from ..images.colour import parse_colour
from ..images.crop_boxes import read_boxes
from ..images.doctor import Report, diagnose
from ..images.fit import CUT_ONCE, FitOptions
from ..images.frames import all_frames
from ..images.progress import Progress
from ..images.scan import scan
from ..images.source import ARCHIVE_SUFFIXES
from ..images.suggest_size import AUTO
from ..machine import in_colab
from ..shape import compact_size, parse_size, size_words
from ..storage.workspace import MACHINE_FOLDER, Workspace
from .dataset_report import report_html
from .find_images import DEMO_NAME, source_path
from .form_words import as_fields
from .html import notice, show, table
from .session import plainly, tell, workspace

SQUARE = "square"  # of the form's resolution: the largest that most images reach
INCOMING = ".incoming"  # folder of datasets that are being made or copied to Drive


@plainly
def preview_dataset(
    source: FilePath = "", resolution: Union[int, str, None] = None, fit: str = "crop", upscale: bool = False, **options: Any
) -> Report:
    """Show what `prepare_dataset` would make of images: a sheet with the crops, and a report; nothing is written.

    Args:
        source: Folder, zip or tar of images; "" is what was chosen in the list, else that of the last dataset, else the flags.
        resolution: Pixels, a power of two, or a text such as "768x512", width x height; "auto" is the rectangle that keeps
            most of the images' pixels; None, 0 or "square" is the largest square that nine images in ten reach.
        fit: crop, pad, stretch, tiles or random; see `sg2ada prepare --help`.
        upscale: Enlarge images that are too small instead of leaving them out.
        options: Further fields of `PrepareOptions`, such as background="black".

    Returns:
        `images.doctor.Report`.

    Raises:
        UserError: An option cannot be used, or there is no such folder or archive.
    """
    path = source_path(source)
    plan = _prepare_options(path, resolution, fit, upscale, options)
    plan.check()
    read, opened = plan.read_options(), open_any_source(path)
    if plan.frames == "all":
        opened, _ = all_frames(opened, scan(opened, read, plan.workers))
    with Progress(True, len(opened), "Examining") as bar:
        report, findings = diagnose(opened, plan.resolution, plan.fit, read, plan.workers, bar.update)
    show(*report_html(report, opened, findings, plan.fit, read))
    return report


@plainly
def prepare_dataset(
    source: FilePath = "",
    name: str = "",
    resolution: Union[int, str, None] = None,
    fit: str = "crop",
    upscale: bool = False,
    **options: Any,
) -> str:
    """Convert images to a dataset in the workspace, unless that very dataset is there, and remember it for the other notebooks.

    A dataset of that name that was made from other images or with other settings is made anew; the old one is kept under
    another name. In Colab it is made on the machine's disk and then copied to Drive as a few large files.

    Args:
        source: Folder, zip or tar of images; "" is what was chosen in the list, else that of the last dataset, else the flags.
        name: Of the dataset; "" is the source's own: photos for photos.zip.
        resolution, fit, upscale: As for `preview_dataset`.
        options: Further fields of `PrepareOptions`, such as labels="folders".

    Returns:
        The path of the dataset.

    Raises:
        UserError: The name or an option cannot be used, there are no images, or as `dataset.prepare`.
    """
    path = source_path(source)
    name = _check_name(name or name_of(path))
    plan = _prepare_options(path, resolution, fit, upscale, options)
    here = workspace()
    target = os.path.join(here.datasets, name)
    changes = _changes(target, path, plan)
    if changes is None or changes:
        other_name = _free_name(here.datasets, name) if changes else None
        if changes:
            show_changes(name, changes, other_name)
        _make(path, name, here.datasets, plan, other_name)
    data = open_dataset(target)
    there = " is there already" if changes == [] else ""
    tell("good", f"{name}{there}: {data.num_images} images of {size_words(data.size)} px.")
    _remember(here, name)
    return target


def name_of(path: FilePath) -> str:
    """Return the name of the dataset that images in a folder or an archive become, such as photos for "My Drive/photos.zip"."""
    base = os.path.basename(os.path.abspath(path))
    suffix = next((one for one in ARCHIVE_SUFFIXES if base.lower().endswith(one)), "")
    base = base[: len(base) - len(suffix)] if suffix else base
    return re.sub(r"[^\w.-]+", "-", base).strip(".-") or "images"


def show_changes(name: str, changes: Sequence[Difference], other_name: Optional[str]) -> None:
    """Say what is asked for otherwise than a dataset was made, and what becomes of it."""
    text = f"{name} is made anew, because it was made from something else. The old one is kept as {other_name}."
    rows = [(one.what, one.before, one.now) for one in changes]
    show(notice("info", text) + table(rows, ("", "before", "now")), "\n".join([text] + list(map(str, changes))))


def _changes(folder, path, options):
    """Return the `Difference`s of a dataset from what is asked, [] for the same; None where there is none.

    Images that are gone since the dataset was made are no difference: nothing could be made of them.
    """
    if not (os.path.isdir(folder) and os.listdir(folder)):
        return None
    manifest = read_manifest(folder)
    try:
        source = open_any_source(path)
    except UserError:
        if manifest and manifest.get("source") == path:
            tell("info", f"{path} is not there any more; the dataset that was made from it is taken.")
            return []
        raise
    return differences(manifest, source, options)


def _make(path, name, datasets, options, other_name):
    """Make a dataset and put it into its place; what is there is renamed, and only when the new one is complete."""
    working = os.path.join(MACHINE_FOLDER, "datasets", INCOMING) if in_colab() else os.path.join(datasets, INCOMING)
    made, target = os.path.join(working, name), os.path.join(datasets, name)
    if os.path.isdir(made) and _changes(made, path, options):
        shutil.rmtree(made)
    if not os.path.isdir(made):
        _report(prepare(path, made, options))
    # By way of another folder: a copy that a disconnect cuts off must not look like a dataset.
    arrived = local_copy(made, os.path.join(datasets, INCOMING)) if in_colab() else made
    if other_name:
        os.replace(target, os.path.join(datasets, other_name))
    os.replace(arrived, target)
    if in_colab():  # training reads it from there
        ready = os.path.join(MACHINE_FOLDER, "datasets", name)
        shutil.rmtree(ready, ignore_errors=True)
        os.replace(made, ready)
    with suppress(OSError):
        os.rmdir(os.path.join(datasets, INCOMING))


def _report(result):
    for note in result.notes:
        tell("warn", as_fields(note))
    if result.problems:
        count = len(result.problems)
        tell("warn", "1 image was left out." if count == 1 else f"{count} images were left out.",
             "\n".join(f"{one}: {text}" for one, _, text in result.problems[:10]))  # fmt: skip


def _remember(here, name):
    """Take a dataset as the one to train on; the demo's never takes the place of a person's own."""
    own = str(here.choices.get("dataset"))
    if own != name and displaces_own(here, os.path.join(here.datasets, name)):
        more = f"To train on the flags, write {name} into the field dataset of notebook 3."
        tell("info", f"The other notebooks still work on {own}.", more)
    else:
        here.choose(dataset=name)


def displaces_own(here: Workspace, folder: FilePath) -> bool:
    """Return whether a dataset is of the demo's images, and the one that the notebooks work on is of a person's own."""
    manifest, own = read_manifest(folder), os.path.join(here.datasets, str(here.choices.get("dataset")))
    return manifest is not None and _is_demo(manifest) and _is_of_own_images(own)


def _is_of_own_images(folder):
    manifest = read_manifest(folder)
    return manifest is not None and not _is_demo(manifest)


def _is_demo(manifest):
    return str(manifest.get("source")).endswith(os.path.join("demo_images", DEMO_NAME + ".zip"))


def _free_name(folder, name):
    number, other = 1, f"{name}-old"
    while os.path.exists(os.path.join(folder, other)):
        number += 1
        other = f"{name}-old-{number}"
    return other


def crops_file(path: FilePath) -> str:
    """Return where the crops by hand of a source's images are kept: beside the datasets of the workspace."""
    return os.path.join(workspace().datasets, name_of(path) + ".crops.json")


def _prepare_options(path, resolution, fit, upscale, options):
    """Return the `PrepareOptions` of a form: empty fields count as not given, and crops by hand are taken in."""
    options = {name: value for name, value in options.items() if value not in (None, "")}
    boxes = read_boxes(crops_file(path)) if fit in CUT_ONCE and os.path.exists(crops_file(path)) else {}
    squares = {name: options.pop(name) for name in ("tile_px", "crops_per_image") if name in options}
    if isinstance(options.get("background"), str):
        options["background"] = parse_colour(options["background"])
    if "max_megapixels" in options:
        options["max_megapixels"] = _number("max_megapixels", options["max_megapixels"])
    try:
        return PrepareOptions(_resolution(resolution), fit=FitOptions(fit, upscale=upscale, boxes=boxes, **squares), **options)
    except TypeError as error:
        raise UserError(
            "prepare_dataset() does not know one of its options: {}".format(str(error).split("__init__() ")[-1]),
            "options such as labels, color, max_images, drop_duplicates",
            "see what they mean with: !python -m sg2ada_colab prepare --help",
        ) from None


def _number(name, value):
    try:
        return float(value)
    except ValueError:
        raise UserError(f"{name} is {value!r}.", "a number, such as 200", "write a number, or leave the field empty") from None


def _resolution(resolution):
    if resolution in (None, 0, "", "0", SQUARE):
        return None
    if resolution == AUTO:
        return AUTO
    text = str(resolution)
    size = int(text) if text.isdigit() else compact_size(*parse_size(text))
    check_resolution(size)
    return size


def _check_name(name):
    if name and str(name) == os.path.basename(str(name)) and not str(name).startswith("."):
        return str(name)
    raise UserError(f"{name!r} cannot be the name of a dataset.", "a word without slashes, such as faces", "choose another name")
