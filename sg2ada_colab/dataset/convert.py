"""The work of one process: a handful of images -> their records of all levels, written straight to their places."""

from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np

from ..images.fit import scale
from ..images.read import ReadOptions, UnreadableImage, decode, to_plain
from .pyramid import pyramid, resolutions
from .records import RecordLayout


@dataclass
class Conversion:
    """All that a worker needs; sent once."""

    source: Any  # images.sources.Source
    tasks: list  # as in Plan
    order: np.ndarray  # task of each record
    paths: dict  # resolution -> file, already there and of its final size or growing
    resolution: int
    read: ReadOptions
    fit: Any  # FitOptions
    full_only: bool


_last_decoded = (None, None)  # (what, image): kept because several regions may come from one image


def _decoded(conversion, index, least_px):
    """Return the upright image `index` of the source, decoded at least as large as `least_px`."""
    global _last_decoded
    what = (conversion.source.path, conversion.source.names[index], index, least_px)
    if _last_decoded[0] != what:
        _last_decoded = (None, None)  # frees the memory before the next one is decoded
        try:
            with conversion.source.open(index) as file:
                _last_decoded = (what, decode(file, conversion.read, least_px))
        except OSError as error:
            raise UnreadableImage("unreadable", "cannot be read: {}".format(error.strerror or error)) from error
    return _last_decoded[1]


def _square(conversion, task):
    """Return one task's pixels as uint8 [R, R, C]; raises UnreadableImage."""
    index, box, (width, height) = task
    side = (max if conversion.fit.mode == "pad" else min)(box[2] - box[0], box[3] - box[1])
    detail = min(1.0, 2.0 * conversion.resolution / side)  # twice the wanted size keeps the filter's quality
    least_px = (int(width * detail), int(height * detail))
    image = _decoded(conversion, index, least_px)
    if image.size != (width, height):  # a JPEG decoded at a fraction of its size
        ratios = (image.width / width, image.height / height) * 2
        box = tuple(int(round(edge * ratio)) for edge, ratio in zip(box, ratios))
    if box != (0, 0) + image.size:
        image = image.crop(box)
    square = scale(to_plain(image, conversion.read), conversion.resolution, conversion.fit, conversion.read.background)
    return np.asarray(square).reshape(conversion.resolution, conversion.resolution, conversion.read.channels)


def convert_some(conversion, positions: Tuple[int, ...]):
    """Write the records at these positions and return (position, kind, text) of those whose image cannot be read.

    The records of failed images are left as they are, to be closed up afterwards.
    """
    squares, written, failures = [], [], []
    for position in positions:
        try:
            squares.append(_square(conversion, conversion.tasks[conversion.order[position]]))
            written.append(position)
        except UnreadableImage as problem:
            failures.append((int(position), problem.kind, problem.text))
    if squares:
        images = np.ascontiguousarray(np.stack(squares).transpose(0, 3, 1, 2))
        write_levels(images, written, conversion.paths, conversion.full_only)
    return failures


def write_levels(images_nchw, positions, paths, full_only=False):
    """Write uint8 [N, C, R, R] images as records number `positions` of the file of each level."""
    stored = resolutions(images_nchw.shape[-1], full_only)
    for resolution, level in zip(stored, pyramid(images_nchw)):
        layout = RecordLayout(level.shape[1], resolution, resolution)
        records = layout.encode(level)
        with open(paths[resolution], "r+b") as file:
            for first, last in _runs(positions):
                file.seek(int(positions[first]) * layout.record_bytes)
                file.write(records[first:last])


def _runs(positions):
    """Yield (first, last) index ranges over which the positions are consecutive."""
    first = 0
    for i in range(1, len(positions) + 1):
        if i == len(positions) or positions[i] != positions[i - 1] + 1:
            yield first, i
            first = i
