"""Everything that `prepare` converts: what `images.find` opens, datasets, and the well-known collections."""

import os
from pathlib import Path
from typing import Any

from ..files import FilePath
from ..images.find import open_source
from ..images.source import ArraySource, Source, gone_error
from .classic import collections as classic
from .foreign_records import foreign_source
from .reading import has_foreign_records, has_records, open_dataset
from .record_file import ForeignRecords


def open_any_source(path: FilePath) -> Source:
    """Return the `Source` for a path: images in a folder, archive or list; a dataset of TFRecords; a known collection.

    Raises:
        UserError: Nothing there, damaged, unsafe, or no kind of file that holds images.
    """
    path = Path(os.path.abspath(str(path)))
    try:
        if path.is_dir() and has_records(path):
            try:
                return _record_source(path)
            except ForeignRecords:
                return foreign_source(path)
        if has_foreign_records(path):
            return foreign_source(path)
        is_known_kind = path.is_dir() or path.is_file()
        known = classic.recognised(path) if is_known_kind else None
        return known(path) if known else open_source(path)
    except OSError as error:
        raise gone_error(path, error) from error


def _record_source(path):
    data = open_dataset(path)
    names = [f"{i:08d}" for i in range(len(data))]
    labels = data.labels if data.label_size else None
    return ArraySource(path, names, list(range(len(data))), _OneImage(data), labels, data.digest())


class _OneImage:
    """Reads one image of a dataset; a class so that it can be sent to another process."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __call__(self, index: Any) -> Any:
        return self.data.read([index])[0]
