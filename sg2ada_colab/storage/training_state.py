"""The file that makes a resume exact: named arrays and counters in one uncompressed .npz without pickles.

Its last 64 bytes, the end of the archive's comment, are the SHA-256 of all that comes before them, so that no changed byte
passes, be it one that the archive's checksums do not cover. Files of older versions have no such end.
"""

import errno
import hashlib
import io
import json
import os
import re
import zipfile
from contextlib import contextmanager
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..files import CHUNK_BYTES, FilePath, Written, atomic_file
from ..json_files import Maybe, parse_shape
from ..json_text import BadJson

FORMAT = "sg2ada training state"
FORMAT_VERSION = 1
HEADER = "__state__"  # member with the JSON text; no array may have this name
SEAL, SEAL_BYTES = b"sha256:", 64  # the mark before the digest, which takes 64 hexadecimal digits
_COUNTERS = {"nimg": float, "minibatch": float, "tick": float, "tick_start_nimg": float, "elapsed_s": float, "grid_kimg": float}
_SNAPSHOT = {"time": Maybe(float), "run_id": Maybe(str), "run": Maybe(str), "pickle": Maybe({"bytes": int, "sha256": str})}
_CONTROLLER = {"p": float, "statistic": float, "warned_p": float, "sums": list, "counts": list}
META = {
    "nimg": Maybe(int),
    "counters": Maybe({name: Maybe(shape) for name, shape in _COUNTERS.items()}),
    "controller": Maybe({name: Maybe(shape) for name, shape in _CONTROLLER.items()}),
    "means": Maybe({str: [float]}),
    "snapshot": Maybe(_SNAPSHOT),
    "config": Maybe(dict),
}
_CONTENT = {"format": str, "format_version": int, "arrays": [str], "meta": META, "sealed": Maybe(bool)}
# As NumPy writes the header of an array of plain values, whichever its version.
_ARRAY = re.compile(
    r"\{'descr': '([<>|][biufcSU]\d{1,9})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,18}(?:, ?|,?(?=\))))*)\), *\} *\n\Z"
)


class _Sealing:
    """A file for `ZipFile` to write to, which holds back the last 64 bytes and puts the digest of the rest in their place."""

    def __init__(self, file: Any) -> None:
        self.file, self.digest, self.held = file, hashlib.sha256(), b""

    def write(self, data):
        size = memoryview(data).nbytes
        if size >= CHUNK_BYTES:  # an array: it is not copied to be held
            self._pass(self.held)
            self.held = bytes(memoryview(data).cast("B")[size - SEAL_BYTES :])
            self._pass(memoryview(data).cast("B")[: size - SEAL_BYTES])
        else:
            held = self.held + bytes(data)
            self._pass(held[:-SEAL_BYTES])
            self.held = held[-SEAL_BYTES:]
        return size

    def _pass(self, data):
        self.digest.update(data)
        self.file.write(data)

    def flush(self):
        self.file.flush()

    def seal(self):
        self.file.write(self.digest.hexdigest().encode("ascii"))


