"""What holds images: a folder, an archive, a list. Finds what is in it and reads one file's bytes at a time."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

IMAGE_SUFFIXES = frozenset(
    ".{}".format(kind)
    for kind in "jpg jpeg jpe jfif png webp gif bmp dib tif tiff heic heif avif ppm pgm pbm pnm jp2 j2k".split(" ")
)
# Left behind by operating systems and sync programs; they are nobody's images.
FOREIGN_NAMES = frozenset(["thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"])
FOREIGN_FOLDERS = frozenset(["__macosx", "@eadir", "$recycle.bin"])


@dataclass
class Source:
    """Images by name, with what was found beside them.

    Attributes:
        path: Where they come from, for messages.
        names: Name of each image, with forward slashes, in code-point order; its labels are found by this name.
        locations: For each image what `read` needs.
        ignored: Reason -> number of files that were passed over.
        own_labels: Text of the dataset.json that lies at its root, None without.
    """

    path: str
    names: List[str] = field(default_factory=list)
    locations: List[Any] = field(default_factory=list)
    ignored: Dict[str, int] = field(default_factory=Counter)
    own_labels: Optional[str] = None

    def __len__(self):
        return len(self.names)

    def open(self, index):
        """Return one image file as a seekable binary file object."""
        return open(self.locations[index], "rb")

    def fingerprint(self):
        """Return a text that changes when a file is added, removed or written to."""
        digest = hashlib.sha256()
        for name, location in zip(self.names, self.locations):
            status = os.stat(location)
            digest.update("{}\0{}\0{}\n".format(name, status.st_size, status.st_mtime_ns).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def sort(self):
        """Put the images in code-point order of their names."""
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        self.names = [self.names[i] for i in order]
        self.locations = [self.locations[i] for i in order]
        return self


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


def folder_source(path):
    """Return the images in a folder and its sub-folders; each file counts once, however many links lead to it."""
    source, links, seen_folders, seen_files = Source(str(path)), [], set(), set()

    def visit(folder, prefix):
        real = os.path.realpath(folder)
        if real in seen_folders:
            return
        seen_folders.add(real)
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            name = prefix + entry.name
            if entry.is_symlink():
                links.append((entry.path, name))
            elif entry.is_dir():
                if entry.name.startswith(".") or entry.name.lower() in FOREIGN_FOLDERS:
                    source.ignored["hidden or system folder"] += 1
                else:
                    visit(entry.path, name + "/")
            else:
                take(entry.path, name)

    def take(file_path, name):
        if name == "dataset.json":
            source.own_labels = _text(file_path)
            return
        reason = reason_to_ignore(name)
        if reason:
            source.ignored[reason] += 1
            return
        seen_files.add(os.path.realpath(file_path) if links or file_path in seen_files else file_path)
        source.names.append(name)
        source.locations.append(file_path)

    root = os.path.realpath(str(path))  # so that the files' own paths are real, and comparing with links is cheap
    visit(root, "")
    while links:  # after the files themselves: a link is only followed to what is not here already
        link, name = links.pop(0)
        target = os.path.realpath(link)
        if os.path.isdir(target):
            visit(target, name + "/")
        elif not os.path.exists(target):
            source.ignored["broken link"] += 1
        elif target in seen_files:
            source.ignored["link to a file already here"] += 1
        else:
            before = len(source.names)
            take(target, name)
            if len(source.names) > before:
                seen_files.add(target)
    return source.sort()


def _text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def open_source(path):
    """Return the `Source` for a path."""
    return folder_source(Path(path))
