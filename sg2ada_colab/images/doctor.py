"""The doctor: one look at all images, then everything that the user should know before converting them."""

from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from .duplicates import exact_duplicates, near_duplicates
from .fit import FitOptions, regions
from .inspect import inspect
from .read import ReadOptions
from .source import FOREIGN_REASON
from .wording import size_text, some

LARGEST_SUGGESTED_PX = 1024
SMALLEST_PX = 4
# GPU memory in GB for one GPU, as NVIDIA published it for `--cfg=auto`; smaller sets take no less because batches grow.
_TRAINING_GPU_GB = {256: 5.0, 512: 7.6, 1024: 8.1}
_SMALL_GPU_GB = 7.2
FEW_IMAGES = 500


@dataclass
class Report:
    """What the doctor found.

    Attributes:
        path: Of the source.
        files, good: Numbers of image files, and of those that can be decoded.
        ignored: Reason -> number of files that are no images.
        formats, modes, short_sides, notes: Value -> number of images.
        problems: (name, kind, text) of every file that cannot be used.
        exact, near: Groups of names that are the same file, or show the same picture.
        all_grey: No image shows colour.
        suggested_resolution: Pixels; None without good images.
        resolution: The one that the following are for: as asked, else the suggested one.
        num_images: Squares that a conversion would make.
        dataset_bytes, full_only_bytes: Size of the data set with and without its smaller levels.
        training_gpu_gb: About what training takes on one GPU.
        advice: Sentences.
    """

    path: str
    files: int
    good: int
    ignored: Dict[str, int]
    formats: Dict[str, int]
    modes: Dict[str, int]
    short_sides: Dict[str, int]
    notes: Dict[str, int]
    problems: List[Tuple[str, str, str]]
    exact: List[List[str]]
    near: List[List[str]]
    all_grey: bool
    suggested_resolution: Optional[int]
    resolution: Optional[int]
    num_images: int
    dataset_bytes: int
    full_only_bytes: int
    training_gpu_gb: Optional[float]
    advice: List[str]

    def as_json(self):
        """Return the report as plain data for `json.dump`."""
        return dict(vars(self))


