"""A file of named directions: an npz file of numbers and one JSON text."""

import json
import os
import zipfile
from typing import TYPE_CHECKING, List, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath, atomic_path
from ..json_text import BadJson, parse_json
from .directions import MOST_DIRECTIONS, Direction, check_name

if TYPE_CHECKING:
    from .generator import TrainedGenerator

FORMAT = "sg2ada_colab directions"
WANTED = "a file that `sg2ada directions find` or `sg2ada directions between` wrote"
MOST_BYTES = 1 << 26


def add_directions(path: FilePath, directions: Sequence[Direction], generator: "TrainedGenerator") -> None:
    """Add Directions to a file for networks with this generator's sizes, or begin one; one of the same name is replaced.

    The file notes which network they were found in; of several it notes none.
    """
    path = str(path)
    there, same = read_directions(path, generator) if os.path.exists(path) else ([], True)
    names = {one.name for one in directions}
    together = [one for one in there if one.name not in names] + list(directions)
    _write(path, together, generator.digest if same else "", generator.num_layers)


def _write(path, directions, network, num_layers):
    about = {"format": FORMAT, "version": 1, "network": network, "num_layers": num_layers,
             "directions": [{"name": one.name, "layers": one.layers, "origin": one.origin} for one in directions]}  # fmt: skip
    vectors = np.stack([one.vector for one in directions])
    with atomic_path(path, ".npz") as temporary:
        np.savez(temporary, about=np.array(json.dumps(about)), vectors=vectors)


def read_directions(path: FilePath, generator: "TrainedGenerator") -> Tuple[List[Direction], bool]:
    """Return (list of Direction, whether they were found in this very network).

    Raises:
        UserError: There is no such file, it is damaged, or it belongs to networks of other sizes.
    """
    directions, about = _read(path)
    sizes = about["num_layers"], len(directions[0].vector)
    if sizes != (generator.num_layers, generator.config.dlatent_size):
        raise UserError(f"{path} holds directions for {sizes[0]} layers of {sizes[1]} numbers.",
                        f"{generator.num_layers} layers of {generator.config.dlatent_size}, as {generator.title} has",
                        "name the network that they were found in, or find others")  # fmt: skip
    return directions, about["network"] == generator.digest


def list_directions(path: FilePath) -> List[Direction]:
    """Return the Directions of a file, whatever network they are for; raise UserError where there is none or it is damaged."""
    return _read(path)[0]


def _read(path):
    """Return (Directions, what the file says about them)."""
    try:
        with zipfile.ZipFile(str(path)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError(f"it holds more than {MOST_BYTES:,} bytes")
        with np.load(str(path), allow_pickle=False) as file:
            about, vectors = parse_json(str(file["about"]), MOST_BYTES), file["vectors"]
        return _directions(about, vectors), about
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", WANTED, "check the path, or find directions first") from None
    except (OSError, ValueError, KeyError, TypeError, BadJson, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(f"{path} is not a file of directions: {error}.", WANTED, "find the directions again") from error


def _directions(about, vectors):
    """Return the Directions in the two arrays of a file; raise ValueError, KeyError or TypeError where they are not valid."""
    if about["format"] != FORMAT or about["version"] != 1:
        raise ValueError("it has another format")
    rows, layers = about["directions"], about["num_layers"]
    fits = vectors.dtype == np.float32 and vectors.ndim == 2 and 1 <= len(rows) == len(vectors) <= MOST_DIRECTIONS
    if not fits or not np.isfinite(vectors).all() or type(layers) is not int:
        raise ValueError("its arrays are not those of directions")
    found = []
    for row, vector in zip(rows, vectors):
        check_name(row["name"])
        chosen = row["layers"]
        if chosen is not None and not (chosen and all(type(one) is int and 0 <= one < layers for one in chosen)):
            raise ValueError("it names layers that there are not")
        found.append(Direction(row["name"], vector, None if chosen is None else tuple(chosen), str(row["origin"])[:200]))
    return found


def rename_direction(path: FilePath, old: str, new: str) -> None:
    """Give a direction in a file another name.

    Raises:
        UserError: The file has no `old`, has a `new` already, or `new` cannot be part of a file's name.
    """
    check_name(new)
    directions, about = _read(path)
    if new in [one.name for one in directions]:
        raise UserError(f"{path} already has a direction {new!r}.", "a name that is free", "choose another name")
    named = find_direction(directions, old, path)
    renamed = [one._replace(name=new) if one is named else one for one in directions]
    _write(path, renamed, about["network"], about["num_layers"])


def find_direction(directions: Sequence[Direction], name: str, path: FilePath = "the file") -> Direction:
    """Return the direction of a name; raise a UserError where there is none."""
    for one in directions:
        if one.name == name:
            return one
    shown = ", ".join(one.name for one in directions[:20])
    raise UserError(f"{path} has no direction {name!r}.", f"one of {shown}", "write --direction=" + directions[0].name)
