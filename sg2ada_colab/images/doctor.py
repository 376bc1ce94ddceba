"""The doctor: inspect all images once and report everything that the user should know before converting them."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np

from ..shape import Size, sides_of, size_words
from ..words import counted, shown, size_text
from .duplicates import exact_duplicates, near_duplicates
from .fit import FitOptions, regions
from .frames import frames_advice
from .grey_range import joined_values
from .inspect import Finding, inspect
from .read import DEEP_COLOUR, TRANSPARENCY, ReadOptions
from .source import FOREIGN_REASON, Source
from .suggest_size import chosen_size, shape_advice, suggested_square

# GPU memory in GB for one GPU, as NVIDIA published it for `--cfg=auto`; smaller sets take no less because batches grow.
_TRAINING_GPU_GB: Dict[int, Optional[float]] = {256: 5.0, 512: 7.6, 1024: 8.1}
_SMALL_GPU_GB = 7.2
FEW_IMAGES = 500
_DARK = 32  # of 255: what a collection of 12 bits in 16, or of fewer, stays below


@dataclass
class Report:
    """What the doctor found.

    Attributes:
        path: Of the source.
        files, good: Numbers of image files, and of those that can be decoded.
        ignored: Reason -> number of files that are not images.
        formats, modes, short_sides, notes: Value -> number of images.
        problems: (name, kind, text) of every file that cannot be used.
        exact, near: Groups of names that are the same file, or show the same picture.
        all_grey: No image shows colour.
        suggested_resolution: Side of the suggested square, pixels; None without valid images.
        resolution: The one that the following are for: as asked, else the suggested one.
        num_images: Squares that a conversion would make.
        dataset_bytes, full_only_bytes: Size of the dataset with and without its smaller levels.
        training_gpu_gb: About what training takes on one GPU.
        advice: Sentences.
        grey_values: (lowest, highest) of the images of grey in more than 8 bits, over all of them; None without any.
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
    resolution: Optional[Size]
    num_images: int
    dataset_bytes: int
    full_only_bytes: int
    training_gpu_gb: Optional[float]
    advice: List[str]
    grey_values: Optional[Tuple[float, float]] = None

    def as_json(self) -> Dict[str, Any]:
        """Return the report as plain data for `json.dump`."""
        return dict(vars(self))


def _training_gpu_gb(area_px: int) -> Optional[float]:
    """Return about what training takes on one GPU, by the square of the nearest area; None where it was not measured."""
    side = int(2 ** round(math.log2(area_px) / 2)) if area_px else 0
    return _TRAINING_GPU_GB.get(side, _SMALL_GPU_GB if 0 < side < 256 else None)


