"""A picture of pictures: what of each image becomes part of the data set, and what is cut away."""

import numpy as np
from PIL import Image, ImageDraw

from .fit import regions
from .read import ReadOptions, UnreadableImage, decode, to_plain
from .workers import run_parallel

CELL_PX = 160
_GAP_PX = 6


def contact_sheet(source, findings, resolution, fit, read=ReadOptions(), workers=None, most_images=60, columns=10):  # noqa: B008 - frozen
    """Return an RGB Pillow image with up to `most_images` of a source, spread evenly over its names.

    The regions that are taken are bright and framed green; the rest is dimmed. Images that are left out whole carry a red cross.

    Args:
        source: A `Source`.
        findings: What `inspect` returned for it.
        resolution, fit, read: Of the planned conversion.
        workers: Processes; None = one per core.
    """
    good = [i for i, finding in enumerate(findings) if finding.problem is None]
    picks = (
        [int(good[k]) for k in np.unique(np.linspace(0, len(good) - 1, min(most_images, len(good))).astype(int))] if good else []
    )
    rows = max(1, -(-len(picks) // columns))
    step = CELL_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * step + _GAP_PX, rows * step + _GAP_PX), (40, 40, 40))
    place_of = {index: place for place, index in enumerate(picks)}
    for index, small in run_parallel(_small, (source, read), picks, workers):
        if small is None:
            continue
        header = findings[index].header
        boxes, _ = regions(source.names[index], header.width, header.height, resolution, fit)
        cell = _cell(Image.fromarray(small), (header.width, header.height), boxes)
        left, top = _GAP_PX + place_of[index] % columns * step, _GAP_PX + place_of[index] // columns * step
        sheet.paste(cell, (left + (CELL_PX - cell.width) // 2, top + (CELL_PX - cell.height) // 2))
    return sheet


def _small(shared, index):
    """Return one image as uint8 [h, w, 3], its longer side CELL_PX; None where it cannot be read."""
    source, read = shared
    try:
        with source.open(index) as file:
            image = to_plain(decode(file, read, (CELL_PX * 2, CELL_PX * 2)), read).convert("RGB")
    except (UnreadableImage, OSError):
        return None
    ratio = CELL_PX / max(image.size)
    return np.asarray(
        image.resize(
            [max(1, round(side * ratio)) for side in image.size],
            Image.Resampling.BOX if ratio < 0.1 else Image.Resampling.LANCZOS,
        )
    )


def _cell(image, full_size, boxes):
    dimmed = image.point(lambda value: value // 3)
    draw = ImageDraw.Draw(dimmed)
    scales = (image.width / full_size[0], image.height / full_size[1]) * 2
    for box in boxes[:200]:
        box = [int(round(edge * scale)) for edge, scale in zip(box, scales)]
        box[2], box[3] = max(box[0] + 1, box[2]), max(box[1] + 1, box[3])
        dimmed.paste(image.crop(box), box[:2])
        draw.rectangle([box[0], box[1], box[2] - 1, box[3] - 1], outline=(60, 220, 90))
    if not boxes:
        draw.line([(0, 0), (image.width, image.height)], fill=(220, 60, 60), width=3)
        draw.line([(0, image.height), (image.width, 0)], fill=(220, 60, 60), width=3)
    return dimmed
