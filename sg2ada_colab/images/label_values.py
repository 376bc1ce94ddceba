"""Label values as files hold them -> the matrix that a network is given: class numbers, class names, numbers, vectors."""

import re
import unicodedata
from decimal import Decimal
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..words import shown, size_text

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$")
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?$")
_LARGEST = float(np.finfo(np.float32).max)
_MOST_SHOWN = 24
_MOST_MATRIX_BYTES = 2 << 30


def bad_file(path: FilePath, what: str) -> UserError:
    """Return the UserError for a label file that cannot be used."""
    return UserError(
        f"the label file {path} {what}",
        'CSV lines "name,class" or "name,number,number ...", or JSON {"labels": [[name, class], ...]}, in UTF-8 or UTF-16',
        "fix the file, or leave it out with --labels none",
    )


def is_number(text: str) -> bool:
    """Return whether a text is a decimal number, with or without an exponent."""
    return bool(_NUMBER.match(text))


def short(value: Any) -> str:
    """Return a value in at most about 24 characters, for messages."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 8]}... ({len(text)} characters)"


def label_matrix(names: Sequence[str], values: Sequence[Any], origin: str) -> Tuple[np.ndarray, Optional[List[str]]]:
    """Return (float32 [N, L], class names or None) of label values that are all of one kind.

    Integers, such as 3 or 3.0, are class numbers; numbers of which any has a fraction are a label of one component. A list is a
    vector, one of a single number, too. Texts are names of classes, in the order of their numbers where all are numbers.

    Args:
        names: Of the images.
        values: One for each.
        origin: Where they come from, for messages.

    Raises:
        UserError: Mixed kinds or lengths, values that float32 does not hold, class numbers that cannot be meant.
    """
    kinds = [_kind(value) for value in values]
    for name, kind, value in zip(map(shown, names), kinds, values):
        if kind is None:
            raise bad_file(origin, f"has for {name} the label {short(value)}, which is not a class, number or list of numbers")
        if kind != kinds[0]:
            raise bad_file(origin, f"mixes kinds or lengths of labels: {kinds[0]} for {shown(names[0])}, {kind} for {name}")
    if kinds[0] == "a name":
        return _named_classes(values, origin)
    for name, value in zip(names, values):
        for number in value if isinstance(value, list) else [value]:
            if not abs(number) <= _LARGEST:  # so that NaN is refused, too
                raise bad_file(origin, f"has for {shown(name)} the value {short(number)}; a label holds up to {_LARGEST:.1e}")
    if kinds[0] == "a number":
        if all(number == int(number) for number in values):
            return _numbered_classes(names, [int(number) for number in values], origin), None
        values = [[number] for number in values]
    return np.array([[float(number) for number in value] for value in values], np.float32), None


def _kind(value):
    """Return the kind of a label value; None where it is not one."""
    if isinstance(value, str):
        return "a name"
    if _is_real(value):
        return None if isinstance(value, bool) else "a number"
    if isinstance(value, list) and value and all(map(_is_real, value)):
        return f"a list of {len(value)}"
    return None


def _is_real(value):
    return isinstance(value, (int, float))


def _numbered_classes(names, numbers, origin):
    lowest, highest = min(numbers), max(numbers)
    if lowest < 0:
        raise bad_file(origin, f"has the class number {lowest} for {shown(names[numbers.index(lowest)])}; classes count from 0")
    if highest >= len(numbers):
        named = f"the class number {short(highest)} for {shown(names[numbers.index(highest)])}"
        raise bad_file(origin, f"has {named}, but there are only {len(numbers)} images: more classes than images")
    return _one_hot(np.array(numbers), origin)


def _named_classes(values, origin):
    values = [unicodedata.normalize("NFC", value) for value in values]
    classes = sorted(set(values))
    if all(_DECIMAL.match(name) for name in classes):
        classes.sort(key=lambda name: (Decimal(name), name))
    number = {name: i for i, name in enumerate(classes)}
    return _one_hot(np.array([number[value] for value in values]), origin), classes


def _one_hot(numbers, origin):
    classes = int(numbers.max()) + 1
    size_bytes = 4 * len(numbers) * classes
    if size_bytes > _MOST_MATRIX_BYTES:
        raise bad_file(origin, f"has {classes} classes for {len(numbers)} images, which takes {size_text(size_bytes)}")
    rows = np.zeros((len(numbers), classes), np.float32)
    rows[np.arange(len(numbers)), numbers] = 1
    return rows
