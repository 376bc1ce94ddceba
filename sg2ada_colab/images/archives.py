"""Images inside zip and tar archives, read in place: nothing is ever written to a path that an archive names."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from .source import DISK_FAILS, DISK_GONE, LABELS_NAME, Source

_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = (".zip",) + _TAR_SUFFIXES
_MOST_MEMBER_BYTES = 1 << 30  # one image file larger than this is an attack or a mistake
_MOST_LABEL_BYTES = 1 << 28
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, struct.error, ValueError)


@contextlib.contextmanager
def _reporting_damage(path):
    try:
        yield
    except UserError:
        raise
    except _DAMAGE + (NotImplementedError, UnicodeError, RuntimeError, OverflowError, KeyError) as error:
        raise UserError(
            "the archive {} cannot be read: {}".format(path, error or type(error).__name__),
            "a whole zip or tar file",
            "download or upload it again, or unpack it and give the folder",
        ) from error


def _check_name(path, name):
    """Refuse archives that try to reach outside; nothing is unpacked here, but they are not what they seem."""
    name = name.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:3] == ":/" or "\0" in name:
        raise UserError(
            "the archive {} holds the unsafe path {!r}".format(path, name),
            "paths inside the archive's own folder",
            "do not trust this archive; if it is yours, pack it again without absolute paths and '..'",
        )
    return name


_opened = threading.local()  # the zip file opened last by this thread or process; a zip file cannot be shared


class ZipSource(Source):
    """Images in a zip archive; a location is the member's name in it."""

    def open(self, index):
        if getattr(_opened, "source", None) is not self or _opened.process != os.getpid():
            _opened.zip = zipfile.ZipFile(self.path)
            _opened.source, _opened.process = self, os.getpid()
        try:
            return io.BytesIO(_opened.zip.read(self.locations[index]))
        except _DAMAGE + (RuntimeError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno in DISK_GONE + DISK_FAILS:
                raise
            raise OSError("{} in the archive".format(str(error) or type(error).__name__)) from error

    def fingerprint(self):
        return _file_facts(self.path)


@dataclass
class TarSource(Source):
    """Images in a tar archive; a location is (offset, size) in the uncompressed file."""

    plain_path: str = ""  # the archive itself, or its uncompressed copy
    keeper: Any = field(default=None, repr=False)  # deletes that copy when nobody needs it any more

    def open(self, index):
        offset, size = self.locations[index]
        with open(self.plain_path, "rb") as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def fingerprint(self):
        return _file_facts(self.path)

    def __getstate__(self):
        return dict(self.__dict__, keeper=None)


def _file_facts(path):
    status = os.stat(path)
    return "{} {}".format(status.st_size, status.st_mtime_ns)


def archive_source(path):
    """Return the images in a zip or tar archive.

    Raises:
        UserError: Damaged, or with paths that lead outside.
    """
    with _reporting_damage(path):
        return _tar_source(path) if str(path).lower().endswith(_TAR_SUFFIXES) else _zip_source(path)


def _zip_source(path):
    source = ZipSource(str(path), in_order=True)
    with zipfile.ZipFile(str(path)) as archive:
        for info in archive.infolist():
            name = _check_name(path, info.filename)
            if name.endswith("/"):
                continue
            if name == LABELS_NAME and info.file_size <= _MOST_LABEL_BYTES:
                source.own_labels = archive.read(info).decode("utf-8", "replace")
            elif info.flag_bits & 1:
                source.ignored["encrypted"] += 1
            elif info.file_size > _MOST_MEMBER_BYTES:
                source.ignored["over 1 GB"] += 1
            else:
                source.add(name, info.filename)
    return source.sort()


def _tar_source(path):
    plain_path, keeper = _uncompressed(path)
    source = TarSource(str(path), in_order=True, plain_path=plain_path, keeper=keeper)
    with tarfile.open(plain_path, "r:") as archive:
        for info in archive:
            name = _check_name(path, info.name)
            name = name[2:] if name.startswith("./") else name
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                source.ignored["link or special file in the archive"] += 1
            elif name == LABELS_NAME and info.size <= _MOST_LABEL_BYTES:
                source.own_labels = archive.extractfile(info).read().decode("utf-8", "replace")
            elif info.size > _MOST_MEMBER_BYTES:
                source.ignored["over 1 GB"] += 1
            else:
                source.add(name, (info.offset_data, info.size))
    return source.sort()


def _uncompressed(path):
    """Return (path of a plain tar file, what keeps it); a compressed one is copied uncompressed to a temporary file."""
    opener = {"gz": gzip.open, "tgz": gzip.open, "bz2": bz2.open, "tbz2": bz2.open, "xz": lzma.open, "txz": lzma.open}.get(
        str(path).lower().rsplit(".", 1)[-1]
    )
    if opener is None:
        return str(path), None
    keeper = tempfile.NamedTemporaryFile(suffix=".tar")  # noqa: SIM115 - lives as long as the source
    with opener(str(path), "rb") as packed:
        shutil.copyfileobj(packed, keeper, 1 << 22)
    keeper.flush()
    return keeper.name, keeper
