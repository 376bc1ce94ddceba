"""What holds images: a folder, a list of paths, an archive. Finds what is in it and opens one file at a time."""

import hashlib
import io
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from ..errors import UserError

_SUFFIXES = "jpg jpeg jpe jfif png webp gif bmp dib tif tiff heic heif avif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset("." + suffix for suffix in _SUFFIXES.split())
# Left behind by operating systems and sync programs; they are nobody's images.
FOREIGN_NAMES = frozenset(["thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"])
FOREIGN_FOLDERS = frozenset(["__macosx", "@eadir", "$recycle.bin"])
LABELS_NAME = "dataset.json"
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

    def sort(self):
        """Put the images in code-point order of their names."""
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        self.names = [self.names[i] for i in order]
        self.locations = [self.locations[i] for i in order]
        return self


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


class _FolderWalk:
    """Walks a folder so that each file counts once, however many links lead to it."""

    def __init__(self, path):
        self.source = Source(str(path))
        self.links, self.seen_folders, self.seen_files = [], set(), set()
        # From the real path, so that the files' own paths are real and comparing them with links' targets is cheap.
        self.visit(os.path.realpath(str(path)), "")
        self.follow_links()
        self.source.sort()

    def visit(self, folder, prefix):
        if folder in self.seen_folders:
            self.source.ignored["link to a folder already here"] += 1
            return
        self.seen_folders.add(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.source.ignored["folder that cannot be opened ({})".format(error.strerror)] += 1
            return
        for entry in entries:
            name = prefix + entry.name
            if entry.is_symlink():
                self.links.append((entry.path, name))
            elif entry.is_dir():
                if entry.name.startswith(".") or entry.name.lower() in FOREIGN_FOLDERS:
                    self.source.ignored["hidden or system folder"] += 1
                else:
                    self.visit(entry.path, name + "/")
            elif name == LABELS_NAME:
                self.source.own_labels = Path(entry.path).read_text(encoding="utf-8", errors="replace")
            elif not entry.is_file():
                self.source.ignored["not a plain file"] += 1
            elif entry.path in self.seen_files:  # in a linked folder, after a link to this very file
                self.source.ignored["link to a file already here"] += 1
            elif self.source.add(name, entry.path):
                self.seen_files.add(entry.path)

    def follow_links(self):
        """Follow links after the files themselves, and only to what is not here already; those of followed folders too."""
        while self.links:
            link, name = self.links.pop(0)
            target = os.path.realpath(link)
            if os.path.isdir(target):
                self.visit(target, name + "/")
            elif not os.path.exists(target):
                self.source.ignored["broken link"] += 1
            elif target in self.seen_files:
                self.source.ignored["link to a file already here"] += 1
            elif self.source.add(name, target):
                self.seen_files.add(target)


def is_foreign(name, problem):
    """Return whether a file that could not be read never claimed to be an image, such as LICENSE or Makefile."""
    return problem.kind == "not an image" and not os.path.splitext(name)[1]


def list_source(path):
    """Return the images that a text file names, one path a line, relative to the file's own folder or absolute."""
    path = Path(path)
    source = Source(str(path))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the list {} cannot be read: {}".format(path, error), "a text file with one image path a line", "check the file"
        ) from error
    for line in lines:
        if line.strip() and not line.startswith("#"):
            source.names.append(line.strip().replace("\\", "/"))
            source.locations.append(str(path.parent / line.strip()))
    twice = [name for name, count in Counter(source.names).items() if count > 1]
    if twice:
        raise UserError(
            "the list {} names {} files twice, such as {}".format(path, len(twice), twice[0]),
            "each image once",
            "remove the repeated lines",
        )
    return source


def open_source(path):
    """Return the `Source` for a folder, a zip or tar archive, a text file with image paths, or a single image.

    Raises:
        UserError: Nothing there, an archive that is damaged or unsafe, a kind of file that holds no images.
    """
    from .archives import ARCHIVE_SUFFIXES, archive_source

    path = Path(os.path.abspath(str(path)))
    if path.is_dir():
        return _FolderWalk(path).source
    if not path.is_file():
        raise UserError(
            "{} does not exist".format(path),
            "a folder, a zip or tar archive, or a text file with one image path a line",
            "check the path; in Colab, check that Drive is mounted",
        )
    name = path.name.lower()
    if name.endswith(ARCHIVE_SUFFIXES):
        return archive_source(path)
    if path.suffix.lower() in (".txt", ".lst"):
        return list_source(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(str(path.parent), [path.name], [str(path)])
    raise UserError(
        "{} is no kind of file that holds images".format(path),
        "a folder, or a file that ends in " + ", ".join(ARCHIVE_SUFFIXES + (".txt",)),
        "give the folder or archive that holds the images",
    )
