"""A contact sheet: which part of each image becomes part of the dataset, and which is cut away."""

from typing import Optional, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from ..shape import Size
from ..words import shown
from .fit import Box, FitOptions, regions
from .inspect import Finding
from .read import ReadOptions, UnreadableImage, decode, to_plain
from .sheet import Sheet, SheetStyle
from .source import Source
from .transparency import shown_opaque
from .workers import run_parallel

CELL_PX, MOST_IMAGES = 160, 60
_GAP_PX, _CAPTION_PX, _CAPTION_LETTERS = 6, 20, 19


def contact_sheet(
    source: Source,
    findings: Sequence[Finding],
    resolution: Size,
    fit: FitOptions,
    read: ReadOptions = ReadOptions(),
    workers: Optional[int] = None,
    columns: int = 10,
    named: bool = False,
) -> Image.Image:
    """Return an RGB Pillow image with up to MOST_IMAGES of a source, spread evenly over its names.

    The regions that are used are bright and framed green; the rest is dimmed. Images that are left out have a red cross.

    Args:
        source: A `Source`.
        findings: What `inspect` returned for it.
        resolution, fit, read: Of the planned conversion.
        workers: Processes; None = one per core.
        columns: Images in a row.
        named: Write each image's name below it, of a long one without its folder, or its end.
    """
    good = [i for i, finding in enumerate(findings) if finding.problem is None]
    picks = (
        [int(good[k]) for k in np.unique(np.linspace(0, len(good) - 1, min(MOST_IMAGES, len(good))).astype(int))] if good else []
    )
    rows = max(1, -(-len(picks) // columns))
    sheet = Sheet(columns, rows, (CELL_PX, CELL_PX), SheetStyle(_GAP_PX, _CAPTION_PX if named else 0))
    place_of = {index: place for place, index in enumerate(picks)}
    for index, small in run_parallel(_small, (source, read), picks, workers):
        if small is None:
            continue
        header = findings[index].header
        boxes, _ = regions(source.names[index], header.width, header.height, resolution, fit)
        picture = marked(Image.fromarray(small), (header.width, header.height), boxes)
        sheet.put(place_of[index], picture, _short(source.names[index]) if named else "")
    return sheet.image


def _short(name):
    name = shown(name)
    if len(name) > _CAPTION_LETTERS:  # the folder says less than the name
        name = name.rpartition("/")[2]
    return name if len(name) <= _CAPTION_LETTERS else "…" + name[1 - _CAPTION_LETTERS :]


def small_picture(
    source: Source, index: int, read: ReadOptions = ReadOptions(), longer_px: int = CELL_PX
) -> Optional[np.ndarray]:
    """Return one image as uint8 [h, w, 3], its longer side `longer_px`; None where it cannot be read.

    Where `read` keeps transparency, it is shown over a checkerboard.
    """
    try:
        with source.open(index) as file:
            image = to_plain(decode(file, read, (longer_px * 2, longer_px * 2), source.frame(index)), read)
    except (UnreadableImage, OSError):
        return None
    ratio = longer_px / max(image.size)
    image = image if image.mode == "RGBA" else image.convert("RGB")  # of RGBA Pillow resizes premultiplied colours
    size = [max(1, round(side * ratio)) for side in image.size]
    small = image.resize(size, Image.Resampling.BOX if ratio < 0.1 else Image.Resampling.LANCZOS)
    return np.asarray(shown_opaque(small))


def _small(shared, index):
    return small_picture(shared[0], index, shared[1])


def marked(image: Image.Image, full_size: Tuple[int, int], boxes: Sequence[Box]) -> Image.Image:
    """Return a small picture with the boxes of the full-sized one bright and framed, and the rest dimmed; a cross without any."""
    dimmed = image.point(lambda value: value // 3)
    draw = ImageDraw.Draw(dimmed)
    scales = (image.width / full_size[0], image.height / full_size[1]) * 2
    for box in boxes[:200]:
        left, top, right, bottom = (int(round(edge * scale)) for edge, scale in zip(box, scales))
        right, bottom = max(left + 1, right), max(top + 1, bottom)
        dimmed.paste(image.crop((left, top, right, bottom)), (left, top))
        draw.rectangle([left, top, right - 1, bottom - 1], outline=(60, 220, 90))
    if not boxes:
        draw.line([(0, 0), (image.width, image.height)], fill=(220, 60, 60), width=3)
        draw.line([(0, image.height), (image.width, 0)], fill=(220, 60, 60), width=3)
    return dimmed
