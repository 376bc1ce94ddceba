"""Crop boxes that a person chose: a JSON file of {image name: [left, top, right, bottom]}, in the image's own pixels."""

import os
from typing import Dict, Optional

from ..errors import UserError
from ..files import FilePath, read_plain, write_json
from ..json_text import MOST_BYTES, parse_json
from .fit import Box


def read_boxes(path: FilePath) -> Dict[str, Box]:
    """Return {name: (left, top, right, bottom)} of a file; raises UserError for one that holds something else."""
    try:
        boxes = parse_json(read_plain(path or "", MOST_BYTES))
        boxes = {name: tuple(int(edge) for edge in box) for name, box in boxes.items()}
        if any(len(box) != 4 for box in boxes.values()):
            raise ValueError("a box needs four numbers")
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(
            f"--boxes {path} cannot be read: {error}",
            'JSON {"name": [left, top, right, bottom], ...}',
            "give the file that holds the crop boxes",
        ) from error
    return boxes


def keep_box(path: FilePath, name: str, box: Optional[Box]) -> Dict[str, Box]:
    """Write one image's box into a file in place of its present one; None removes it. Returns all boxes."""
    boxes = read_boxes(path) if os.path.exists(path) else {}
    boxes.pop(name, None)
    if box is not None:
        boxes[name] = box
    write_json(path, {one: list(edges) for one, edges in sorted(boxes.items())})
    return boxes


def square_box(width: int, height: int, across: float, down: float, size: float) -> Box:
    """Return the square (left, top, right, bottom) in an image of `width` x `height` pixels.

    Args:
        across, down: Where the middle of the square should be, in percent from the left and from the top; a square that would
            reach outside is moved inside.
        size: Side, in percent of the largest square that fits.

    Raises:
        UserError: A number is outside its range.
    """
    for name, value, least in (("across", across, 0), ("down", down, 0), ("size", size, 1)):
        if not least <= value <= 100:
            raise UserError(f"{name} is {value}.", f"a number from {least} to 100, in percent", f"choose another {name}")
    side = max(1, round(min(width, height) * size / 100))
    left = min(max(0, round(width * across / 100 - side / 2)), width - side)
    top = min(max(0, round(height * down / 100 - side / 2)), height - side)
    return left, top, left + side, top + side