def save_state(
    path: FilePath, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], written: Optional[Written] = None
) -> None:
    """Write arrays and counters to `path` atomically.

    Args:
        path: Name of the file, conventionally `training-state-NNNNNN.npz`.
        arrays: Dict of name -> np.ndarray of any shape and any dtype but object; names may hold slashes.
        meta: Dict of what JSON can hold. Floats come back bit for bit; tuples come back as lists.
        written: Optional `atomic.Written` for the size and SHA-256 of the file.
    """
    assert HEADER not in arrays, f"{HEADER} is a reserved name"
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "arrays": list(arrays), "meta": meta, "sealed": True}
    with atomic_file(path, written) as file:
        sealing = _Sealing(file)
        with zipfile.ZipFile(sealing, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            archive.comment = SEAL + b"0" * SEAL_BYTES
            _add_array(archive, HEADER, np.array(json.dumps(header)))
            for name, array in arrays.items():
                _add_array(archive, name, np.asanyarray(array))
        sealing.seal()


def _add_array(archive, name, array):
    assert array.dtype != object, f"array {name} holds objects, which would need a pickle"
    # Sizes over 4 GB must be announced before the member is written, as the file cannot seek back.
    with archive.open(name + ".npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def load_state(path: FilePath) -> Tuple[Dict[str, np.ndarray], Dict[str, Any]]:
    """Read what `save_state` wrote.

    Returns:
        (arrays, meta): dict of name -> np.ndarray of the shapes, types and order that were saved, and the dict of counters.

    Raises:
        UserError: The file is missing, damaged (its digest and every member's CRC are checked), of another kind or of a later
            version.
        OSError: The file system fails.
    """
    with _opened(path) as (archive, header):
        return {name: _read_array(archive, name) for name in header["arrays"]}, header["meta"]


def verify_state(path: FilePath) -> Dict[str, Any]:
    """Read a training state from end to end without keeping its arrays; return its counters. Raises like `load_state`."""
    with _opened(path) as (archive, header):
        for name in header["arrays"]:
            _read_array(archive, name)
        return header["meta"]


def read_meta(path: FilePath) -> Dict[str, Any]:
    """Return a training state's counters, and look at nothing else of it. Raises like `load_state`."""
    with _opened(path, sealed_only=False) as (_, header):
        return header["meta"]


class _ReadErrors(io.FileIO):
    """A file that keeps an error of the file system, which zipfile would take for a damaged archive."""

    error = None

    def readinto(self, buffer):
        return self._kept(super().readinto, buffer)

    def readall(self):
        return self._kept(super().readall)

    def _kept(self, read, *args):
        try:
            return read(*args)
        except OSError as error:
            self.error = error
            raise


@contextmanager
def _opened(path, sealed_only=True):
    path, plain = str(path), None
    try:
        plain = _ReadErrors(path)
        with io.BufferedReader(plain) as file:
            has_seal = sealed_only and _check_seal(file)
            with zipfile.ZipFile(file) as archive:
                header = _read_header(archive, path)
                if sealed_only and header.get("sealed") and not has_seal:
                    raise ValueError("the SHA-256 at its end is gone")
                yield archive, header
    except FileNotFoundError:
        raise UserError(
            f"There is no training state {path}.",
            "a file training-state-NNNNNN.npz beside its network-snapshot-NNNNNN.pkl",
            "choose another snapshot; `sg2ada runs` lists them",
        ) from None
    except UserError:
        raise
    except Exception as error:  # whatever zipfile, NumPy and Python make of damaged bytes
        if plain is not None and plain.error is not None:
            raise plain.error from error
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: a damaged offset to seek to
            raise  # the file system failed, which says nothing about the file
        raise _damaged(path, error) from error


def _check_seal(file):
    """Return whether a file ends with the digest of the rest of it; raise ValueError where the digest is another one."""
    left = os.fstat(file.fileno()).st_size - SEAL_BYTES
    file.seek(max(0, left - len(SEAL)))
    mark, seal = file.read(len(SEAL)), file.read(SEAL_BYTES)
    file.seek(0)
    if left < len(SEAL) or mark != SEAL:
        return False
    digest = hashlib.sha256()
    while left:
        chunk = file.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise ValueError("it became shorter while it was read")
        digest.update(chunk)
        left -= len(chunk)
    file.seek(0)
    if digest.hexdigest().encode("ascii") != seal:
        raise ValueError("its SHA-256 is not the one that it ends with")
    return True


def _read_header(archive, path):
    header = parse_shape(str(_read_array(archive, HEADER)[()]), {"format": str, "format_version": int})
    if header["format"] != FORMAT:
        raise ValueError("not a training state")
    if header["format_version"] != FORMAT_VERSION:
        raise _other_version(path, header["format_version"])
    header = parse_shape(str(_read_array(archive, HEADER)[()]), _CONTENT)
    members = sorted(archive.namelist())
    if members != sorted(name + ".npy" for name in header["arrays"] + [HEADER]):
        raise ValueError("its members are not the arrays that it lists")
    return header


def _read_array(archive, name):
    """Return a member's array; all its bytes are read, so that its CRC is compared, before its header is believed."""
    member = archive.getinfo(name + ".npy")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ValueError(f"{name} is compressed")
    content = archive.read(member)
    if len(content) != member.file_size or content[:6] != b"\x93NUMPY":
        raise ValueError(f"{name} is not an array")
    width = 2 if content[6] == 1 else 4  # of the header's length, by the version of the format
    start = 8 + width
    end = start + int.from_bytes(content[8:start], "little")
    match = _ARRAY.match(content[start:end].decode("latin-1"))
    if match is None:
        raise ValueError(f"{name} is not an array of plain values")
    shape = tuple(int(number) for number in match.group(3).replace(",", " ").split())
    array = np.frombuffer(content, np.dtype(match.group(1)), offset=end) if len(content) > end else np.zeros(0, match.group(1))
    return array.reshape(shape, order="F" if match.group(2) == "True" else "C").copy(order="K")


def _other_version(path, version):
    return UserError(
        f"{path} has format version {version}.",
        f"format version {FORMAT_VERSION}, the one that this release reads",
        "install the release of sg2ada_colab that wrote it, or a later one",
    )


def _damaged(path, error):
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    why = f"{error}" if isinstance(error, BadJson) else f"is damaged: {type(error).__name__}: {error}"
    return UserError(
        f"{path} ({size:,} bytes) {' '.join(why.split())[:300]}",
        "a complete training state as this program writes it",
        "go on from an older snapshot, the newest that is complete: sg2ada resume",
    )
