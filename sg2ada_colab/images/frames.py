"""Animations and files of several pages: each frame as a separate image."""

import dataclasses
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from ..words import counted
from .labels import Labels
from .read import Header, ReadOptions
from .scan import scan
from .source import Source

FRAMES = ("first", "all")
_PAGED = ("TIFF", "HEIF")


def all_frames(source: Source, headers: Sequence[Any]) -> Tuple[Source, np.ndarray]:
    """Return (a source in which every frame is an image, int64 [N] of the file that each comes from).

    The first frame keeps the file's name; the others are called `name#2`, `name#3` ...

    Args:
        source: A `Source`.
        headers: What `scan` returned for it.
    """
    counts = [header.frames if isinstance(header, Header) else 1 for header in headers]
    files = np.repeat(np.arange(len(counts)), counts)
    numbers = [number for count in counts for number in range(count)]
    expanded = source.first(0)
    expanded.names = [source.names[i] + (f"#{number + 1}" if number else "") for i, number in zip(files, numbers)]
    expanded.locations = [source.locations[i] for i in files]
    expanded.frames = numbers
    expanded.in_order = True  # a frame of an animation is what it changes in the one before
    return expanded, files


def headers_of_frames(
    source: Source, headers: Sequence[Any], files: np.ndarray, options: ReadOptions, workers: Optional[int] = None
) -> List[Any]:
    """Return the header, or what is wrong, of each frame of what `all_frames` returned; only pages may differ within a file.

    Args:
        source, files: What `all_frames` returned.
        headers: What `scan` returned for the files.
        options: ReadOptions.
        workers: Processes; None = one per core.
    """
    found = [headers[i] for i in files]
    pages = [i for i, header in enumerate(found) if isinstance(header, Header) and header.format in _PAGED]
    part = source.first(0)
    for name in ("names", "locations", "frames"):
        setattr(part, name, [getattr(source, name)[i] for i in pages])
    for i, header in zip(pages, scan(part, options, workers)):
        found[i] = header
    return found


def frames_advice(headers: Sequence[Any]) -> Optional[str]:
    """Return the sentence about frames that are left out, None where there are none."""
    several = [header.frames for header in headers if isinstance(header, Header) and header.frames > 1]
    if not several:
        return None
    files = counted(len(several), "file holds several frames or pages", "files hold several frames or pages")
    left = sum(several) - len(several)
    return f"{files}; of each the first is taken, {left} are left out: --frames=all takes them."


def labels_of_frames(labels: Optional[Labels], files: np.ndarray) -> Optional[Labels]:
    """Return the `Labels` of all frames from those of their files; None without.

    Args:
        files: int [frames], the file that each frame is of.
    """
    return labels and dataclasses.replace(labels, rows=labels.rows[files])
