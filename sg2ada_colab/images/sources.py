"""Where images come from: a folder, a list of paths, an archive."""

import os
from collections import Counter
from pathlib import Path

from ..errors import UserError
from .archives import ARCHIVE_SUFFIXES, archive_source
from .source import DISK_FAILS, DISK_GONE, FOREIGN_FOLDERS, IMAGE_SUFFIXES, LABELS_NAME, Source, gone_error


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
            if error.errno in DISK_GONE + DISK_FAILS:
                raise  # nobody's images may be left out for that
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
    path = Path(os.path.abspath(str(path)))
    try:
        return _open(path)
    except OSError as error:
        raise gone_error(path, error) from error


def _open(path):
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
