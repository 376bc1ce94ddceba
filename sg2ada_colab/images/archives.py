"""Images inside zip and tar archives, read in place: nothing is ever written to a path that an archive names."""

import bz2
import contextlib
import copy
import errno
import gzip
import io
import lzma
import os
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Dict, Iterable, List

from ..files import FilePath

try:
    import inflate64
except ImportError:  # then archives packed with Deflate64 are refused, with the reason
    inflate64 = None  # type: ignore[assignment]

from ..errors import UserError
from ..words import counted
from .source import DISK_FAILS, DISK_GONE, TAR_SUFFIXES, Source

_MOST_MEMBER_BYTES = 1 << 30  # one image file larger than this is an attack or a mistake
_DEFLATE64 = 9
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, struct.error, ValueError)


@contextlib.contextmanager
def _reporting_damage(path):
    try:
        yield
    except UserError:
        raise
    except _DAMAGE + (NotImplementedError, UnicodeError, RuntimeError, OverflowError, KeyError) as error:
        raise UserError(
            f"the archive {path} cannot be read: {error or type(error).__name__}",
            "a complete zip or tar file",
            "download or upload it again, or unpack it and give the folder",
        ) from error


def _check_name(path, name):
    """Return a member's plain name; refuse archives with paths that lead outside: they are attacks."""
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    if name.startswith("/") or ".." in name.split("/") or name[1:3] == ":/" or "\0" in name:
        raise UserError(
            f"the archive {path} holds the unsafe path {name!r}",
            "paths inside the archive's own folder",
            "do not trust this archive; if it is yours, pack it again without absolute paths and '..'",
        )
    return name


_opened = threading.local()  # the zip file opened last by this thread or process; a zip file cannot be shared


