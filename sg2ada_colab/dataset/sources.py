"""Everything that `prepare` converts: what `images.sources` opens, data sets, and the well-known collections."""

import os
from pathlib import Path

from ..images.source import ArraySource, gone_error
from ..images.sources import open_source
from . import classic
from .reading import has_records, open_dataset


def open_any_source(path):
    """Return the `Source` for a path: images in a folder, archive or list; a data set of TFRecords; a known collection.

    Raises:
        UserError: Nothing there, damaged, unsafe, or no kind of file that holds images.
    """
    path = Path(os.path.abspath(str(path)))
    try:
        if path.is_dir() and has_records(path):
            return _record_source(path)
        known = classic.recognised(path)
        return known(path) if known else open_source(path)
    except OSError as error:
        raise gone_error(path, error) from error


def _record_source(path):
    data = open_dataset(path)
    names = ["{:08d}".format(i) for i in range(len(data))]
    labels = data.labels if data.label_size else None
    return ArraySource(path, names, list(range(len(data))), _OneImage(data), labels, data.digest())


class _OneImage:
    """Reads one image of a data set; a class so that it can be sent to another process."""

    def __init__(self, data):
        self.data = data

    def __call__(self, index):
        return self.data.read([index])[0]
