"""Pictures side by side under titles, of one height."""

from PIL import Image, ImageDraw

from ..metrics.plot import INK, load_font
from .timeline import shrunk

GAP_PX, TITLE_PX = 12, 26


def side_by_side(pictures, height_px=None):
    """Return RGB pictures next to each other on white.

    Args:
        pictures: [(title, Pillow image), ...].
        height_px: Height of each; None is that of the lowest.
    """
    assert pictures, "nothing to compare"
    height = height_px or min(image.height for _, image in pictures)
    images = [(title, _of_height(image.convert("RGB"), height)) for title, image in pictures]
    width = sum(image.width for _, image in images) + GAP_PX * (len(images) - 1)
    sheet = Image.new("RGB", (width, height + TITLE_PX), "white")
    draw, left = ImageDraw.Draw(sheet), 0
    for title, image in images:
        draw.text((left + 2, 5), title, fill=INK, font=load_font(15))
        sheet.paste(image, (left, TITLE_PX))
        left += image.width + GAP_PX
    return sheet


def _of_height(image, height):
    if image.height == height:
        return image
    size = (max(1, round(image.width * height / image.height)), height)
    return shrunk(image, max(size)) if image.height > height else image.resize(size, Image.NEAREST)
