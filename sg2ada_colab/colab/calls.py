"""What the notebooks call, one function a step; each does by itself what a person would otherwise have to remember."""

import os
import re
from dataclasses import dataclass

from ..dataset import PrepareOptions, open_dataset, prepare
from ..dataset.local_copy import local_copy
from ..dataset.plan import check_resolution
from ..dataset.sources import open_any_source
from ..errors import UserError
from ..images.contact_sheet import contact_sheet
from ..images.doctor import diagnose, report_text
from ..images.fit import FitOptions
from ..images.progress import Progress
from ..previews.timeline import as_jpeg
from ..snapshots.verified_copy import fetch_run
from .drive import finish as finish_drive
from .html import picture, preformatted, show
from .panel import STARTING, open_panel
from .plan import find_dataset, plan_run
from .run_view import RunView
from .runtime import in_colab
from .session import drive, plainly, session_left_s, tell, workspace
from .supervisor import Ending, TrainingProcess, supervise, wait_for_earlier
from .workspace import MACHINE_FOLDER

SHEET_PX, SHEET_BYTES = 1500, 300000
INCOMING = ".incoming"  # folder of datasets that are being copied to Drive


@plainly
def preview_dataset(source, resolution=None, fit="crop", upscale=False):
    """Show what `prepare_dataset` would make of images: a sheet with the crops, and a report; nothing is written.

    Args:
        source: Folder, zip or tar of images.
        resolution: Pixels, a power of two; None or 0 is the largest that nine images in ten reach.
        fit: crop, pad, stretch, tiles or random; see `sg2ada prepare --help`.
        upscale: Enlarge images that are too small instead of leaving them out.

    Returns:
        `images.doctor.Report`.
    """
    resolution = _resolution(resolution)
    options = FitOptions(fit, upscale=upscale)
    opened = open_any_source(os.path.expanduser(str(source)))
    with Progress(True, len(opened), "Examining") as bar:
        report, findings = diagnose(opened, resolution, options, progress=bar.update)
    words = as_fields(report_text(report))
    content = preformatted(words.splitlines())
    if report.good:
        sheet = contact_sheet(opened, findings, report.resolution, options)
        alt = "a sheet of {} of your images; what is kept of each is bright and framed".format(min(60, report.good))
        content = picture(as_jpeg(sheet, SHEET_PX, SHEET_BYTES), alt, "Bright: kept. Dim: cut away. Crossed: left out.") + content
    show(content, words)
    return report


def as_fields(text):
    """Return a text with options of the command line named as the fields and arguments of a notebook: --fit as fit."""
    return re.sub(r"(?<![\w-])--(\w[\w-]*)", lambda match: match.group(1).replace("-", "_"), text)


@plainly
def prepare_dataset(source, name, resolution=None, fit="crop", upscale=False, **options):
    """Convert images to a dataset in the workspace, unless it is there already, and remember it for the other notebooks.

    In Colab it is made on the machine's disk and then copied to Drive as a few large files.

    Args:
        source: Folder, zip or tar of images.
        name: Of the dataset.
        resolution, fit, upscale: As for `preview_dataset`.
        options: Further fields of `PrepareOptions`, such as labels="folders".

    Returns:
        The path of the dataset.
    """
    name = _check_name(name)
    here = workspace()
    target = os.path.join(here.datasets, name)
    if os.path.isdir(target) and os.listdir(target):
        data = open_dataset(target)
        tell("good", "{} is there already: {} images of {} px.".format(name, data.num_images, data.resolution),
             "To make it anew, choose another name, or delete the folder {}.".format(target))  # fmt: skip
    else:
        plan = _prepare_options(resolution, fit, upscale, options)
        made = os.path.join(MACHINE_FOLDER, "datasets", name) if in_colab() else target
        if not os.path.isdir(made):
            result = prepare(os.path.expanduser(str(source)), made, plan)
            if result.problems:
                tell("warn", "{} images were left out.".format(len(result.problems)),
                     "\n".join("{}: {}".format(one, text) for one, _, text in result.problems[:10]))  # fmt: skip
        if made != target:
            # By way of another folder: a copy that a disconnect cuts off must not look like a dataset.
            os.replace(local_copy(made, os.path.join(here.datasets, INCOMING)), target)
        data = open_dataset(target)
        tell("good", "{}: {} images of {} px.".format(name, data.num_images, data.resolution))
    here.choose(dataset=name)
    return target


def _prepare_options(resolution, fit, upscale, options):
    try:
        return PrepareOptions(resolution=_resolution(resolution), fit=FitOptions(fit, upscale=upscale), **options)
    except TypeError as error:
        raise UserError(
            "prepare_dataset() does not know one of its options: {}".format(str(error).split("__init__() ")[-1]),
            "options such as labels, color, max_images, drop_duplicates",
            "see what they mean with: !python -m sg2ada_colab prepare --help",
        ) from None


