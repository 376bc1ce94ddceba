"""Find images: in a folder, a list of paths, an archive, several archives."""

import os
from collections import Counter
from pathlib import Path
from typing import Any, List, Set

from ..errors import UserError
from ..files import FilePath, read_plain
from ..json_text import BadJson, decode_text
from .archives import archive_source, joined
from .source import ARCHIVE_REASON, ARCHIVE_SUFFIXES, DISK_FAILS, DISK_GONE, FOREIGN_FOLDERS, IMAGE_SUFFIXES, Source, gone_error

_MOST_LIST_BYTES = 1 << 28


class _FolderWalk:
    """Walks a folder so that each file counts once, however many links lead to it, at any depth."""

    def __init__(self, path: FilePath) -> None:
        self.source = Source(str(path))
        self.archives: List[Any] = []
        self.links: List[Any] = []
        self.seen_folders: Set[Any] = set()
        self.seen_files: Set[Any] = set()
        # From the real path, so that the files' own paths are real and comparing them with links' targets is cheap.
        self.visit(os.path.realpath(str(path)), "")
        self.follow_links()
        self.source.sort()

    def visit(self, folder, prefix):
        """Add all files in a folder and below it."""
        waiting = [(folder, prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            if folder in self.seen_folders:
                self.source.ignored["link to a folder already here"] += 1
                continue
            self.seen_folders.add(folder)
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                if error.errno in DISK_GONE + DISK_FAILS:
                    raise  # single images must not be left out for that
                self.source.ignored[f"folder that cannot be opened ({error.strerror})"] += 1
                continue
            waiting.extend(found for found in [self.look(entry, prefix) for entry in entries] if found)

    def look(self, entry, prefix):
        """Add one entry of a folder; return (path, prefix) for a folder to visit, else None."""
        name = prefix + entry.name
        if entry.is_symlink():
            self.links.append((entry.path, name))
        elif entry.is_dir():
            if not entry.name.startswith(".") and entry.name.lower() not in FOREIGN_FOLDERS:
                return entry.path, name + "/"
            self.source.ignored["hidden or system folder"] += 1
        elif not entry.is_file():
            self.source.ignored["not a plain file"] += 1
        else:
            self.take(name, entry.path)
        return None

    def take(self, name, path):
        """Add one file, unless it was added before."""
        if path in self.seen_files:
            self.source.ignored["link to a file already here"] += 1
        elif not name.rpartition("/")[2].startswith(".") and name.lower().endswith(ARCHIVE_SUFFIXES):
            self.archives.append((name, path))
        elif self.source.add(name, path):
            self.seen_files.add(path)

    def follow_links(self):
        """Follow links after all files, and only to what was not added before; also those in linked folders."""
        while self.links:
            link, name = self.links.pop(0)
            target = os.path.realpath(link)
            if os.path.isdir(target):
                self.visit(target, name + "/")
            elif os.path.isfile(target):
                self.take(name, target)
            else:
                self.source.ignored["not a plain file" if os.path.exists(target) else "broken link"] += 1


def folder_source(path: FilePath) -> Source:
    """Return the images in a folder, at any depth; of a folder that holds archives and no images, those in the archives."""
    walk = _FolderWalk(path)
    if walk.archives and not len(walk.source):
        parts = [(os.path.splitext(name)[0], archive_source(file)) for name, file in sorted(walk.archives)]
        return joined(walk.source, parts)
    if walk.archives:
        walk.source.ignored[ARCHIVE_REASON] += len(walk.archives)
    return walk.source


def list_source(path: FilePath) -> Source:
    """Return the images that a text file names, one path a line, relative to the file's own folder or absolute.

    Raises UserError where the list cannot be read, or names a file twice.
    """
    path = Path(path)
    source = Source(str(path))
    try:
        lines = decode_text(read_plain(path, _MOST_LIST_BYTES)).splitlines()
    except (OSError, BadJson) as error:
        raise UserError(
            f"the list {path} cannot be read: {error}", "a text file with one image path a line", "check the file"
        ) from error
    for line in lines:
        if line.strip() and not line.startswith("#"):
            source.names.append(line.strip().replace("\\", "/"))
            source.locations.append(str(path.parent / line.strip()))
    twice = [name for name, count in Counter(source.names).items() if count > 1]
    if twice:
        raise UserError(
            f"the list {path} names {len(twice)} files twice, such as {twice[0]}",
            "each image once",
            "remove the repeated lines",
        )
    return source


def open_source(path: FilePath) -> Source:
    """Return the `Source` for a folder, a zip or tar archive, a text file with image paths, or a single image.

    Raises:
        UserError: Nothing there, an archive that is damaged or unsafe, a kind of file that holds no images.
    """
    path = Path(os.path.abspath(str(path)))
    try:
        return _open(path)
    except OSError as error:
        raise gone_error(path, error) from error


def _open(path):
    if path.is_dir():
        return folder_source(path)
    if path.exists() and not path.is_file():
        raise UserError(
            f"{path} is not a plain file", "a folder, an archive or a list of images", "name the folder or file itself"
        )
    if not path.is_file():
        raise UserError(
            f"{path} does not exist",
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
        f"{path} is not a kind of file that holds images",
        "a folder, or a file that ends in " + ", ".join(ARCHIVE_SUFFIXES + (".txt",)),
        "give the folder or archive that holds the images; archives of other kinds: unpack them and give the folder",
    )
