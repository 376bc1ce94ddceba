"""Choose the square of a single image by hand: three numbers, a preview, and a file beside the datasets that keeps it."""

import io
from typing import Any, Optional, Tuple

from PIL import Image

from ..dataset.sources import open_any_source
from ..errors import UserError
from ..files import FilePath
from ..images.contact_sheet import marked, small_picture
from ..images.crop_boxes import keep_box, square_box
from ..images.read import ReadOptions, UnreadableImage, read_header
from ..images.sheet import Sheet, SheetStyle
from ..words import shown
from .datasets import crops_file, name_of
from .find_images import source_path
from .html import picture, show
from .session import plainly, tell

PREVIEW_PX = 420


@plainly
def crop_image(
    source: FilePath = "",
    image: str = "",
    across: float = 50,
    down: float = 50,
    size: float = 100,
    keep: bool = False,
    remove: bool = False,
) -> Optional[Tuple[int, int, int, int]]:
    """Show the square that three numbers cut from an image, and keep it for `prepare_dataset` if asked.

    Args:
        source: As for `prepare_dataset`.
        image: Name of the image, or the end of it; "" does nothing.
        across, down: Middle of the square, in percent from the left and from the top.
        size: Side of the square, in percent of the largest one.
        keep: Keep this square: in fit crop, pad and stretch this image is cut so from now on.
        remove: Forget the image's square.

    Returns:
        The box (left, top, right, bottom) in the image's pixels; None where nothing was cut.

    Raises:
        UserError: There is no such image, it cannot be read, or the numbers give no square.
    """
    if not image:
        tell("info", "To cut an image by hand, write its name into the field image.")
        return None
    path = source_path(source)
    opened = open_any_source(path)
    index = _find(opened, image)
    name, header = opened.names[index], _header(opened, index)
    if remove:
        left = keep_box(crops_file(path), name, None)
        tell("good", f"{shown(name)} is cut as all others. Images of {name_of(path)} that are cut by hand: {len(left)}.")
        return None
    box = square_box(header.width, header.height, across, down, size)
    pixels = small_picture(opened, index, longer_px=PREVIEW_PX)
    if pixels is None:
        raise UserError(f"{shown(name)} is damaged.", "an image that can be read", "copy it again, or choose another image")
    small = Image.fromarray(pixels)
    sheet = Sheet(2, 1, (PREVIEW_PX, PREVIEW_PX), SheetStyle(10))
    sheet.put(0, marked(small, (header.width, header.height), [box]))
    scale = small.width / header.width
    edges: Any = [round(edge * scale) for edge in box]
    cut = small.crop(edges).resize((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    sheet.put(1, cut)
    file = io.BytesIO()
    sheet.image.save(file, "JPEG", quality=88)
    words = f"{shown(name)}: a square of {box[2] - box[0]} px, from {box[0]} px left and {box[1]} px down."
    show(picture(file.getvalue(), f"the square that is cut from {shown(name)}, in the image and by itself", words), words)
    if keep:
        boxes = keep_box(crops_file(path), name, box)
        tell("good", f"Kept. Images of {name_of(path)} that are cut by hand: {len(boxes)}.", "Make the dataset again to use it.")
    return box


def _find(source, image):
    """Return the index of the image of a name, or of the only one whose name ends so; raises UserError otherwise."""
    if image in source.names:
        return source.names.index(image)
    ending = [index for index, name in enumerate(source.names) if name.lower().endswith(str(image).lower().lstrip("…"))]
    if len(ending) == 1:
        return ending[0]
    examples = ", ".join(shown(source.names[index]) for index in (ending or range(len(source.names)))[:3])
    raise UserError(
        f"{len(ending)} images have names that end in {shown(image)}." if ending else f"No image is called {shown(image)}.",
        f"the name of one image, such as {examples}",
        "copy the name from the sheet or from the report above",
    )


def _header(source, index):
    try:
        return source.use(index, lambda file: read_header(file, ReadOptions(), source.frame(index)))
    except (UnreadableImage, OSError) as error:
        name = shown(source.names[index])
        raise UserError(f"{name} cannot be read: {error}", "an image that can be read", "choose another image") from error
