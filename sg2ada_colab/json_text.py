"""JSON whoever wrote it: decoded from any Unicode encoding, parsed within limits of size and depth."""

import codecs
import json
from typing import Any, Union

import numpy as np

MOST_BYTES = 1 << 28
MOST_DEPTH = 64
_MOST_DIGITS = 1000  # of an integer; Python needs time in the square of them
# Longest first: the mark of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class BadJson(ValueError):
    """Not JSON, or more of it than is read; the message is one line for people."""


def decode_text(data: bytes) -> str:
    """Return the text in some bytes: UTF-8, UTF-16 or UTF-32 with a byte order mark, or UTF-8 without.

    UTF-16 without a mark is known by the zero in the first character, which is ASCII in JSON and in nearly every table.

    Raises:
        BadJson: The bytes are not text in that encoding.
    """
    mark, encoding = next((known for known in _MARKS if data.startswith(known[0])), (b"", "utf-8"))
    if not mark and b"\0" in data[:2]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    data = data[len(mark) :]
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadJson(f"it is not {encoding.upper()} text at byte {error.start}") from error


def depth_of(text: str) -> int:
    """Return how deep the brackets of a JSON text nest; those inside its strings do not count."""
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    steps = np.frombuffer(outside.encode("utf-8", "replace"), np.uint8)
    steps = ((steps == ord("[")) | (steps == ord("{"))).astype(np.int8) - ((steps == ord("]")) | (steps == ord("}")))
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _whole_number(digits):
    if len(digits) > _MOST_DIGITS:
        raise BadJson(f"it holds a number of {len(digits)} digits")
    return int(digits)


def parse_json(data: Union[bytes, str], most_bytes: int = MOST_BYTES, most_depth: int = MOST_DEPTH) -> Any:
    """Return the objects that a JSON text stands for, as `json.loads` does.

    Args:
        data: Bytes in any Unicode encoding, or a str.
        most_bytes: More are refused.
        most_depth: Lists and objects that nest deeper are refused.

    Raises:
        BadJson: Not JSON, or over a limit.
    """
    if len(data) > most_bytes:
        raise BadJson(f"it has {len(data)} bytes; the limit is {most_bytes}")
    text = data if isinstance(data, str) else decode_text(data)
    depth = depth_of(text)
    if depth > most_depth:
        raise BadJson(f"its brackets nest {depth} deep; the limit is {most_depth}")
    try:
        return json.loads(text.lstrip("\ufeff"), parse_int=_whole_number)
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(" ".join(str(error).split())) from error