def suggested_resolution(sizes, fit_mode="crop"):
    """Return the largest power of two, from 4 to 1024, that nine in ten (width, height) reach without being enlarged."""
    sides = sorted((max if fit_mode == "pad" else min)(size) for size in sizes)
    tenth = sides[len(sides) // 10]
    return max(SMALLEST_PX, min(LARGEST_SUGGESTED_PX, 1 << (tenth.bit_length() - 1)))


def diagnose(source, resolution=None, fit=FitOptions(), read=ReadOptions(), workers=None, progress=None):  # noqa: B008 - frozen
    """Look at all images of a source and return (Report, findings).

    Args:
        source: A `Source`.
        resolution: Pixels of the planned data set; None = the suggested one.
        fit: FitOptions of the planned conversion.
        read: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    fit.check()
    findings = inspect(source, read, workers, progress)
    good = [i for i, finding in enumerate(findings) if finding.problem is None]
    headers = [findings[i].header for i in good]
    bad = [(name, f.problem) for name, f in zip(source.names, findings) if f.problem]
    foreign = [name for name, problem in bad if source.is_foreign(name, problem)]
    problems = [(name, problem.kind, problem.text) for name, problem in bad if not source.is_foreign(name, problem)]
    suggested = suggested_resolution([(h.width, h.height) for h in headers], fit.mode) if good else None
    resolution = resolution or suggested
    squares = 0
    for i, header in zip(good, headers):
        boxes, reason = regions(source.names[i], header.width, header.height, resolution, fit)
        squares += len(boxes)
        if reason:
            problems.append((source.names[i], "left out", reason))
    grey = bool(good) and all(findings[i].grey for i in good)
    exact = [[source.names[good[k]] for k in group] for group in exact_duplicates([findings[i].digest for i in good])]
    near = near_duplicates(np.stack([findings[i].thumb for i in good])) if good else []
    full_bytes = squares * (1 if grey else 3) * resolution**2 if good else 0
    report = Report(
        path=source.path,
        files=len(source) - len(foreign),
        good=len(good),
        ignored=dict(source.ignored, **({FOREIGN_REASON: len(foreign)} if foreign else {})),
        formats=_counted(h.format for h in headers),
        modes=_counted(h.mode for h in headers),
        short_sides=_by_size(min(h.width, h.height) for h in headers),
        notes=_counted(note for h in headers for note in h.notes),
        problems=problems,
        exact=exact,
        near=[[source.names[good[k]] for k in group] for group in near],
        all_grey=grey,
        suggested_resolution=suggested,
        resolution=resolution,
        num_images=squares,
        dataset_bytes=full_bytes * 4 // 3,
        full_only_bytes=full_bytes,
        training_gpu_gb=_TRAINING_GPU_GB.get(resolution, _SMALL_GPU_GB if good and resolution < 256 else None),
        advice=[],
    )
    report.advice.extend(_advice(report, fit))
    return report, findings


def _counted(values):
    return dict(Counter(values).most_common())


def _by_size(sides):
    """Return counts of short sides by the power of two below them, largest first."""
    counts = Counter(side.bit_length() - 1 for side in sides)
    return {"{} .. {}".format(1 << k, (2 << k) - 1): counts[k] for k in sorted(counts, reverse=True)}


def _advice(report, fit):
    kinds = Counter(kind for _, kind, _ in report.problems)
    if not report.good:
        yield "Nothing here can be used: see the reasons above."
        return
    if kinds["left out"]:
        yield "{} left out at {} pixels; --upscale enlarges those that are too small.".format(
            some(kinds["left out"], "image is", "images are"), report.resolution
        )
    if kinds["truncated"] or kinds["damaged"]:
        damaged = kinds["truncated"] + kinds["damaged"]
        yield "{}: copy or download again.".format(some(damaged, "file is damaged", "files are damaged"))
    if kinds["bomb"]:
        yield "{} over the size limit; --max-megapixels raises it.".format(some(kinds["bomb"], "image is", "images are"))
    if report.exact or report.near:
        removable = sum(len(group) - 1 for group in report.near)
        repeats = max(removable, sum(len(group) - 1 for group in report.exact))
        yield "About {} others; --drop-duplicates near (or exact) leaves them out.".format(
            some(repeats, "image repeats", "images repeat")
        )
    if report.all_grey:
        yield "No image shows colour; --color grey makes a grey data set, a third of the size."
    if report.notes.get("transparency"):
        yield "{} transparent in places; --background chooses the colour underneath.".format(
            some(report.notes["transparency"], "image is", "images are")
        )
    if report.num_images < FEW_IMAGES:
        yield "{} few; {}.".format(
            some(report.num_images, "image is", "images are"),
            "start from a trained network (--resume) and use --mirror if left and right may be swapped"
            if fit.mode in ("tiles", "random")
            else "large images can give several squares each: --fit tiles or --fit random",
        )


def report_text(report, most_problems=20):
    """Return a report as text for people; all problems are in its JSON form, here at most `most_problems`."""
    lines = ["{}: {}, {} can be read".format(report.path, some(report.files, "image file", "image files"), report.good)]
    for title, counts in (
        ("ignored", report.ignored),
        ("formats", report.formats),
        ("modes", report.modes),
        ("short side in pixels", report.short_sides),
        ("to be converted", report.notes),
    ):
        if counts:
            lines.append("{}: {}".format(title, ", ".join("{} x {}".format(n, value) for value, n in counts.items())))
    if report.problems:
        kinds = Counter(kind for _, kind, _ in report.problems)
        lines.append("cannot be used: " + ", ".join("{} {}".format(n, kind) for kind, n in kinds.most_common()))
        lines.extend("  {}: {}".format(name, text) for name, _, text in report.problems[:most_problems])
        if len(report.problems) > most_problems:
            lines.append("  and {} more".format(len(report.problems) - most_problems))
    for title, groups in (("the same file", report.exact), ("the same picture", report.near)):
        if groups:
            counted = some(len(groups), "group", "groups")
            lines.append("{} of {}, such as {}".format(counted, title, " = ".join(groups[0][:4])))
    if report.good:
        lines.append("suggested resolution: {} pixels".format(report.suggested_resolution))
        lines.append(
            "at {} pixels: {}, {} on disk ({} with --full-only)".format(
                report.resolution,
                some(report.num_images, "image", "images"),
                size_text(report.dataset_bytes),
                size_text(report.full_only_bytes),
            )
        )
        if report.training_gpu_gb:
            lines.append("training takes about {:.0f} GB of GPU memory".format(report.training_gpu_gb))
    return "\n".join(lines + ["- " + sentence for sentence in report.advice])
