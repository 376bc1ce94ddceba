"""Where the weights of a feature network come from: a path, the cache folder, an installed package or an address."""

import collections
import importlib.util
import os
import shutil
import urllib.request
from pathlib import Path

from ..errors import UserError
from ..snapshots.atomic import atomic_file, sha256_of, write_text

CHUNK_BYTES = 1 << 20
NOTED = ".sha256"  # beside a download whose digest is not known beforehand

# file_name: as it lies in the cache; sha256: of the file, None where it is not known; package, package_path: an installed
# distribution's top folder and the file in it; address: where it can be downloaded; obtain: the user's next step.
WeightsFile = collections.namedtuple("WeightsFile", "title file_name sha256 package package_path address obtain")


def default_cache_dir():
    """Return the folder for downloaded weights and statistics: $SG2ADA_CACHE_DIR, else ~/.cache/sg2ada_colab."""
    return Path(os.environ.get("SG2ADA_CACHE_DIR") or os.path.join(os.path.expanduser("~"), ".cache", "sg2ada_colab"))


def find_weights(weights, path=None, cache_dir=None, download=True):
    """Return the path of a checked weights file.

    Searched in this order: `path` (the file itself, or a folder that may hold it), the cache folder, the installed package, and
    last the address, from which it is downloaded into the cache folder.

    Raises:
        UserError: The file is nowhere, or its SHA-256 is not the expected one.
    """
    cache_dir = Path(cache_dir) if cache_dir else default_cache_dir()
    if path and not Path(path).is_dir():
        return _check_digest(weights, _existing(weights, Path(path)))
    given = Path(path) / weights.file_name if path else None
    for candidate in (given, cache_dir / weights.file_name, _in_package(weights)):
        if candidate and candidate.is_file():
            return _check_digest(weights, candidate)
    if weights.address and download:
        return _download(weights, cache_dir)
    raise UserError(
        "the weights of {} are not on this machine".format(weights.title),
        "the file {} in {}{}".format(
            weights.file_name, cache_dir, ", or the package {}".format(weights.package) if weights.package else ""
        ),
        weights.obtain,
    )


def find_any(files, path=None, cache_dir=None, download=True):
    """Return the path of the first of several WeightsFiles that can be had; places are searched before anything is downloaded.

    Raises:
        UserError: None can be had.
    """
    if path and Path(path).is_file():
        return Path(path)  # which of the kinds it is, is seen when it is read
    errors = []
    for fetch in (False, True) if download else (False,):
        for weights in files:
            try:
                return find_weights(weights, path, cache_dir, fetch)
            except UserError as error:
                errors.append(error)
    raise errors[-1]


def _existing(weights, path):
    if not path.is_file():
        raise UserError(
            "{} does not exist".format(path),
            "the weights of {}, a file named {}".format(weights.title, weights.file_name),
            weights.obtain,
        )
    return path


def _in_package(weights):
    if not weights.package:
        return None
    spec = importlib.util.find_spec(weights.package)  # looks for the package without running it
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(list(spec.submodule_search_locations)[0]) / weights.package_path


def _check_digest(weights, path, found=None):
    """Raise a UserError unless a file has the expected SHA-256, or begins with it; one noted on the first download counts too."""
    found, noted = found or sha256_of(path)[1], Path(str(path) + NOTED)
    expected = weights.sha256 or (noted.read_text().strip() if noted.is_file() else "")
    if not found.startswith(expected):
        raise UserError(
            "{} is not the expected file: its SHA-256 is {}".format(path, found),
            "the weights of {} with SHA-256 {}".format(weights.title, expected),
            "delete the file; then " + weights.obtain,
        )
    return path


def _download(weights, cache_dir):
    target = cache_dir / weights.file_name
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(weights.address, timeout=30) as source, atomic_file(target) as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)
            sink.flush()
            _check_digest(weights, weights.address, sink.raw.sha256)  # a wrong file never gets its final name
        if weights.sha256 is None:
            write_text(str(target) + NOTED, sink.raw.sha256 + "\n")
    except OSError as error:
        raise UserError(
            "the weights of {} could not be downloaded from {}: {}".format(weights.title, weights.address, error),
            "the file {} in {}".format(weights.file_name, cache_dir),
            weights.obtain,
        ) from error
    return target
