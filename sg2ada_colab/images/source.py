"""A set of image files by name, and which files are no image of the user's."""

import errno
import hashlib
import io
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

import numpy as np

from ..errors import UserError

_SUFFIXES = "jpg jpeg jpe jfif png webp gif bmp dib tif tiff heic heif avif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset("." + suffix for suffix in _SUFFIXES.split())
# Left behind by operating systems and sync programs; they are nobody's images.
FOREIGN_NAMES = frozenset(["thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"])
FOREIGN_FOLDERS = frozenset(["__macosx", "@eadir", "$recycle.bin"])
LABELS_NAME = "dataset.json"
# What a disk answers when it is gone, and when it fails once; no other error number says anything about more than one file.
DISK_GONE = (errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO)
DISK_FAILS = (errno.EIO, errno.ETIMEDOUT, errno.EAGAIN)
_MOST_ATTEMPTS, _PAUSE_S = 4, 0.5
FOREIGN_REASON = "not an image (its name has no suffix)"


@dataclass
class Source:
    """Images by name, with what was found beside them. This one's images are files of their own.

    Attributes:
        path: Where they come from, for messages.
        names: Name of each image, with forward slashes, in code-point order; its labels are found by this name.
        locations: For each image what `open` needs.
        ignored: Reason -> number of files that were passed over.
        own_labels: Text of the dataset.json that lies at its root, None without.
        label_rows: float32 [N, L] labels that came with the images in another form, None without.
        in_order: Whether the images are read quicker one after the other than at random.
    """

    path: str
    names: List[str] = field(default_factory=list)
    locations: List[Any] = field(default_factory=list)
    ignored: Dict[str, int] = field(default_factory=Counter)
    own_labels: Optional[str] = None
    label_rows: Optional[np.ndarray] = None
    in_order: bool = False

    def __len__(self):
        return len(self.names)

    def open(self, index):
        """Return one image file as a seekable binary file object."""
        return open(self.locations[index], "rb")

    def use(self, index, function):
        """Return `function(file)` for an image's file; what a slow or remote disk fails in now and then is tried again.

        Raises:
            OSError: This one file cannot be read.
            UserError: The whole source is gone, as when Drive is disconnected: no image is to be left out for that.
        """
        for attempt in range(_MOST_ATTEMPTS):
            try:
                with self.open(index) as file:
                    return function(file)
            except OSError as error:
                if error.errno in DISK_GONE or not os.path.exists(self.path):
                    raise gone_error(self.path, error) from error
                if error.errno not in DISK_FAILS or attempt == _MOST_ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE_S)

    def fingerprint(self):
        """Return a text that changes when a file is added, removed or written to."""
        digest = hashlib.sha256()
        for name, location in zip(self.names, self.locations):
            try:
                status = os.stat(location)
                facts = "{}\0{}\0{}\n".format(name, status.st_size, status.st_mtime_ns)
            except OSError:
                facts = name + "\0missing\n"
            digest.update(facts.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def add(self, name, location):
        """Take a file in, or count why not."""
        reason = reason_to_ignore(name)
        if reason:
            self.ignored[reason] += 1
        else:
            self.names.append(name)
            self.locations.append(location)
        return not reason

    def is_foreign(self, name, problem):
        """Return whether a file that could not be read never claimed to be an image, such as LICENSE or Makefile."""
        return problem.kind == "not an image" and not os.path.splitext(name)[1]

    def sort(self):
        """Put the images in code-point order of their names."""
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        self.names = [self.names[i] for i in order]
        self.locations = [self.locations[i] for i in order]
        return self

    def first(self, count):
        """Return a source of the first `count` images alone."""
        if count >= len(self):
            return self
        part = object.__new__(type(self))  # not copy.copy, which takes away what only this process may have
        part.__dict__.update(self.__dict__)
        part.names, part.locations = self.names[:count], self.locations[:count]
        part.label_rows = None if self.label_rows is None else self.label_rows[:count]
        return part


class ArraySource(Source):
    """Images that are arrays already; a location is what `fetch` turns into uint8 [H, W, C]."""

    def __init__(self, path, names, locations, fetch, label_rows=None, identity=""):
        super().__init__(str(path), names, locations, label_rows=label_rows, in_order=True)
        self._fetch, self._identity = fetch, identity

    def open(self, index):
        """Return the image as a PPM or PGM file, which holds the very pixels."""
        image = self._fetch(self.locations[index])
        height, width, channels = image.shape
        head = "P{} {} {} 255\n".format(6 if channels == 3 else 5, width, height)
        return io.BytesIO(head.encode() + np.ascontiguousarray(image).tobytes())

    def fingerprint(self):
        return self._identity

    def is_foreign(self, name, problem):
        return False


def gone_error(path, error):
    """Return the UserError for an OSError that is about the whole of a source."""
    return UserError(
        "{} cannot be reached: {}".format(path, error.strerror or error),
        "a disk that stays connected until all images are read",
        "connect it again and run the same command; what was converted before is kept",
    )


def reason_to_ignore(name):
    """Return why a file of this relative name is no image of the user's, or None for one that may be."""
    parts = name.lower().split("/")
    if any(part in FOREIGN_FOLDERS for part in parts[:-1]) or parts[-1] in FOREIGN_NAMES:
        return "system file"
    if any(part.startswith(".") for part in parts):
        return "hidden file"
    suffix = os.path.splitext(parts[-1])[1]
    if suffix and suffix not in IMAGE_SUFFIXES:
        return "not an image by its name ({})".format(suffix)
    return None
