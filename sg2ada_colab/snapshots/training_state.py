"""The file that makes a resume exact: named arrays and counters in one uncompressed .npz without pickles."""
import json
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np

from ..errors import UserError
from .atomic import atomic_file

FORMAT = "sg2ada training state"
FORMAT_VERSION = 1
# What NumPy and zipfile raise on a file that was cut short, overwritten or is something else; MemoryError and
# OverflowError come from a damaged header that announces an absurd shape.
DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, MemoryError, OverflowError,
)  # fmt: skip
HEADER = "__state__"  # member with the JSON text; no array may have this name


def save_state(path, arrays, meta, written=None):
    """Write arrays and counters to `path` atomically.

    Args:
        path: Name of the file, by custom `training-state-NNNNNN.npz`.
        arrays: Dict of name -> np.ndarray of any shape and any dtype but object; names may hold slashes.
        meta: Dict of what JSON can hold. Floats come back bit for bit; tuples come back as lists.
        written: Optional `atomic.Written` for the size and SHA-256 of the file.
    """
    assert HEADER not in arrays, "{} is a reserved name".format(HEADER)
    header = json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, "arrays": list(arrays), "meta": meta})
    with atomic_file(path, written) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add_array(archive, HEADER, np.array(header))
        for name, array in arrays.items():
            _add_array(archive, name, np.asanyarray(array))


def _add_array(archive, name, array):
    assert array.dtype != object, "array {} holds objects, which would need a pickle".format(name)
    # Sizes over 4 GB must be announced before the member is written, as the file cannot seek back.
    with archive.open(name + ".npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def load_state(path):
    """Read what `save_state` wrote.

    Returns:
        (arrays, meta): dict of name -> np.ndarray in the order they were saved, and the dict of counters.

    Raises:
        UserError: The file is missing, damaged (every member's CRC is checked), of another kind or of a later version.
        OSError: The file system fails.
    """
    with _opened(path) as (archive, header):
        return {name: archive[name] for name in header["arrays"]}, header["meta"]


def verify_state(path):
    """Read a training state from end to end without keeping its arrays; return its counters. Raises like `load_state`."""
    with _opened(path) as (archive, header):
        for name in header["arrays"]:
            archive[name]  # noqa: B018  reading checks the CRC, the shape and that nothing is missing
        return header["meta"]


@contextmanager
def _opened(path):
    path = str(path)
    try:
        # The file is opened here, as np.load leaves it open when it finds damage.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            header = json.loads(str(archive[HEADER][()]))
            if header["format"] != FORMAT:
                raise ValueError("not a training state")
            if header["format_version"] != FORMAT_VERSION:
                raise _other_version(path, header["format_version"])
            yield archive, header
    except FileNotFoundError:
        raise UserError(
            "There is no training state {}.".format(path),
            "a file training-state-NNNNNN.npz beside its network-snapshot-NNNNNN.pkl",
            "choose another snapshot; `sg2ada runs` lists them",
        ) from None
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file system failed, which says nothing about the file
        raise _damaged(path, error) from error


def _other_version(path, version):
    return UserError(
        "{} has format version {}.".format(path, version),
        "format version {}, the one that this release reads".format(FORMAT_VERSION),
        "install the release of sg2ada_colab that wrote it, or a later one",
    )


def _damaged(path, error):
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    return UserError(
        "{} ({:,} bytes) is damaged: {}: {}".format(path, size, type(error).__name__, error),
        "a complete training state as this program writes it",
        "resume from an older snapshot; `sg2ada resume` finds the newest that is whole",
    )
