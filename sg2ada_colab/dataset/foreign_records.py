"""TFRecords that other programs wrote, as a source of images: encoded, compressed, in shards, rectangular, with alpha."""

import gzip
import io
import os
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Dict, List

import numpy as np

from ..errors import UserError
from ..files import FilePath, open_plain
from ..images.archives import unpacked_copy
from ..images.read import UnreadableImage, is_image
from ..images.source import Source, as_file
from ..words import shown
from .reading import VALIDATION_PREFIX, read_labels
from .record_file import compression_of, is_record_name
from .records import FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, example_features, feature_bytes, feature_integers, masked_crc

_LEVEL = re.compile(r"-r(\d\d)\.tfrecords?$")
_MOST_PAYLOAD_BYTES = 1 << 30
# Which field holds the image: raw-format forks, TFDS and the TensorFlow models, the tutorials; then any other field of bytes.
_IMAGE_FIELDS = (b"img", b"image/encoded", b"image", b"image_raw", b"data")
_LABEL_FIELDS = (b"label", b"image/class/label", b"class", b"image/class/text")
_SIZE_FIELDS = ((b"height", b"image/height"), (b"width", b"image/width"), (b"depth", b"channels", b"image/channels"))


@dataclass
class RecordsSource(Source):
    """Images in TFRecords; a location is (number of the file, offset of the record, bytes of its payload)."""

    plain_paths: List[str] = field(default_factory=list)  # the files themselves, or their uncompressed copies
    keepers: List[Any] = field(default_factory=list, repr=False)  # delete those copies once they are no longer used
    facts: str = ""

    def open_at(self, location: Any) -> BinaryIO:
        return io.BytesIO(image_file(self.payload(location)))

    def payload(self, location: Any) -> Any:
        """Return a record's payload; raises UnreadableImage where it does not match its checksum."""
        number, offset, length = location
        with open_plain(self.plain_paths[number]) as file:
            file.seek(offset + FRAME_HEAD_BYTES)
            payload, checksum = file.read(length), file.read(FRAME_TAIL_BYTES)
        if masked_crc(payload) != checksum:
            raise UnreadableImage("damaged", f"its record at byte {offset} does not match its checksum")
        return payload

    def fingerprint(self) -> str:
        return self.facts

    def is_foreign(self, name: str, problem: Any) -> bool:
        return False

    def __getstate__(self) -> Dict[str, Any]:
        return dict(self.__dict__, keepers=[])


def image_file(payload: Any) -> bytes:
    """Return the bytes of an image file for a serialised Example: those in it, or its pixels as a PPM, PGM or PNG.

    Raises:
        UnreadableImage: Not an Example, or none with an image.
    """
    try:
        features = example_features(payload)
        contents = {name: feature_bytes(payload, feature) for name, feature in features.items() if feature[0] == 1}
        ordered = [name for name in _IMAGE_FIELDS if name in contents] + sorted(set(contents) - set(_IMAGE_FIELDS))
        encoded = next((contents[name] for name in ordered if is_image(contents[name][:64])), None)
        if encoded is not None:
            return bytes(encoded)
        pixels = _pixels(payload, features, [contents[name] for name in ordered])
    except ValueError as error:
        raise UnreadableImage("damaged", f"its record is not an Example ({error})") from error
    if pixels is None:
        listed = shown(", ".join(sorted(name.decode("utf-8", "replace") for name in features)))
        raise UnreadableImage("not an image", f"no field of its record holds an image (it has {listed or 'none'})")
    return _as_file(pixels)


def _pixels(payload, features, contents):
    """Return raw pixels as uint8 [H, W, C] from `shape` (C, H, W), or from height, width and depth; None without."""
    integers = {name: feature_integers(payload, feature) for name, feature in features.items() if feature[0] == 3}
    shape = integers.get(b"shape", [])
    sides = [next((integers[name][0] for name in names if integers.get(name)), None) for names in _SIZE_FIELDS]
    for content in contents:
        if len(shape) == 3 and min(shape) > 0 and shape[0] * shape[1] * shape[2] == len(content):
            return np.frombuffer(content, np.uint8).reshape(shape).transpose(1, 2, 0)
        if sides[0] and sides[1] and len(content) == sides[0] * sides[1] * (sides[2] or 3):
            return np.frombuffer(content, np.uint8).reshape(sides[0], sides[1], sides[2] or 3)
    return None


