"""PNG checks that Pillow lacks: it does not verify the checksums of pixel data, and refuses images with large text chunks."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, List, Optional, Sequence, Tuple

_SIGNATURE_BYTES = 8
_PACKED_TEXT = (b"zTXt", b"iTXt")
_MOST_TEXT_BYTES = 1 << 20  # Pillow's own limit for one text, beyond which it gives no image
_MOST_TEXTS_BYTES = 1 << 24  # for all of them, packed or not; Pillow's is 64 MB
_MOST_PROFILE_BYTES = 1 << 24
_BLOCK_BYTES = 1 << 20


@dataclass
class Examined:
    """What `examine` found: `damage` in words, the spans of chunks to leave out, and a colour profile among them."""

    damage: Optional[str] = None
    left_out: List[Tuple[int, int]] = field(default_factory=list)
    profile: Optional[bytes] = None


def examine(file: BinaryIO, to_end: bool) -> Examined:
    """Return an `Examined` for a binary file that begins as a PNG does; its position is at the start again.

    Args:
        file: Seekable.
        to_end: Read all and compare every checksum; False stops where the pixels begin.
    """
    found, texts_bytes = Examined(), 0
    position = file.seek(_SIGNATURE_BYTES)
    kind = b""
    while kind != b"IEND" and found.damage is None:
        head = file.read(8)
        if len(head) < 8:
            found.damage = "truncated before its last chunk"
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT" and not to_end:
            break
        is_text = kind in _PACKED_TEXT + (b"tEXt", b"iCCP")
        data, found.damage = _chunk(file, kind, length, position, is_text)
        if is_text and found.damage is None:
            texts_bytes += length
            profile = _unpacked(data, kind, _MOST_PROFILE_BYTES) if kind == b"iCCP" else b""
            is_large = texts_bytes > _MOST_TEXTS_BYTES or _unpacked(data, kind, _MOST_TEXT_BYTES) is None
            if is_large:
                found.left_out.append((position, position + length + 12))
                found.profile = profile or found.profile
        position += length + 12
    file.seek(0)
    return found


def _chunk(file, kind, length, position, is_kept):
    """Read a chunk's content; return (bytes if it is to be kept, what is wrong or None)."""
    name = kind.decode("ascii") if kind.isalpha() else repr(kind)
    crc, blocks, left = zlib.crc32(kind), [], length
    while left:
        block = file.read(min(left, _BLOCK_BYTES))
        if not block:
            return b"", f"truncated in its {name} chunk at byte {position}"
        crc, left = zlib.crc32(block, crc), left - len(block)
        if is_kept and length <= _MOST_TEXTS_BYTES:
            blocks.append(block)
    stored = file.read(4)
    if len(stored) < 4:
        return b"", f"truncated in its {name} chunk at byte {position}"
    wrong = stored != struct.pack(">I", crc)
    return b"".join(blocks), f"the checksum of its {name} chunk at byte {position} does not match" if wrong else None


def _unpacked(data, kind, most_bytes):
    """Return what a chunk of text or profile unpacks to, None if that is more; what cannot be unpacked is left to Pillow."""
    packed = data.split(b"\0", 1)[-1][1:]  # behind a keyword and the method
    if kind == b"iTXt":
        flag, packed = data.split(b"\0", 1)[-1][:1], data.split(b"\0", 4)[-1]
        packed = packed if flag == b"\1" else b""
    if kind == b"tEXt" or not packed:
        return data
    try:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, most_bytes)
        return None if unpacker.unconsumed_tail else unpacked
    except zlib.error:
        return data


def without(file: BinaryIO, spans: Sequence[Tuple[int, int]]) -> BinaryIO:
    """Return a copy of a file without some spans of its bytes."""
    data, parts, position = file.read(), [], 0
    for start, end in spans:
        parts.append(data[position:start])
        position = end
    return io.BytesIO(b"".join(parts) + data[position:])