class ZipSource(Source):
    """Images in a zip archive; a location is the member's name in it."""

    def open_at(self, location: Any) -> BinaryIO:
        if getattr(_opened, "source", None) is not self or _opened.process != os.getpid():
            _opened.zip = zipfile.ZipFile(self.path)
            _opened.source, _opened.process = self, os.getpid()
        try:
            return io.BytesIO(_member(_opened.zip, location))
        except _DAMAGE + (RuntimeError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno in DISK_GONE + DISK_FAILS:
                raise
            raise OSError(f"{str(error) or type(error).__name__} in the archive") from error

    def fingerprint(self) -> str:
        return _file_facts(self.path)

    def files(self) -> List[str]:
        return [self.path]


@dataclass
class TarSource(Source):
    """Images in a tar archive; a location is (offset, size) in the uncompressed file."""

    plain_path: str = ""  # the archive itself, or its uncompressed copy
    keeper: Any = field(default=None, repr=False)  # deletes that copy once it is no longer used

    def open_at(self, location: Any) -> BinaryIO:
        offset, size = location
        with open(self.plain_path, "rb") as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def fingerprint(self) -> str:
        return _file_facts(self.path)

    def files(self) -> List[str]:
        return [self.path]

    def __getstate__(self) -> Dict[str, Any]:
        return dict(self.__dict__, keeper=None)


def _file_facts(path):
    status = os.stat(path)
    return f"{status.st_size} {status.st_mtime_ns}"


def archive_source(path: FilePath) -> Source:
    """Return the images in a zip or tar archive.

    Raises:
        UserError: Damaged, or with paths that lead outside.
    """
    with _reporting_damage(path):
        return _tar_source(path) if str(path).lower().endswith(TAR_SUFFIXES) else _zip_source(path)


def _zip_source(path):
    source = ZipSource(str(path), in_order=True)
    unread: Counter[int] = Counter()
    with zipfile.ZipFile(str(path)) as archive:
        for info in archive.infolist():
            name = _check_name(path, info.filename)
            if name.endswith("/"):
                continue
            if info.flag_bits & 1:
                source.ignored["encrypted"] += 1
            elif info.file_size > _MOST_MEMBER_BYTES:
                source.ignored["over 1 GB"] += 1
            elif source.add(name, info.filename) and info.compress_type not in _READ_METHODS:
                unread[info.compress_type] += 1
    for method, count in unread.items():
        if method != _DEFLATE64 or inflate64 is None:
            raise _method_error(path, method, count)
    return source.sort()


def _method_error(path, method, count):
    """Return the UserError for members that are packed in a way that Python's zipfile does not know."""
    what = f"{counted(count, 'image', 'images')} in the archive {path} "
    unpack = "unpack it and give the folder, or pack it again as an ordinary zip"
    if method == _DEFLATE64:
        return UserError(
            what + "packed with Deflate64, as Windows packs folders of over 2 GB",
            "Deflate, which every program reads, or the package inflate64",
            "pip install inflate64 and run this again; or " + unpack,
        )
    return UserError(what + f"packed with the zip method {method}", "stored, Deflate, bzip2 or LZMA", unpack)


def _member(archive, name):
    """Return the bytes of a member of an opened zip file, whose CRC is checked."""
    info = archive.getinfo(name)
    if info.compress_type != _DEFLATE64:
        return archive.read(info)
    # zipfile finds the packed bytes, as of a member that is stored, and leaves their CRC alone.
    stored = copy.copy(info)
    stored.compress_type, stored.file_size, stored.CRC = zipfile.ZIP_STORED, info.compress_size, None
    inflater, data = inflate64.Inflater(), bytearray()
    with archive.open(stored) as file:
        while len(data) <= info.file_size:
            packed = file.read(1 << 20)
            if not packed:
                break
            data += inflater.inflate(packed)
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {name!r}")
    return bytes(data)


@dataclass
class JoinedSource(Source):
    """Images of several archives; a location is (number of the archive, location in it)."""

    parts: List[Source] = field(default_factory=list)

    def open_at(self, location: Any) -> BinaryIO:
        part, inside = location
        return self.parts[part].open_at(inside)

    def fingerprint(self) -> str:
        return " ".join(part.fingerprint() for part in self.parts)

    def contents(self) -> str:
        return " ".join(part.contents() for part in self.parts)

    def files(self) -> List[str]:
        return [path for part in self.parts for path in part.files()]


def joined(found: Any, parts: Any) -> Source:
    """Return the images of several archives as one source.

    Args:
        found: The `Source` of the folder in which they lie, which holds no images itself.
        parts: [(name without suffix, Source)]. The names become folders only where two archives hold images of one name: the
            parts of one download continue each other's folders.
    """
    source = JoinedSource(found.path, ignored=found.ignored, in_order=True, parts=[part for _, part in parts])
    names = [name for _, part in parts for name in part.names + list(part.label_files)]
    is_unique = len(set(names)) == len(names)
    for number, (stem, part) in enumerate(parts):
        prefix = "" if is_unique else stem + "/"
        for name, location in zip(part.names, part.locations):
            source.names.append(prefix + name)
            source.locations.append((number, location))
        source.label_files.update({prefix + name: (number, location) for name, location in part.label_files.items()})
        source.ignored.update(part.ignored)
    source.label_files.update(found.label_files)
    return source.sort()


def _tar_source(path):
    plain_path, keeper = _uncompressed(path)
    source = TarSource(str(path), in_order=True, plain_path=plain_path, keeper=keeper)
    with tarfile.open(plain_path, "r:") as archive:
        for info in archive:
            name = _check_name(path, info.name)
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                source.ignored["link or special file in the archive"] += 1
            elif info.size > _MOST_MEMBER_BYTES:
                source.ignored["over 1 GB"] += 1
            else:
                source.add(name, (info.offset_data, info.size))
    return source.sort()


def _uncompressed(path):
    """Return (path of a plain tar file, object that keeps it on disk); one that is compressed is unpacked first."""
    opener: Any = {"gz": gzip.open, "tgz": gzip.open, "bz2": bz2.open, "tbz2": bz2.open, "xz": lzma.open, "txz": lzma.open}.get(
        str(path).lower().rsplit(".", 1)[-1]
    )
    if opener is None:
        return str(path), None
    with opener(str(path), "rb") as packed:
        keeper = unpacked_copy(iter(lambda: packed.read(1 << 22), b""), path, ".tar")
    return keeper.name, keeper


def unpacked_copy(blocks: Iterable[bytes], path: FilePath, suffix: str) -> Any:
    """Return an open temporary file with these blocks of bytes, which is deleted once it is no longer referenced.

    Raises:
        UserError: The disk of temporary files is full.
    """
    keeper = tempfile.NamedTemporaryFile(suffix=suffix)  # noqa: SIM115 - lives as long as the source
    try:
        for block in blocks:
            keeper.write(block)
        keeper.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise UserError(
            f"{path} needs more disk space unpacked than {tempfile.gettempdir()} has: {error.strerror}",
            "enough disk space for temporary files",
            "free some, set TMPDIR to another folder, or unpack it yourself",
        ) from error
    return keeper