def diagnose(
    source: Source,
    resolution: Union[Size, str, None] = None,
    fit: FitOptions = FitOptions(),
    read: ReadOptions = ReadOptions(),
    workers: Optional[int] = None,
    progress: Optional[Callable] = None,
) -> Tuple[Report, List[Finding]]:
    """Inspect all images of a source and return (Report, findings).

    Args:
        source: A `Source`.
        resolution: Side of the planned dataset's squares in pixels, or (height, width); None = the suggested square; "auto" = the
            rectangle that keeps most of the images' pixels.
        fit: FitOptions of the planned conversion.
        read: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    fit.check()
    findings = inspect(source, read, workers, progress)
    good = [(name, finding) for name, finding in zip(source.names, findings) if finding.problem is None]
    headers: List[Any] = [finding.header for _, finding in good]
    sizes = [(header.width, header.height) for header in headers]
    resolution = chosen_size(resolution or None, sizes, fit.mode) if good else None
    report = _report(source, findings, good, resolution, fit, read)
    report.suggested_resolution = suggested_square(sizes, fit.mode) if good else None
    report.advice.extend(_advice(report, fit, read.channels == 4))
    report.advice.extend(shape_advice(sizes, resolution, fit.mode) if resolution else ())
    report.advice.extend(_pixel_advice(report, source, [finding for _, finding in good], read))
    return report, findings


def _report(source, findings, good, resolution, fit, read):
    """Return the Report without advice and suggested resolution; `good` are the [(name, Finding)] that can be read."""
    names, found = [name for name, _ in good], [finding for _, finding in good]
    headers = [one.header for one in found]
    bad = [(name, f.problem) for name, f in zip(source.names, findings) if f.problem]
    foreign = [name for name, problem in bad if source.is_foreign(name, problem)]
    problems = [(name, problem.kind, problem.text) for name, problem in bad if not source.is_foreign(name, problem)]
    squares = 0
    for name, header in zip(names, headers):
        boxes, reason = regions(name, header.width, header.height, resolution or 0, fit)
        squares += len(boxes)
        if reason:
            problems.append((name, "left out", reason))
    grey = bool(good) and all(one.grey for one in found)
    near = near_duplicates(np.stack([one.thumb for one in found])) if good else []
    height, width = sides_of(resolution) if resolution else (0, 0)
    full_bytes = squares * (4 if read.channels == 4 else 1 if grey else 3) * height * width
    return Report(
        path=source.path,
        files=len(source) - len(foreign),
        good=len(good),
        ignored=dict(source.ignored, **({FOREIGN_REASON: len(foreign)} if foreign else {})),
        formats=_counted(h.format for h in headers),
        modes=_counted(h.mode for h in headers),
        short_sides=_by_size(min(h.width, h.height) for h in headers),
        notes=_counted(note for h in headers for note in h.notes),
        problems=problems,
        exact=[[names[k] for k in group] for group in exact_duplicates([one.digest for one in found])],
        near=[[names[k] for k in group] for group in near],
        all_grey=grey,
        suggested_resolution=None,
        resolution=resolution,
        num_images=squares,
        dataset_bytes=full_bytes * 4 // 3,
        full_only_bytes=full_bytes,
        training_gpu_gb=_training_gpu_gb(height * width),
        advice=[],
    )


def _pixel_advice(report, source, found, read):
    """Return sentences about dark images, frames and deep greys; note the range of the greys in the report."""
    headers, advice = [one.header for one in found], []
    values = joined_values([h.mode for h in headers], [one.values for one in found])
    if values:
        report.grey_values = (values.lowest, values.highest)
    brightest = [int(one.thumb.max()) for one in found if one.values is None]
    if brightest and max(brightest) < _DARK:
        advice.append(_darkness_advice(max(brightest), report.notes.get(DEEP_COLOUR)))
    about_frames = frames_advice(headers) if source.frames is None else None
    if about_frames:
        advice.append(about_frames)
    if values and values.use_little() and not isinstance(read.grey_range, tuple):
        advice.append(values.advice())
    return advice


def _darkness_advice(brightest, is_deep):
    """Return the sentence for a collection without bright images."""
    sentence = f"All images are nearly black: no part of any is brighter than {brightest} of 255"
    if is_deep:
        return f"{sentence}; they hold 16 bits a colour and use the lower ones: stretch their values with another program first."
    return sentence + "."


def _counted(values):
    return dict(Counter(values).most_common())


def _by_size(sides):
    """Return counts of short sides by the power of two below them, largest first."""
    counts = Counter(side.bit_length() - 1 for side in sides)
    return {f"{1 << k} .. {(2 << k) - 1}": counts[k] for k in sorted(counts, reverse=True)}


def _advice(report, fit, keeps_alpha):
    kinds = Counter(kind for _, kind, _ in report.problems)
    if not report.good:
        yield "Nothing here can be used: see the reasons above."
        return
    if kinds["left out"]:
        yield "{} left out at {} pixels; --upscale enlarges those that are too small.".format(
            counted(kinds["left out"], "image is", "images are"), size_words(report.resolution)
        )
    if kinds["truncated"] or kinds["damaged"]:
        damaged = kinds["truncated"] + kinds["damaged"]
        yield "{} again, or go on without.".format(
            counted(damaged, "file is damaged: copy or download it", "files are damaged: copy or download them")
        )
    if kinds["bomb"]:
        yield "{} over the size limit; --max-megapixels raises it.".format(counted(kinds["bomb"], "image is", "images are"))
    if report.exact or report.near:
        removable = sum(len(group) - 1 for group in report.near)
        repeats = max(removable, sum(len(group) - 1 for group in report.exact))
        yield "About {} others; --drop-duplicates=near (or =exact) leaves them out.".format(
            counted(repeats, "image repeats", "images repeat")
        )
    if report.all_grey and not keeps_alpha:
        yield "No image shows colour; --color=grey makes a grey dataset, a third of the size."
    if report.notes.get(TRANSPARENCY) and not keeps_alpha:
        yield "{} transparent in places; --background chooses the colour underneath, --alpha=keep keeps the transparency.".format(
            counted(report.notes[TRANSPARENCY], "image is", "images are")
        )
    if report.num_images < FEW_IMAGES:
        yield "{} few; {}.".format(
            counted(report.num_images, "image is", "images are"),
            "start from a trained network (--resume) and use --mirror if left and right may be swapped"
            if fit.mode in ("tiles", "random")
            else "large images can give several squares each: --fit=tiles or --fit=random",
        )


def report_text(report: Report, most_problems: int = 20) -> str:
    """Return a report as text for people; all problems are in its JSON form, here at most `most_problems`."""
    lines = ["{}: {}, {} can be read".format(report.path, counted(report.files, "image file", "image files"), report.good)]
    for title, counts in (
        ("ignored", report.ignored),
        ("formats", report.formats),
        ("modes", report.modes),
        ("short side in pixels", report.short_sides),
        ("to be converted", report.notes),
    ):
        if counts:
            lines.append("{}: {}".format(title, ", ".join(f"{n} x {shown(value)}" for value, n in counts.items())))
    if report.problems:
        kinds = Counter(kind for _, kind, _ in report.problems)
        lines.append("cannot be used: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
        lines.extend(f"  {shown(name)}: {shown(text)}" for name, _, text in report.problems[:most_problems])
        if len(report.problems) > most_problems:
            lines.append(f"  and {len(report.problems) - most_problems} more")
    for title, groups in (("the same file", report.exact), ("the same picture", report.near)):
        if groups:
            repeated = counted(len(groups), "group", "groups")
            lines.append("{} of {}, such as {}".format(repeated, title, " = ".join(map(shown, groups[0][:4]))))
    if report.good and report.resolution:
        lines.append(f"suggested resolution: {report.suggested_resolution} pixels")
        lines.append(
            "at {} pixels: {}, {} on disk ({} with --full-only)".format(
                size_words(report.resolution),
                counted(report.num_images, "image", "images"),
                size_text(report.dataset_bytes),
                size_text(report.full_only_bytes),
            )
        )
        if report.training_gpu_gb:
            lines.append(f"training takes about {report.training_gpu_gb:.0f} GB of GPU memory")
    return "\n".join(lines + ["- " + sentence for sentence in report.advice])
