"""Photographs to project: found, cut to the centred square and brought to the network's size."""

import os
from typing import Any, List, NamedTuple

import numpy as np

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..images.find import open_source
from ..images.fit import FitOptions, regions, scale
from ..images.read import ReadOptions, UnreadableImage, decode, to_plain

WANTED = "a photograph, such as JPEG or PNG, or a folder of them"


class Target(NamedTuple):
    """A photograph as the network would make it."""

    name: str  # of the file, without its ending
    path: str
    pixels: np.ndarray  # uint8 [R,R,C]
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


def check_square(generator: Any) -> None:
    """Raise a UserError for a generator of rectangles, onto which nothing can be projected yet."""
    config = generator.config
    if config.width != config.height:
        raise UserError(f"{generator.title} makes pictures of {config.width}x{config.height} px.", "a network of square pictures",
                        "name another network; photographs are projected onto squares only")  # fmt: skip


def read_target(path: str, generator: Any, enlarge: bool = False) -> Target:
    """Return the Target of a photograph: upright, its largest centred square, by Lanczos, RGB or grey as the network makes it.

    Args:
        enlarge: Take what is smaller than the network's pictures, too.

    Raises:
        UserError: It is no photograph, it is too small, or the network makes transparency.
    """
    config = generator.config
    if config.num_channels not in (1, 3):
        raise UserError(f"{generator.title} makes pictures of {config.num_channels} channels.", "a network of RGB or grey",
                        "name another network; photographs have no transparency")  # fmt: skip
    check_square(generator)
    try:
        with open(path, "rb") as file:
            image = to_plain(decode(file), ReadOptions(channels=config.num_channels))
    except (UnreadableImage, OSError) as error:
        raise UserError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", WANTED, "check the file"
        ) from error
    options = FitOptions(upscale=enlarge)
    boxes, reason = regions(path, image.width, image.height, config.width, options)
    if not boxes:
        raise UserError(f"{path} is {reason}.", f"at least {config.width} x {config.height} px",
                        "take a larger one, or add --enlarge")  # fmt: skip
    notes = [] if image.width == image.height else [f"cut to its centred square of {boxes[0][2] - boxes[0][0]} px"]
    pixels = np.asarray(scale(image.crop(boxes[0]), config.width, options, (255, 255, 255)))
    name = os.path.splitext(os.path.basename(path))[0]
    return Target(name, path, pixels.reshape(config.height, config.width, -1), sha256_of(path)[1], tuple(notes))
