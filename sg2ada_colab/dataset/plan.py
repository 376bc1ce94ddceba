"""What will be converted: which images, which regions of them, at which size, in which order. Nothing is decoded yet."""

import array
from collections import Counter
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..images.fit import regions
from ..images.read import UnreadableImage
from ..images.source import FOREIGN_REASON, Source
from ..images.suggest_size import chosen_size
from ..shape import Size, network_shape, sides_of
from ..words import shown
from .options import PrepareOptions
from .pyramid import SMALLEST_PX, is_power_of_two

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass
class Plan:
    """The conversion, decided.

    Attributes:
        resolution, channels: Of every record; the resolution is the side of a square, or (height, width).
        tasks: int32 [N, 7], in source order: index in the source; left, top, right, bottom in the upright image; its width and
            height. An array, because worker processes share its memory permanently, unlike that of a million tuples.
        problems: (name, kind, text) of images that are left out already.
    """

    resolution: Size
    channels: int
    tasks: np.ndarray
    problems: List[Tuple[str, str, str]]


def check_resolution(resolution: Size) -> None:
    """Raise UserError unless the resolution is a power of two from 4 to 16384, or (height, width) that networks can have."""
    if not isinstance(resolution, int):
        network_shape(*resolution)
    elif not (is_power_of_two(resolution) and SMALLEST_PX <= resolution <= 16384):
        raise UserError(
            f"the resolution {resolution} is not a power of two from 4 up",
            "4, 8, 16, 32, 64, 128, 256, 512, 1024 ...",
            "choose one of these with --resolution, or a rectangle such as 768x512 (width x height)",
        )


def make_plan(
    source: Source, headers: Sequence[Any], options: PrepareOptions, repeated: Optional[Mapping[int, str]] = None
) -> Plan:
    """Return the `Plan`.

    Args:
        source: The `Source`.
        headers: What `scan` returned for it.
        options: PrepareOptions.
        repeated: {index: name of the image that it repeats} of images to leave out.

    Raises:
        UserError: No image can be used; the text says why.
    """
    repeated = repeated or {}
    problems = _unreadable(source, headers)
    problems += [(source.names[i], "repeated", "the same as " + first) for i, first in repeated.items()]
    good = [(i, h) for i, h in enumerate(headers) if not isinstance(h, UnreadableImage) and i not in repeated]
    good = good[: options.max_images]
    if not good:
        raise no_images_error(source, problems)
    resolution = chosen_size(options.resolution, [(h.width, h.height) for _, h in good], options.fit.mode)
    check_resolution(resolution)
    grey = options.color == "grey" or options.color == "auto" and all(h.mode in GREY_MODES for _, h in good)
    tasks, left_out = _regions_of(source, good, resolution, options.fit)
    problems += left_out
    if not len(tasks):
        raise no_images_error(source, problems, resolution)
    return Plan(resolution, 4 if options.alpha == "keep" else 1 if grey else 3, tasks, problems)


def _unreadable(source, headers):
    """Return the problems of images that cannot be read; count files that are not images among what the source ignores."""
    problems = []
    for name, header in zip(source.names, headers):
        if isinstance(header, UnreadableImage) and source.is_foreign(name, header):
            source.ignored[FOREIGN_REASON] += 1
        elif isinstance(header, UnreadableImage):
            problems.append((name, header.kind, header.text))
    return problems


def _regions_of(source, good, resolution, fit):
    """Return (`Plan.tasks` of images, given as (index, header); the problems of those that no region is taken of)."""
    tasks, problems = array.array("i"), []
    for index, header in good:
        boxes, reason = regions(source.names[index], header.width, header.height, resolution, fit)
        for box in boxes:
            tasks.extend((index,) + tuple(box) + (header.width, header.height))
        if reason:
            problems.append((source.names[index], "left out", reason))
    return np.array(tasks, np.int32).reshape(-1, 7), problems


def no_images_error(source: Source, problems: Sequence[Any], resolution: Optional[Size] = None) -> UserError:
    """Return the UserError for a source without a usable image."""
    ignored = ", ".join(f"{n} {reason}" for reason, n in sorted(source.ignored.items()))
    if not problems:
        return UserError(
            "no images in {}{}".format(source.path, f" (ignored: {ignored})" if ignored else ""),
            "JPEG, PNG, WebP, GIF, BMP or TIFF files, in any sub-folder",
            "give the folder or archive that holds the images",
        )
    counts = ", ".join(f"{n} {kind}" for kind, n in Counter(p[1] for p in problems).most_common())
    examples = "".join(f"\n    {shown(name)}: {shown(text)}" for name, _, text in problems[:5])
    wanted = ", of {1} x {0} pixels or more".format(*sides_of(resolution)) if resolution else ""
    too_small = resolution and all(kind == "left out" for _, kind, _ in problems)
    return UserError(
        f"none of the {len(problems)} images in {source.path} can be used ({counts}):{examples}",
        "at least one image that can be read" + wanted,
        "choose a smaller --resolution, or enlarge with --upscale"
        if too_small
        else "see `sg2ada dataset doctor` for the complete list",
    )


def record_order(count: int, shuffle: bool, seed: int = 123) -> np.ndarray:
    """Return int [count]: which task each record holds; as they are, or shuffled as the original does (RandomState(123))."""
    order = np.arange(count)
    if shuffle:
        np.random.RandomState(seed).shuffle(order)
    return order
