"""Decode every image of a source once, in parallel, and keep what the doctor's report needs."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Tuple

import numpy as np
from PIL import Image

from .duplicates import THUMB_PX
from .read import Header, ReadOptions, UnreadableImage, decode, read_header, to_plain
from .source import Source
from .wide import OWN_RANGE
from .workers import run_parallel

_JOB_FILES = 16
_MIDDLE_GREY = (128, 128, 128)  # under transparency that is kept: white shapes on white would all look the same
_DETAIL_PX = 256  # JPEGs are decoded no larger than is needed for this; damage shows all the same


@dataclass
class Finding:
    """What is known about one file."""

    header: Optional[Header]
    problem: Optional[UnreadableImage]
    digest: Optional[bytes]  # SHA-256 of the file and the number of the frame
    thumb: Optional[np.ndarray]  # uint8 [16, 16, 3]
    grey: bool  # shows no colour, whatever its mode
    values: Optional[Tuple[float, float]] = None  # lowest and highest of greys of more than 8 bits


def _inspect_one(source, index, options):
    header, frame = None, source.frame(index)

    def look(file):
        nonlocal header
        digest = hashlib.sha256(file.read() + b"#%d" % (frame or 0)).digest()
        file.seek(0)
        header = read_header(file, options, frame)
        file.seek(0)
        # Each grey of more than 8 bits is stretched by itself: nearly black images would all look the same.
        image = decode(file, dataclasses.replace(options, grey_range=OWN_RANGE), (_DETAIL_PX, _DETAIL_PX), frame)
        values = image.info.get("values")
        image = image.resize((64, 64), Image.Resampling.BOX) if image.mode in ("RGB", "L") else image
        small = to_plain(image, ReadOptions(background=_MIDDLE_GREY) if options.channels == 4 else ReadOptions())
        small = small.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
        pixels = np.asarray(small).astype(np.int16)
        grey = bool(np.abs(pixels - pixels.mean(2, keepdims=True)).max() < 2)
        return Finding(header, None, digest, np.asarray(small), grey, values)

    try:
        return source.use(index, look)
    except UnreadableImage as problem:
        return Finding(header, problem, None, None, False)
    except OSError as error:
        unreadable = UnreadableImage("unreadable", f"cannot be read: {error.strerror or error}")
        return Finding(header, unreadable, None, None, False)


def _inspect_some(shared, span):
    source, options = shared
    return [_inspect_one(source, index, options) for index in range(*span)]


def inspect(
    source: Source, options: ReadOptions = ReadOptions(), workers: Optional[int] = None, progress: Optional[Callable] = None
) -> List[Finding]:
    """Return a `Finding` for each image of a source.

    Args:
        source: A `Source`.
        options: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    findings: List[Any] = [None] * len(source)
    spans = [(start, min(start + _JOB_FILES, len(source))) for start in range(0, len(source), _JOB_FILES)]
    for span, found in run_parallel(_inspect_some, (source, options), spans, workers):
        findings[slice(*span)] = found
        if progress:
            progress(len(found))
    return findings
