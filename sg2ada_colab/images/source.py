"""A set of image files by name, and which files are not images of the user."""

import errno
import hashlib
import io
import os
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Callable, Dict, List, Optional

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, open_plain, with_retries

_SUFFIXES = "jpg jpeg jpe jfif png webp gif bmp dib tif tiff heic heif avif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset("." + suffix for suffix in _SUFFIXES.split())
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = (".zip",) + TAR_SUFFIXES
# Left behind by operating systems and sync programs; they are not images of the user.
FOREIGN_NAMES = frozenset(["thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"])
FOREIGN_FOLDERS = frozenset(["__macosx", "@eadir", "$recycle.bin"])
LABELS_NAME = "dataset.json"
# What a disk answers when it is gone, and when it fails once; no other error number says anything about more than one file.
DISK_GONE = (errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO)
DISK_FAILS = (errno.EIO, errno.ETIMEDOUT, errno.EAGAIN)
_MOST_ATTEMPTS, _PAUSE_S = 4, 0.5
SYSTEM_FILE, HIDDEN_FILE = "system file", "hidden file"
ARCHIVE_REASON = "archive among other files (unpack it, or give it by itself)"
FOREIGN_REASON = "not an image (its name has no suffix)"


@dataclass
class Source:
    """Images by name, with what was found beside them. In this class each image is a file.

    Attributes:
        path: Where they come from, for messages.
        names: Name of each image, with forward slashes, in code-point order; its labels are found by this name.
        locations: For each image what `open` needs.
        ignored: Reason -> number of files that were passed over.
        label_files: Name -> location of every dataset.json that lies among the images.
        label_rows: float32 [N, L] labels that came with the images in another form, None without.
        label_values: Label of each image as the file has it, as `label_values.label_matrix` takes it; None without.
        frames: Which frame of its file each image is, from 0; None where each file gives one image, its first frame.
        in_order: Whether the images are read quicker one after the other than at random.
    """

    path: str
    names: List[str] = field(default_factory=list)
    locations: List[Any] = field(default_factory=list)
    ignored: Dict[str, int] = field(default_factory=Counter)
    label_files: Dict[str, Any] = field(default_factory=dict)
    label_rows: Optional[np.ndarray] = None
    label_values: Optional[List[Any]] = None
    frames: Optional[List[int]] = None
    in_order: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def open(self, index: int) -> BinaryIO:
        """Return one image file as a seekable binary file object."""
        return self.open_at(self.locations[index])

    def frame(self, index: int) -> Optional[int]:
        """Return the number of an image's frame in its file, None where the file gives one image."""
        return None if self.frames is None else self.frames[index]

    def open_at(self, location: Any) -> BinaryIO:
        """Return what lies at a location as a seekable binary file object."""
        return open_plain(location)

    def label_file(self) -> Optional[str]:
        """Return the name of the dataset.json beside all images or above them, the outermost of several; None without one.

        Raises:
            UserError: There is one, but only some of the images lie below it.
        """
        folders = {name.rpartition("/")[0] for name in self.names}
        shared = os.path.commonprefix([folder.split("/") for folder in folders]) if folders else []
        above = {"/".join(shared[:depth]) for depth in range(len(shared) + 1)}
        found = sorted((name.count("/"), name) for name in self.label_files if name.rpartition("/")[0] in above)
        if found:
            return found[0][1]
        if self.label_files and self.names:
            raise UserError(
                f"{self.path} holds {LABELS_NAME} in {min(self.label_files)}, but not all images lie there",
                f"{LABELS_NAME} beside all images, or in a folder above them",
                "give that folder alone, name the label file with --labels FILE, or go on without: --labels none",
            )
        return None

    def use(self, index: int, function: Callable[[BinaryIO], Any]) -> Any:
        """Return `function(file)` for an image's file; transient errors of a slow or remote disk are retried.

        Raises:
            OSError: This one file cannot be read.
            UserError: The complete source is gone, as when Drive is disconnected; single images must not be left out for that.
        """

        def once():
            try:
                with self.open(index) as file:
                    return function(file)
            except OSError as error:
                if error.errno in DISK_GONE or not os.path.exists(self.path):
                    raise gone_error(self.path, error) from error
                raise

        return with_retries(once, _MOST_ATTEMPTS, _PAUSE_S, DISK_FAILS)

    def fingerprint(self) -> str:
        """Return a text that changes when a file is added, removed or written to."""
        digest = hashlib.sha256()
        for name, location in zip(self.names, self.locations):
            try:
                status = os.stat(location)
                facts = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
            except (OSError, ValueError):  # ValueError: a name that no file can have
                facts = name + "\0missing\n"
            digest.update(facts.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def contents(self) -> str:
        """Return a text that identifies a set of images by names and sizes, independent of place and time."""
        digest = hashlib.sha256(repr(os.path.getsize(self.path) if os.path.isfile(self.path) else None).encode())
        for name, location in zip(self.names, self.locations):
            size = None
            with suppress(OSError, ValueError):
                size = os.path.getsize(location) if isinstance(location, str) and os.path.isabs(location) else None
            digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def files(self) -> List[str]:
        """Return the paths of the files that hold the images, each once; none where there are no such files."""
        paths = [path for path in self.locations if isinstance(path, str) and os.path.isabs(path)]
        return list(OrderedDict.fromkeys(paths))

    def add(self, name: str, location: Any) -> bool:
        """Add a file, or count why it is ignored; return whether it was added as an image."""
        reason = reason_to_ignore(name)
        if name.rpartition("/")[2].lower() == LABELS_NAME and reason not in (SYSTEM_FILE, HIDDEN_FILE):
            self.label_files[name] = location
            return False
        if reason:
            self.ignored[reason] += 1
        else:
            self.names.append(name)
            self.locations.append(location)
        return not reason

    def is_foreign(self, name: str, problem: Any) -> bool:
        """Return whether a file that could not be read never claimed to be an image, such as LICENSE or Makefile."""
        return problem.kind == "not an image" and not os.path.splitext(name)[1]

    def sort(self) -> "Source":
        """Put the images in code-point order of their names; return this source."""
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        self.names = [self.names[i] for i in order]
        self.locations = [self.locations[i] for i in order]
        return self

    def first(self, count: int) -> "Source":
        """Return a source of the first `count` images alone."""
        if count >= len(self):
            return self
        part = object.__new__(type(self))  # not copy.copy, which drops what must stay in this process
        part.__dict__.update(self.__dict__)
        part.names, part.locations = self.names[:count], self.locations[:count]
        part.label_rows = None if self.label_rows is None else self.label_rows[:count]
        part.frames = None if self.frames is None else self.frames[:count]
        return part


class ArraySource(Source):
    """Images that are arrays already; a location is what `fetch` turns into uint8 [H, W, C]."""

    def __init__(
        self,
        path: FilePath,
        names: List[str],
        locations: List[Any],
        fetch: Callable,
        label_rows: Any = None,
        identity: str = "",
    ) -> None:
        super().__init__(str(path), names, locations, label_rows=label_rows, in_order=True)
        self._fetch, self._identity = fetch, identity

    def open(self, index: int) -> BinaryIO:
        """Return the image as a PPM, PGM or PNG file, which holds the same pixels."""
        return io.BytesIO(as_file(self._fetch(self.locations[index])))

    def fingerprint(self) -> str:
        return self._identity

    def contents(self) -> str:
        return self._identity

    def is_foreign(self, name: str, problem: Any) -> bool:
        return False


def as_file(pixels: np.ndarray) -> bytes:
    """Return uint8 [H, W, C] as an uncompressed image file: a PGM or PPM, or a PNG for 2 or 4 channels, alpha last."""
    height, width, channels = pixels.shape
    if channels in (1, 3):
        return f"P{6 if channels == 3 else 5} {width} {height} 255\n".encode() + np.ascontiguousarray(pixels).tobytes()
    bands = [Image.fromarray(np.ascontiguousarray(pixels[:, :, i])) for i in range(channels)]
    stream = io.BytesIO()
    Image.merge("LA" if channels == 2 else "RGBA", bands).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def gone_error(path: FilePath, error: OSError) -> UserError:
    """Return the UserError for an OSError that concerns the complete source."""
    return UserError(
        f"{path} cannot be reached: {error.strerror or error}",
        "a disk that stays connected until all images are read",
        "connect it again and run the same command; what was converted before is kept",
    )


def reason_to_ignore(name: str) -> Optional[str]:
    """Return why a file of this relative name is not an image of the user, None if it may be one."""
    parts = name.lower().split("/")
    if any(part in FOREIGN_FOLDERS for part in parts[:-1]) or parts[-1] in FOREIGN_NAMES:
        return SYSTEM_FILE
    if any(part.startswith(".") for part in parts):
        return HIDDEN_FILE
    if parts[-1].endswith(ARCHIVE_SUFFIXES):
        return ARCHIVE_REASON
    suffix = os.path.splitext(parts[-1])[1]
    if suffix and suffix not in IMAGE_SUFFIXES:
        return f"not an image by its name ({suffix})"
    return None