def _as_file(pixels):
    if pixels.shape[2] not in (1, 2, 3, 4):
        raise UnreadableImage("not an image", f"its record holds {pixels.shape[2]} channels")
    return as_file(pixels)


def foreign_source(path: FilePath) -> Source:
    """Return the `Source` of the images in a folder of TFRecords, or in one file; of several levels the largest.

    Raises:
        UserError: A file that breaks off, or holds no records.
    """
    path = Path(path)
    source = RecordsSource(str(path), in_order=True)
    for file in [path] if path.is_file() else _chosen(path):
        _add_records(source, file)
    source.names = [f"{i:08d}" for i in range(len(source.locations))]
    labels = None if path.is_file() else read_labels(path, len(source))
    if labels is not None:
        source.label_rows = labels
    elif len(source):
        source.label_values = _label_values(source)
    return source


def _chosen(folder):
    """Return the files of a folder's training set in the order of their names; where they are levels, the largest alone."""
    names = sorted(entry.name for entry in folder.iterdir() if is_record_name(entry.name) and entry.is_file())
    names = [name for name in names if not name.startswith(VALIDATION_PREFIX)]
    levels = [match for match in map(_LEVEL.search, names) if match]
    if names and len(levels) == len(names):
        largest = max(int(level.group(1)) for level in levels)
        names = [name for name, level in zip(names, levels) if int(level.group(1)) == largest]
    return [folder / name for name in names]


def _add_records(source, path):
    """Add the records of one file to a source."""
    plain_path, keeper = _uncompressed(path)
    number = len(source.plain_paths)
    source.plain_paths.append(plain_path)
    source.keepers.append(keeper)
    status = os.stat(str(path))
    source.facts += f"{path.name} {status.st_size} {status.st_mtime_ns}\n"
    size, offset = os.path.getsize(plain_path), 0
    with open_plain(plain_path) as file:
        while offset < size:
            file.seek(offset)
            head = file.read(FRAME_HEAD_BYTES)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == FRAME_HEAD_BYTES else None
            if length is None or masked_crc(head[:8]) != head[8:]:
                raise _damaged(path, f"breaks off, or is damaged, at byte {offset}")
            following = offset + FRAME_HEAD_BYTES + length + FRAME_TAIL_BYTES
            if length > _MOST_PAYLOAD_BYTES or following > size:
                raise _damaged(path, f"breaks off in the record at byte {offset}")
            source.locations.append((number, offset, length))
            offset = following


def _damaged(path, what):
    return UserError(f"{path} {what}", "complete TFRecords", "copy or download the file again")


def _uncompressed(path):
    """Return (path of a plain file of records, object that keeps it on disk); one that is compressed is unpacked first."""
    with open_plain(path) as file:
        kind = compression_of(file.read(FRAME_HEAD_BYTES))
    if kind is None:
        return str(path), None
    try:
        if kind == "gzip":
            with gzip.open(str(path), "rb") as packed:
                keeper = unpacked_copy(iter(lambda: packed.read(1 << 22), b""), path, ".tfrecords")
        else:
            with open_plain(path) as packed:
                keeper = unpacked_copy(_inflated(packed), path, ".tfrecords")
    except (EOFError, OSError, zlib.error) as error:
        if getattr(error, "errno", None):
            raise
        raise _damaged(path, f"cannot be unpacked: {error}") from error
    return keeper.name, keeper


def _inflated(packed):
    """Yield what a file compressed with zlib holds."""
    unpacker = zlib.decompressobj()
    for block in iter(lambda: packed.read(1 << 20), b""):
        yield unpacker.decompress(block)
    yield unpacker.flush()
    if not unpacker.eof:
        raise EOFError("it ends before its last block")


def _label_values(source):
    """Return the label of every record, None where the first has none that is known."""
    try:
        first = _label(source.payload(source.locations[0]))
        return None if first is None else [first] + [_label(source.payload(location)) for location in source.locations[1:]]
    except (UnreadableImage, ValueError):
        return None  # reported when its image is read


def _label(payload):
    features = example_features(payload)
    for name in _LABEL_FIELDS:
        kind = features.get(name, (None,))[0]
        if kind == 3:
            values = feature_integers(payload, features[name])
            return values[0] if len(values) == 1 else values or None
        if kind == 1 and not is_image(bytes(feature_bytes(payload, features[name])[:64])):
            return bytes(feature_bytes(payload, features[name])).decode("utf-8", "replace")
    return None
