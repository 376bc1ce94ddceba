"""Where the weights of a feature network come from: a path, the cache folder, an installed package or an address."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..formats.download import download as fetch
from ..formats.download import note_digest, noted_digest
from ..machine import cache_folder


@dataclass(frozen=True)
class WeightsFile:
    """A file with the weights of a feature network."""

    title: str  # for messages
    file_name: str  # in the cache folder
    obtain: str  # the user's next step where it is missing
    sha256: Optional[str] = None  # of the file, or its beginning; None: not published
    package: Optional[str] = None  # top folder of an installed distribution that brings the file …
    package_path: str = ""  # … and the file in it
    address: Optional[str] = None  # where it can be downloaded


def find_weights(
    weights: WeightsFile,
    path: Optional[FilePath] = None,
    cache_dir: Optional[FilePath] = None,
    download: bool = True,
    check: Optional[Callable] = None,
) -> Path:
    """Return the path of a checked weights file.

    Searched in this order: `path` (the file itself, or a folder that may hold it), the cache folder, the installed package, and
    last the address, from which it is downloaded into the cache folder.

    Args:
        check: Function of the path of a download whose digest is not known; it raises UserError for what is not kept.

    Raises:
        UserError: The file cannot be found, or its SHA-256 is not the expected one.
    """
    cache_dir = Path(cache_dir or cache_folder())
    if path and not Path(path).is_dir():
        return _check_digest(weights, _existing(weights, Path(path)))
    given = Path(path) / weights.file_name if path else None
    for candidate in (given, cache_dir / weights.file_name, _in_package(weights)):
        if candidate and candidate.is_file():
            return _check_digest(weights, candidate)
    if weights.address and download:
        return _download(weights, cache_dir, check)
    raise UserError(
        f"the weights of {weights.title} are not on this machine",
        f"the file {weights.file_name} in {cache_dir}" + (f", or the package {weights.package}" if weights.package else ""),
        weights.obtain,
    )


def find_any(
    files: Sequence[WeightsFile],
    path: Optional[FilePath] = None,
    cache_dir: Optional[FilePath] = None,
    download: bool = True,
    check: Optional[Callable] = None,
) -> Path:
    """Return the path of the first of several WeightsFiles that can be had; places are searched before anything is downloaded.

    Raises:
        UserError: None can be had.
    """
    if len(files) > 1 and path and Path(path).is_file():
        return Path(path)  # the reader finds out which of the files it is
    errors = []
    for may_fetch in (False, True) if download else (False,):
        for weights in files:
            try:
                return find_weights(weights, path, cache_dir, may_fetch, check)
            except UserError as error:
                errors.append(error)
    raise errors[-1]


def _existing(weights, path):
    if not path.is_file():
        raise UserError(
            f"{path} does not exist",
            f"the weights of {weights.title}, a file named {weights.file_name}",
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


def _check_digest(weights, path):
    """Raise a UserError unless a file has the expected SHA-256, or begins with it; one noted on the first download counts too."""
    found, expected = sha256_of(path)[1], weights.sha256 or noted_digest(path) or ""
    if not found.startswith(expected):
        raise UserError(
            f"{path} is not the expected file: its SHA-256 is {found}",
            f"the weights of {weights.title} with SHA-256 {expected}",
            "delete the file; then " + weights.obtain,
        )
    return path


def _download(weights, cache_dir, check):
    target = cache_dir / weights.file_name
    try:
        digest = fetch(weights.address, target, weights.sha256, check=None if weights.sha256 else check)
        if weights.sha256 is None:
            note_digest(target, digest)
    except UserError as error:
        raise UserError(
            f"the weights of {weights.title} could not be downloaded: {error.what}",
            f"the file {weights.file_name} in {cache_dir}",
            weights.obtain,
        ) from error
    return target
