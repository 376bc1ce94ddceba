"""Many pictures on one sheet: cells of one size in rows, with captions below and titles above."""

from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .transparency import shown_opaque

Colour = Tuple[int, int, int]
PAPER, INK = (40, 40, 40), (230, 230, 230)
WHITE, BLACK = (255, 255, 255), (20, 20, 20)


@dataclass(frozen=True)
class SheetStyle:
    """What surrounds the cells of a sheet."""

    gap_px: int = 4  # between cells, and around them
    caption_px: int = 0  # height of the line of text below each cell; 0: none
    head_px: int = 0  # height of the line of text above the first row; 0: none
    paper: Colour = PAPER
    ink: Colour = INK


class Sheet:
    """A sheet of `columns` x `rows` cells; its Pillow image is `image`.

    Args:
        columns, rows: How many cells.
        cell_px: (width, height) of a cell.
        style: SheetStyle.
    """

    def __init__(self, columns: int, rows: int, cell_px: Sequence[int], style: SheetStyle = SheetStyle()) -> None:
        self.columns, self.cell_px, self.style = columns, cell_px, style
        self.step_px = cell_px[0] + style.gap_px, cell_px[1] + style.caption_px + style.gap_px
        size = columns * self.step_px[0] + style.gap_px, style.head_px + rows * self.step_px[1] + style.gap_px
        self.image = Image.new("RGB", size, style.paper)
        self._draw = ImageDraw.Draw(self.image)

    def put(self, place: int, picture: Image.Image, caption: str = "") -> None:
        """Put a picture into the middle of the cell number `place`, counted row by row, with its caption below."""
        left = self.style.gap_px + place % self.columns * self.step_px[0]
        top = self.style.head_px + self.style.gap_px + place // self.columns * self.step_px[1]
        width, height = self.cell_px
        self.image.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
        self._write(left, top + height, self.style.caption_px, caption)

    def head(self, column: int, text: str) -> None:
        """Write text above a column; it may be wider than the column."""
        self._write(self.style.gap_px + column * self.step_px[0], self.style.gap_px, self.style.head_px, text)

    def _write(self, left: int, top: int, height: int, text: str) -> None:
        if text:
            self._draw.text((left, top + 1), text, fill=self.style.ink, font=load_font(max(8, round(0.6 * height))))


def tile(pixels: np.ndarray, size_px: int) -> Image.Image:
    """Return uint8 pixels [H, W, C] as an RGB image whose longer side is `size_px`; small ones are enlarged unsmoothed.

    RGBA is shown over a checkerboard.
    """
    if pixels.shape[2] == 4:
        return shown_opaque(_to_side(Image.fromarray(np.ascontiguousarray(pixels)), size_px))
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels[:, :, :3])).convert("RGB")
    return _to_side(picture, size_px)


def _to_side(picture, size_px):
    longer = max(picture.size)
    if longer == size_px:
        return picture
    size = (max(1, round(picture.width * size_px / longer)), max(1, round(picture.height * size_px / longer)))
    return picture.resize(size, Image.Resampling.LANCZOS if longer > size_px else Image.Resampling.NEAREST)


def load_font(size_px: int) -> Any:
    """Return Pillow's own font, scaled where this Pillow can."""
    try:
        return ImageFont.load_default(size=size_px)
    except TypeError:  # Pillow before 10.1 has one size only
        return ImageFont.load_default()
