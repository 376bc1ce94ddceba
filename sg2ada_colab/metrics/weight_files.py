"""Where the weights of a feature network come from: a path, the cache folder, an installed package or an address."""
import collections
import importlib.util
import os
import shutil
import urllib.request
from pathlib import Path

from ..errors import UserError
from ..snapshots.atomic import atomic_file, sha256_of

CHUNK_BYTES = 1 << 20

# file_name: as it lies in the cache; sha256: of the file, None where it is not known; package, package_path: an installed
# distribution's top folder and the file in it; address: where it can be downloaded; obtain: the user's next step.
WeightsFile = collections.namedtuple("WeightsFile", "title file_name sha256 package package_path address obtain")


def default_cache_dir():
    """Return the folder for downloaded weights and statistics: $SG2ADA_CACHE_DIR, else ~/.cache/sg2ada_colab."""
    return Path(os.environ.get("SG2ADA_CACHE_DIR") or os.path.join(os.path.expanduser("~"), ".cache", "sg2ada_colab"))


def find_weights(weights, path=None, cache_dir=None, download=True):
    """Return the path of a checked weights file.

    Searched in this order: `path` (a file, or a folder that holds the file), the cache folder, the installed package, and
    last the address, from which it is downloaded into the cache folder.

    Raises:
        UserError: The file is nowhere, or its SHA-256 is not the expected one.
    """
    cache_dir = Path(cache_dir) if cache_dir else default_cache_dir()
    if path:
        return _check_digest(weights, _in_given_path(weights, Path(path)))
    for candidate in (cache_dir / weights.file_name, _in_package(weights)):
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


def _in_given_path(weights, path):
    candidate = path / weights.file_name if path.is_dir() else path
    if not candidate.is_file():
        raise UserError(
            "{} does not exist".format(candidate),
            "the weights of {}, a file named {}".format(weights.title, weights.file_name),
            weights.obtain,
        )
    return candidate


def _in_package(weights):
    if not weights.package:
        return None
    spec = importlib.util.find_spec(weights.package)  # looks for the package without running it
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(list(spec.submodule_search_locations)[0]) / weights.package_path


def _check_digest(weights, path, found=None):
    found = found or sha256_of(path)[1]
    if weights.sha256 and found != weights.sha256:
        raise UserError(
            "{} is not the expected file: its SHA-256 is {}".format(path, found),
            "the weights of {} with SHA-256 {}".format(weights.title, weights.sha256),
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
    except OSError as error:
        raise UserError(
            "the weights of {} could not be downloaded from {}: {}".format(weights.title, weights.address, error),
            "the file {} in {}".format(weights.file_name, cache_dir),
            weights.obtain,
        ) from error
    return target
