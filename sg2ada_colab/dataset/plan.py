"""What will be converted: which images, which regions of them, at which size, in which order. Nothing is decoded yet."""

import array
from collections import Counter
from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from ..errors import UserError
from ..images.doctor import suggested_resolution
from ..images.fit import regions
from ..images.read import UnreadableImage
from ..images.source import FOREIGN_REASON
from .pyramid import SMALLEST_PX, is_power_of_two

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass
class Plan:
    """The conversion, decided.

    Attributes:
        resolution, channels: Of every record.
        tasks: int32 [N, 7], in source order: index in the source; left, top, right, bottom in the upright image; its width and
            height. An array, because worker processes share its memory for good, unlike that of a million tuples.
        problems: (name, kind, text) of images that are left out already.
    """

    resolution: int
    channels: int
    tasks: np.ndarray
    problems: List[Tuple[str, str, str]]


def check_resolution(resolution):
    """Raise UserError unless the resolution is a power of two from 4 to 16384."""
    if not (is_power_of_two(resolution) and SMALLEST_PX <= resolution <= 16384):
        raise UserError(
            "the resolution {} is no power of two from 4 up".format(resolution),
            "4, 8, 16, 32, 64, 128, 256, 512, 1024 ...",
            "choose one of these with --resolution",
        )


def make_plan(source, headers, resolution, color, fit, max_images=None, repeated=None):
    """Return the `Plan`.

    Args:
        source: The `Source`.
        headers: What `scan` returned for it.
        resolution: Pixels, or None for the suggested one.
        color: "auto" (grey if all images are), "rgb" or "grey".
        fit: FitOptions.
        max_images: Convert at most so many source images.
        repeated: {index: name of the image that it repeats} of images to leave out.
    """
    problems = []
    for name, header in zip(source.names, headers):
        if isinstance(header, UnreadableImage) and source.is_foreign(name, header):
            source.ignored[FOREIGN_REASON] += 1
        elif isinstance(header, UnreadableImage):
            problems.append((name, header.kind, header.text))
    problems += [(source.names[i], "repeated", "the same as " + first) for i, first in (repeated or {}).items()]
    good = [(i, h) for i, h in enumerate(headers) if not isinstance(h, UnreadableImage) and i not in (repeated or {})][
        :max_images
    ]
    if not good:
        raise no_images_error(source, problems)
    if resolution is None:
        resolution = suggested_resolution([(h.width, h.height) for _, h in good], fit.mode)
    check_resolution(resolution)
    grey = color == "grey" or color == "auto" and all(h.mode in GREY_MODES for _, h in good)
    tasks = array.array("i")
    for index, header in good:
        boxes, reason = regions(source.names[index], header.width, header.height, resolution, fit)
        for box in boxes:
            tasks.extend((index,) + tuple(box) + (header.width, header.height))
        if reason:
            problems.append((source.names[index], "left out", reason))
    if not tasks:
        raise no_images_error(source, problems, resolution)
    return Plan(resolution, 1 if grey else 3, np.array(tasks, np.int32).reshape(-1, 7), problems)


def no_images_error(source, problems, resolution=None):
    """Return the UserError for a source that gives no image at all."""
    ignored = ", ".join("{} {}".format(n, reason) for reason, n in sorted(source.ignored.items()))
    if not problems:
        return UserError(
            "no images in {}{}".format(source.path, " (ignored: {})".format(ignored) if ignored else ""),
            "JPEG, PNG, WebP, GIF, BMP or TIFF files, in any sub-folder",
            "give the folder or archive that holds the images",
        )
    counts = ", ".join("{} {}".format(n, kind) for kind, n in Counter(p[1] for p in problems).most_common())
    examples = "".join("\\n    {}: {}".format(name, text) for name, _, text in problems[:5]).replace("\\n", "\n")
    too_small = resolution and all(kind == "left out" for _, kind, _ in problems)
    return UserError(
        "none of the {} images in {} can be used ({}):{}".format(len(problems), source.path, counts, examples),
        "at least one image that can be read{}".format(", of {0} x {0} pixels or more".format(resolution) if resolution else ""),
        "choose a smaller --resolution, or enlarge with --upscale"
        if too_small
        else "see `sg2ada dataset doctor` for the whole list",
    )


def record_order(count, shuffle, seed=123):
    """Return which task each record holds: as they are, or shuffled as the original does (RandomState(123))."""
    order = np.arange(count)
    if shuffle:
        np.random.RandomState(seed).shuffle(order)
    return order
