"""LSUN's databases of JPEGs and WebPs (`*_lmdb`)."""

import io
import os
from pathlib import Path
from typing import Any, Dict, Tuple

from ...files import FilePath
from ...images.source import Source
from .published import damaged, needs_package


class _LsunSource(Source):
    """Images in an LMDB; a location is its key."""

    def open(self, index):
        with _lmdb(self.path).begin() as transaction:
            return io.BytesIO(transaction.get(self.locations[index]))

    def is_foreign(self, name, problem):
        return False  # keys have no suffix

    def fingerprint(self):
        status = (Path(self.path) / "data.mdb").stat()
        return f"{status.st_size} {status.st_mtime_ns}"


_databases: Dict[Tuple[int, str], Any] = {}


def _lmdb(path):
    """Return the database at this path, opened once in each process."""
    import lmdb

    key = (os.getpid(), path)
    if key not in _databases:
        _databases[key] = lmdb.open(path, readonly=True, lock=False, readahead=False)
    return _databases[key]


def lsun(path: FilePath) -> Source:
    """Return the images of an LSUN folder (`*_lmdb`), in the order of its keys; needs the package lmdb.

    Raises UserError where the package is missing or the database damaged.
    """
    try:
        import lmdb
    except ImportError as error:
        raise needs_package("lmdb", path, error) from error
    try:
        with _lmdb(str(path)).begin() as transaction:
            keys = [bytes(key) for key in transaction.cursor().iternext(keys=True, values=False)]
    except lmdb.Error as error:
        raise damaged(path, error) from error
    return _LsunSource(str(path), [key.decode("latin1") for key in keys], keys, in_order=True)