def _resolution(resolution):
    if not resolution or resolution == "auto":
        return None
    check_resolution(int(resolution))
    return int(resolution)


def _check_name(name):
    if name and str(name) == os.path.basename(str(name)) and not str(name).startswith("."):
        return str(name)
    raise UserError(
        "{!r} cannot be the name of a dataset.".format(name), "a word without slashes, such as faces", "choose another name"
    )


@plainly
def preview_augment(dataset=None, pipe="bgc", strengths=(0.0, 0.2, 0.5, 0.8), num_images=4):
    """Show what augmentation does to images of a dataset: a row an image, a column a strength p.

    Args:
        dataset: Name or path; None is the one that was prepared last.
        pipe: Transforms, such as bgc; see `sg2ada train --help`.
    """
    from ..augment.preview import preview_dataset as draw
    from ..runs.device import prepare_device

    prepare_device()  # or this kernel would take the whole GPU, and training have none
    sheet = draw(open_dataset(find_dataset(workspace(), dataset)), pipe, num_images, strengths=tuple(strengths))
    alt = "{} of your images as the discriminator sees them, at strengths {}".format(num_images, ", ".join(map(str, strengths)))
    show(picture(as_jpeg(sheet, SHEET_PX, SHEET_BYTES), alt, "Augmentation {}".format(pipe)), alt)
    return sheet


@dataclass(frozen=True)
class RunState:
    """What became of a run in this session."""

    run_dir: str
    state: str  # "done", "stopped" or "died"
    kimg: float
    total_kimg: int
    sentence: str
    exit_code: int = 0

    def __repr__(self):
        return "{}: {:.1f} of {} kimg. {}".format(os.path.basename(self.run_dir), self.kimg, self.total_kimg, self.sentence)


@plainly
def train(dataset=None, new_run=False, **options):
    """Train: begin a run, or go on with the newest good one on this dataset; watch it until it ends.

    It is the one call to make again after a disconnect. The cell's stop button ends it cleanly.

    Args:
        dataset: Name or path; None is the one that was prepared last.
        new_run: Begin a new run although there is one to go on with.
        options: Options of `sg2ada train`, with underscores: kimg=1000, snap_minutes=5, mirror=True ... Text is read as on the
            command line, and empty text counts as not given, so that a form's fields can be passed on as they are.

    Returns:
        RunState.

    Raises:
        UserError: A setting is wrong; nothing was started.
    """
    here = workspace()
    data_path = find_dataset(here, dataset)
    if in_colab():
        data_path = local_copy(data_path, os.path.join(MACHINE_FOLDER, "datasets"))
    plan = plan_run(here, data_path, {name: value for name, value in options.items() if value not in (None, "")}, new_run)
    here.choose(**dict({"dataset": str(dataset)} if dataset else {}, run=os.path.basename(plan.run_dir)))
    for sentence in plan.sentences:
        print(sentence)
    return show_finished(plan) if plan.is_finished else watch(plan)


def show_finished(plan):
    """Show a run that has nothing left to train; return its RunState."""
    text = "This run is finished: {} of {} kimg.".format(plan.start_kimg, plan.config.total_kimg)
    panel = open_panel(RunView(plan.candidate.run_dir), plan)
    panel.finish(Ending("done", text, "Raise kimg to train longer, or begin a new run with new_run=True."))
    return RunState(plan.run_dir, "done", plan.start_kimg, plan.config.total_kimg, text)


def watch(plan, process=None):
    """Train a `RunPlan` in a process and show it; return its RunState.

    Args:
        process: `TrainingProcess` that is not started yet; None for the one that the plan asks for.
    """
    wait_for_earlier(plan.run_dir, print)
    if plan.candidate is not None:
        fetch_run(plan.candidate, os.path.dirname(plan.run_dir), print)
    process, view = process or TrainingProcess.of_plan(plan), RunView(plan.run_dir)
    panel = open_panel(view, plan, session_left_s)
    panel.say(STARTING)
    process.start()
    ending = supervise(process, lambda: panel.refresh(process.pulse()), panel.say)
    panel.finish(ending)
    if ending.error is not None:
        raise ending.error
    return RunState(plan.run_dir, ending.state, view.kimg, plan.config.total_kimg, ending.sentence, process.poll())


@plainly
def finish(disconnect=False):
    """End the session: wait until everything is on Drive, unmount it, and give the machine back if asked."""
    finish_drive(drive(), workspace().results, disconnect)
