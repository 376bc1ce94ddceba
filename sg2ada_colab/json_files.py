"""JSON files of ours, read back: within limits, and only where every value has the type that the reader expects."""

import errno
import json
from typing import Any, Union

from .files import FilePath, read_plain
from .json_text import BadJson, parse_json

MOST_BYTES = 1 << 24  # the largest of them lists the snapshots of a run, at a few hundred bytes each
MOST_DEPTH = 32
ANY = object
_WORDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text", list: "a list", dict: "an object"}


class Maybe:
    """In a shape: the value of this shape, or null, or no such name at all."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


def read_json(path: FilePath, shape: Any = ANY) -> Any:
    """Return the content of a JSON file of ours, whose values have the types of `shape`; see `check_shape`.

    Raises:
        BadJson: It is something else; the message is the end of a sentence about the file.
        OSError: The file system fails, or there is no such file.
    """
    try:
        content = read_plain(path, MOST_BYTES)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise BadJson("is not a plain file") from error
        raise
    return parse_shape(content, shape)


def parse_shape(data: Union[bytes, str], shape: Any = ANY) -> Any:
    """Return what a JSON text (bytes or str) stands for; raise BadJson, with a sentence's end, as `read_json` does."""
    try:
        content = parse_json(data, MOST_BYTES, MOST_DEPTH)
    except BadJson as error:
        raise BadJson(f"is damaged ({error})") from error
    check_shape(content, shape)
    return content


def is_number(value: Any) -> bool:
    """Return whether a parsed value is a finite number, which NaN and true are not."""
    return type(value) in (int, float) and abs(value) < 1e300


def check_shape(value: Any, shape: Any, where: str = "it") -> None:
    """Raise BadJson, with a sentence's end, where a parsed value is not of a shape.

    A shape is written as the value would be: `int`, `float` (finite; an integer is one, too), `str`, `bool`, `list`, `dict`,
    ANY; `[shape]` is a list of such; `(shape, shape)` a list of exactly these; `{str: shape}` an object of such values;
    `{"name": shape}` an object that has at least these names, but for those with `Maybe(shape)`.
    """
    if isinstance(shape, Maybe):
        if value is not None:
            check_shape(value, shape.shape, where)
    elif isinstance(shape, list):
        _check_type(value, list, where)
        for number, one in enumerate(value):
            check_shape(one, shape[0], f"{where}[{number}]")
    elif isinstance(shape, tuple):
        _check_type(value, list, where)
        if len(value) != len(shape):
            raise BadJson(f"is damaged ({where} has {len(value)} values, not {len(shape)})")
        for number, one in enumerate(value):
            check_shape(one, shape[number], f"{where}[{number}]")
    elif isinstance(shape, dict):
        _check_type(value, dict, where)
        _check_names(value, shape, where)
    else:
        _check_type(value, shape, where)


def _check_names(value, shape, where):
    if str in shape:
        for name, one in value.items():
            _check_type(name, str, "a name")
            check_shape(one, shape[str], f"{where}[{json.dumps(name[:40])}]")
        return
    for name, of_name in shape.items():
        if name not in value and not isinstance(of_name, Maybe):
            raise BadJson(f"is damaged ({where} has no {json.dumps(name)})")
        check_shape(value.get(name), of_name, name if where == "it" else f"{where}.{name}")


def _check_type(value, kind, where):
    if kind is ANY:
        return
    if kind is float:
        fits = is_number(value)
    elif kind is str:
        fits = type(value) is str and not any("\ud800" <= character <= "\udfff" for character in value)
    else:
        fits = type(value) is kind
    if not fits:
        raise BadJson(f"is damaged ({where} is not {_WORDS[kind]})")
