"""Photographs to project: found, cut to the middle of the network's shape and brought to its size."""

import os
from typing import Any, List, NamedTuple

import numpy as np

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..images.find import open_source
from ..images.fit import FitOptions, regions, scale
from ..images.read import ReadOptions, UnreadableImage, decode, to_plain
from ..shape import compact_size, size_text

WANTED = "a photograph, such as JPEG or PNG, or a folder of them"


class Target(NamedTuple):
    """A photograph as the network would make it."""

    name: str  # of the file, without its ending
    path: str
    pixels: np.ndarray  # uint8 [H,W,C]
    digest: str  # SHA-256 of the file
    notes: tuple = ()  # what was done to it, for people


def photographs(path: FilePath) -> List[str]:
    """Return the paths of a photograph, or of those in a folder in the order of their names.

    Raises:
        UserError: There is none.
    """
    path = str(path)
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise UserError(f"There is no photograph {path}.", WANTED, "check the path")
    source = open_source(path)
    found = sorted(str(place) for place in source.locations if os.path.isfile(str(place)))  # not those in archives
    if not found:
        raise UserError(f"{path} holds no photographs.", WANTED, "put some there, or name another folder")
    return found


def read_target(path: str, generator: Any, enlarge: bool = False) -> Target:
    """Return the Target of a photograph: upright, its largest centred part of the network's shape, by Lanczos.

    It is RGB, grey or RGBA as the network makes it. A transparent photograph lies on white where the network has no alpha; where
    it has, a photograph without is opaque.

    Args:
        enlarge: Take what is smaller than the network's pictures, too.

    Raises:
        UserError: It is not a photograph, or it is too small.
    """
    config = generator.config
    size = compact_size(config.height, config.width)
    try:
        with open(path, "rb") as file:
            image = to_plain(decode(file), ReadOptions(channels=config.num_channels))
    except (UnreadableImage, OSError) as error:
        raise UserError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", WANTED, "check the file"
        ) from error
    options = FitOptions(upscale=enlarge)
    boxes, reason = regions(path, image.width, image.height, size, options)
    if not boxes:
        raise UserError(f"{path} cannot be used: {reason}.", f"at least {config.width} x {config.height} px",
                        "take a larger one, or add --enlarge")  # fmt: skip
    width, height = boxes[0][2] - boxes[0][0], boxes[0][3] - boxes[0][1]
    part = f"its centred square of {width} px" if width == height else f"its middle {size_text(height, width)} px"
    notes = [] if (width, height) == image.size else ["cut to " + part]
    pixels = np.asarray(scale(image.crop(boxes[0]), size, options, (255, 255, 255)))
    name = os.path.splitext(os.path.basename(path))[0]
    return Target(name, path, pixels.reshape(config.height, config.width, -1), sha256_of(path)[1], tuple(notes))
