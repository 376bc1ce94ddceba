"""A thorough look at every image of a source, in parallel: decoded once, with what the doctor's report needs kept."""

import hashlib
from dataclasses import dataclass
from typing import Optional

import numpy as np
from PIL import Image

from .duplicates import THUMB_PX
from .read import Header, ReadOptions, UnreadableImage, decode, read_header, to_plain
from .workers import run_parallel

_JOB_FILES = 16
_DETAIL_PX = 256  # JPEGs are decoded no larger than is needed for this; damage shows all the same


@dataclass
class Finding:
    """What is known about one file."""

    header: Optional[Header]
    problem: Optional[UnreadableImage]
    digest: Optional[bytes]  # SHA-256 of the file
    thumb: Optional[np.ndarray]  # uint8 [16, 16, 3]
    grey: bool  # shows no colour, whatever its mode


def _inspect_one(source, index, options):
    header = None

    def look(file):
        nonlocal header
        digest = hashlib.sha256(file.read()).digest()
        file.seek(0)
        header = read_header(file, options)
        file.seek(0)
        image = decode(file, options, (_DETAIL_PX, _DETAIL_PX))
        small = to_plain(image.resize((64, 64), Image.Resampling.BOX) if image.mode in ("RGB", "L") else image, ReadOptions())
        small = small.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
        pixels = np.asarray(small).astype(np.int16)
        grey = bool(np.abs(pixels - pixels.mean(2, keepdims=True)).max() < 2)
        return Finding(header, None, digest, np.asarray(small), grey)

    try:
        return source.use(index, look)
    except UnreadableImage as problem:
        return Finding(header, problem, None, None, False)
    except OSError as error:
        unreadable = UnreadableImage("unreadable", "cannot be read: {}".format(error.strerror or error))
        return Finding(header, unreadable, None, None, False)


def _inspect_some(shared, span):
    source, options = shared
    return [_inspect_one(source, index, options) for index in range(*span)]


def inspect(source, options=ReadOptions(), workers=None, progress=None):  # noqa: B008 - frozen
    """Return a `Finding` for each image of a source.

    Args:
        source: A `Source`.
        options: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    findings = [None] * len(source)
    spans = [(start, min(start + _JOB_FILES, len(source))) for start in range(0, len(source), _JOB_FILES)]
    for span, found in run_parallel(_inspect_some, (source, options), spans, workers):
        findings[slice(*span)] = found
        if progress:
            progress(len(found))
    return findings
