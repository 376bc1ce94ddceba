"""The work of one process: convert some images to records of all levels and write them at their final positions."""

import io
import threading
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

import numpy as np
from PIL import Image

from ..images.fit import scale
from ..images.read import FrameReader, ReadOptions, UnreadableImage, decode, to_plain
from ..shape import Size, sides_of
from .pyramid import level_sizes, pyramid
from .records import RecordLayout, seal


@dataclass
class Conversion:
    """All that a worker needs; sent once."""

    source: Any  # images.source.Source
    tasks: np.ndarray  # as in Plan
    order: np.ndarray  # task of each record
    paths: dict  # resolution -> file, already there and of its final size or growing
    resolution: Size  # side of a square in px, or (height, width)
    read: ReadOptions
    fit: Any  # FitOptions
    full_only: bool


_last_decoded = threading.local()  # the image decoded last, kept because several regions may come from it


def _decoded(conversion, index, least_px):
    """Return the upright image `index` of the source, decoded at least as large as `least_px`."""
    source, frame = conversion.source, conversion.source.frame(index)
    what = (source.path, source.names[index], index, least_px)
    if getattr(_last_decoded, "what", None) != what:
        _last_decoded.what = _last_decoded.image = None  # frees the memory before the next one is decoded
        try:
            if frame is None:
                _last_decoded.image = source.use(index, lambda file: decode(file, conversion.read, least_px))
            else:
                _last_decoded.image = _reader(conversion, index).read(frame)
        except UnreadableImage:
            _last_decoded.file_key = None  # the frames after a damaged one are read from the start
            raise
        except OSError as error:
            raise UnreadableImage("unreadable", f"cannot be read: {error.strerror or error}") from error
        _last_decoded.what = what
    return _last_decoded.image


def _reader(conversion, index):
    """Return the FrameReader of an image's file, kept from the frame before where that is of the same file."""
    source = conversion.source
    file_key = (source.path, repr(source.locations[index]), conversion.read)
    if getattr(_last_decoded, "file_key", None) != file_key:
        _last_decoded.reader = source.use(index, lambda file: FrameReader(io.BytesIO(file.read()), conversion.read))
        _last_decoded.file_key = file_key
    return _last_decoded.reader


def _region(conversion, task):
    """Return one task's image as a Pillow image of the final size and mode; raises UnreadableImage."""
    index, *edges, width, height = (int(value) for value in task)
    box = tuple(edges)
    wanted_height, wanted_width = sides_of(conversion.resolution)
    ratios = wanted_width / (box[2] - box[0]), wanted_height / (box[3] - box[1])
    detail = min(1.0, 2.0 * (min if conversion.fit.mode == "pad" else max)(ratios))  # twice the size keeps the filter's quality
    image = _decoded(conversion, index, (int(width * detail), int(height * detail)))
    if image.size != (width, height):  # a JPEG decoded at a fraction of its size
        shrunk = (image.width / width, image.height / height) * 2
        box = tuple(int(round(edge * ratio)) for edge, ratio in zip(box, shrunk))
    if box != (0, 0) + image.size:
        image = image.crop(box)
    return scale(to_plain(image, conversion.read), conversion.resolution, conversion.fit, conversion.read.background)


def planes_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of a Pillow image, "RGB", "RGBA" or "L", as uint8 [C, H, W]; quicker than an array's planes."""
    data = b"".join(image.tobytes("raw", band) for band in image.getbands())
    return np.frombuffer(data, np.uint8).reshape(-1, image.height, image.width)


def convert_some(conversion: Conversion, positions: Sequence[int]) -> List[Any]:
    """Write the records at these positions and return (position, kind, text) of those whose image cannot be read.

    The records of failed images are left as they are, and removed afterwards.
    """
    written: List[int] = []
    failures: List[Any] = []
    levels = Levels(len(positions), conversion.read.channels, conversion.resolution, conversion.full_only)
    for position in positions:
        try:
            image = _region(conversion, conversion.tasks[conversion.order[position]])
        except UnreadableImage as problem:
            failures.append((int(position), problem.kind, problem.text))
        else:
            levels.put(len(written), planes_of(image))
            written.append(int(position))
    levels.write(written, conversion.paths)
    return failures


class Levels:
    """The records of some images at all stored resolutions, in memory."""

    def __init__(self, count: int, channels: int, size: Size, full_only: bool = False) -> None:
        sizes = level_sizes(size, full_only)
        self.resolutions, self.smallest_px = list(sizes), list(sizes.values())[-1][1]
        self.layouts = [RecordLayout(channels, *one) for one in sizes.values()]
        self.records = [layout.blank(count) for layout in self.layouts]

    def put(self, row: int, image_chw: np.ndarray) -> None:
        """Set the pixels of one row's records from a uint8 [C, H, W] image."""
        # One image at a time: its pyramid stays in the cache, which is three times as fast as a batch.
        for layout, records, level in zip(self.layouts, self.records, pyramid(image_chw[None], self.smallest_px)):
            layout.pixels(records)[row] = level.reshape(-1)

    def write(self, positions: Sequence[int], paths: Dict[int, str]) -> None:
        """Write the first rows as records number `positions` of the files `paths` {resolution: path}."""
        for resolution, layout, every in zip(self.resolutions, self.layouts, self.records):
            records = every[: len(positions)]
            seal(records)
            with open(paths[resolution], "r+b") as file:
                for first, last in _runs(positions):
                    file.seek(positions[first] * layout.record_bytes)
                    file.write(records[first:last].data)


def _runs(positions):
    """Yield (first, last) index ranges over which the positions are consecutive."""
    first = 0
    for i in range(1, len(positions) + 1):
        if i == len(positions) or positions[i] != positions[i - 1] + 1:
            yield first, i
            first = i
