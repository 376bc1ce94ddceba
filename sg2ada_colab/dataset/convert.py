"""The work of one process: a handful of images -> their records of all levels, written straight to their places."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..images.fit import scale
from ..images.read import ReadOptions, UnreadableImage, decode, to_plain
from .pyramid import pyramid, resolutions
from .records import RecordLayout, seal


@dataclass
class Conversion:
    """All that a worker needs; sent once."""

    source: Any  # images.sources.Source
    tasks: np.ndarray  # as in Plan
    order: np.ndarray  # task of each record
    paths: dict  # resolution -> file, already there and of its final size or growing
    resolution: int
    read: ReadOptions
    fit: Any  # FitOptions
    full_only: bool


_last_decoded = threading.local()  # the image decoded last, kept because several regions may come from it


def _decoded(conversion, index, least_px):
    """Return the upright image `index` of the source, decoded at least as large as `least_px`."""
    what = (conversion.source.path, conversion.source.names[index], index, least_px)
    if getattr(_last_decoded, "what", None) != what:
        _last_decoded.what = _last_decoded.image = None  # frees the memory before the next one is decoded
        try:
            _last_decoded.image = conversion.source.use(index, lambda file: decode(file, conversion.read, least_px))
        except OSError as error:
            raise UnreadableImage("unreadable", "cannot be read: {}".format(error.strerror or error)) from error
        _last_decoded.what = what
    return _last_decoded.image


def _square(conversion, task):
    """Return one task's image as a Pillow image of the final size and mode; raises UnreadableImage."""
    index, *box, width, height = (int(value) for value in task)
    box = tuple(box)
    side = (max if conversion.fit.mode == "pad" else min)(box[2] - box[0], box[3] - box[1])
    detail = min(1.0, 2.0 * conversion.resolution / side)  # twice the wanted size keeps the filter's quality
    image = _decoded(conversion, index, (int(width * detail), int(height * detail)))
    if image.size != (width, height):  # a JPEG decoded at a fraction of its size
        ratios = (image.width / width, image.height / height) * 2
        box = tuple(int(round(edge * ratio)) for edge, ratio in zip(box, ratios))
    if box != (0, 0) + image.size:
        image = image.crop(box)
    return scale(to_plain(image, conversion.read), conversion.resolution, conversion.fit, conversion.read.background)


def planes_of(image):
    """Return the pixels of an "RGB" or "L" Pillow image as uint8 [C, H, W]; quicker than taking an array's planes apart."""
    data = b"".join(image.tobytes("raw", band) for band in image.getbands())
    return np.frombuffer(data, np.uint8).reshape(-1, image.height, image.width)


def convert_some(conversion, positions):
    """Write the records at these positions and return (position, kind, text) of those whose image cannot be read.

    The records of failed images are left as they are, to be closed up afterwards.
    """
    written, failures = [], []
    levels = Levels(len(positions), conversion.read.channels, conversion.resolution, conversion.full_only)
    for position in positions:
        try:
            image = _square(conversion, conversion.tasks[conversion.order[position]])
        except UnreadableImage as problem:
            failures.append((int(position), problem.kind, problem.text))
        else:
            levels.put(len(written), planes_of(image))
            written.append(int(position))
    levels.write(written, conversion.paths)
    return failures


class Levels:
    """The records of some images at all stored resolutions, in memory."""

    def __init__(self, count, channels, resolution, full_only=False):
        self.layouts = [RecordLayout(channels, r, r) for r in resolutions(resolution, full_only)]
        self.records = [layout.blank(count) for layout in self.layouts]

    def put(self, row, image_chw):
        """Set the pixels of one row's records from a uint8 [C, R, R] image."""
        # One image at a time: its pyramid stays in the cache, which is three times as fast as a batch.
        for layout, records, level in zip(self.layouts, self.records, pyramid(image_chw[None])):
            layout.pixels(records)[row] = level.reshape(-1)

    def write(self, positions, paths):
        """Write the first rows as records number `positions` of the files `paths` {resolution: path}."""
        filled = [records[: len(positions)] for records in self.records]
        seal(filled)
        for layout, records in zip(self.layouts, filled):
            with open(paths[layout.width], "r+b") as file:
                for first, last in _runs(positions):
                    file.seek(positions[first] * layout.record_bytes)
                    file.write(records[first:last])


def _runs(positions):
    """Yield (first, last) index ranges over which the positions are consecutive."""
    first = 0
    for i in range(1, len(positions) + 1):
        if i == len(positions) or positions[i] != positions[i - 1] + 1:
            yield first, i
            first = i
