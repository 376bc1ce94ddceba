"""Fakes beside the training images that are nearest to them, as a picture."""

from typing import Any

import numpy as np

from ..files import FilePath, atomic_file
from ..images.sheet import BLACK, WHITE, Sheet, SheetStyle, tile
from ..metrics.neighbours import Neighbours

STYLE = SheetStyle(gap_px=6, caption_px=18, head_px=20, paper=WHITE, ink=BLACK)


def draw_neighbours(path: FilePath, fakes: np.ndarray, dataset: Any, neighbours: Neighbours, tile_px: int = 128) -> None:
    """Write a PNG with a row for each fake: the fake, then its nearest training images with number and relative distance.

    Args:
        path: File to write.
        fakes: uint8 [n, H, W, C].
        dataset: Object with `read(indices)`.
        neighbours: Neighbours of these fakes.
        tile_px: Width and height of each image in the picture.
    """
    columns = neighbours.indices.shape[1] + 1
    sheet = Sheet(columns, len(fakes), (tile_px, tile_px), STYLE)
    sheet.head(0, "fake")
    sheet.head(1, "nearest training images (number; distance, 1 = usual between them)")
    for row, fake in enumerate(fakes):
        sheet.put(row * columns, tile(fake, tile_px))
        reals = dataset.read(neighbours.indices[row])
        relative = neighbours.distances[row] / max(neighbours.usual, 1e-30)
        for column, (index, distance, real) in enumerate(zip(neighbours.indices[row], relative, reals), 1):
            sheet.put(row * columns + column, tile(real, tile_px), f"{index}; {distance:.2f}")
    with atomic_file(path) as stream:
        sheet.image.save(stream, "PNG")
