"""Class labels and label vectors for images: from sub-folders, from dataset.json, from a CSV file."""

import csv
import io
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..files import read_plain
from ..json_text import MOST_BYTES, BadJson, decode_text, parse_json
from ..words import counted, shown
from .label_values import bad_file, is_number, label_matrix, short
from .source import Source

_WHOLE = re.compile(r"[+-]?[0-9]{1,1000}$")


@dataclass
class Labels:
    """Labels of a source.

    Attributes:
        rows: float32 [number of images in the source, L].
        classes: Names of the L components, None where they have none.
        origin: Where they come from, for messages.
    """

    rows: np.ndarray
    classes: Optional[List[str]]
    origin: str


def find_labels(source: Source, how: str) -> Optional[Labels]:
    """Return the `Labels` of a source's images, None without.

    Args:
        source: A `Source`.
        how: "none"; "auto" (what the source brings along); "folders" (each image's folder is its class); or the path of a CSV
            (name, then one class or several numbers) or of a JSON file like stylegan2-ada-pytorch's dataset.json.

    Raises:
        UserError: No such file, unreadable, images without a label, labels without an image.
    """
    if how == "none":
        return None
    if how == "folders":
        table, origin = {name: os.path.dirname(name) or None for name in source.names}, "the sub-folders of " + source.path
        if not any(table.values()):
            raise UserError(
                f"{source.path} has no sub-folders to take classes from",
                "one sub-folder for each class",
                "sort the images into sub-folders, or leave out --labels folders",
            )
    elif how == "auto":
        if source.label_rows is not None:
            return Labels(source.label_rows, None, source.path)
        if source.label_values is not None:
            return Labels(*label_matrix(source.names, source.label_values, source.path), source.path)
        name = source.label_file()
        if name is None:
            return None
        table, origin = _from_json(_own_file(source, name), f"{source.path}/{name}"), f"{name} in {source.path}"
        if table is None:
            return None
        table = _below(name.rpartition("/")[0], table, source.names)
    else:
        table, origin = _from_file(Path(how)), str(how)
    return _joined(source, table, origin)


def _own_file(source, name):
    """Return the bytes of a label file that lies among the images, at most a few more than are read of one."""
    try:
        with source.open_at(source.label_files[name]) as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise bad_file(f"{source.path}/{name}", f"cannot be read: {error.strerror or error}") from error


def _below(folder, table, names):
    """Return the table with names as the images have them: in the file they are relative to its own folder."""
    if not folder or not {f"{folder}/{name}" for name in table} & set(names):
        return table
    return {f"{folder}/{name}": value for name, value in table.items()}


def _from_file(path):
    try:
        data = read_plain(path, MOST_BYTES)
    except OSError as error:
        raise bad_file(path, f"cannot be read: {error.strerror or error}") from error
    if path.suffix.lower() == ".json":
        table = _from_json(data, path)
        if table is None:
            raise bad_file(path, "holds no labels")
        return table
    if len(data) > MOST_BYTES:
        raise bad_file(path, f"has over {MOST_BYTES} bytes")
    try:
        return _from_csv(decode_text(data), path)
    except (BadJson, csv.Error) as error:
        raise bad_file(path, f"cannot be read: {error}") from error


def _from_json(data, path):
    """Return {name: value} of a dataset.json, None where its labels are null."""
    try:
        entries = parse_json(data)["labels"]
        if entries is None:
            return None
        pairs = list(entries.items()) if isinstance(entries, dict) else [(name, value) for name, value in entries]
    except BadJson as error:
        raise bad_file(path, f"cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise bad_file(path, "is not as expected ({})".format(" ".join(repr(error).split())[:120])) from error
    return _table(pairs, path)


def _from_csv(text, path):
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if rows and rows[0][0].lower() in ("name", "file", "filename", "image", "path"):
        rows = rows[1:]
    if not rows or any(len(row) < 2 for row in rows):
        raise bad_file(path, "has no lines" if not rows else "has a line without a label")
    try:
        pairs: List[Tuple[str, Any]] = [(row[0], row[1] if len(row) == 2 else [float(cell) for cell in row[1:]]) for row in rows]
    except ValueError as error:
        raise bad_file(path, f"has a label vector that is not all numbers: {error}") from error
    if all(isinstance(value, str) and is_number(value) for _, value in pairs):
        pairs = [(name, int(value) if _WHOLE.match(value) else float(value)) for name, value in pairs]
    return _table(pairs, path)


def _table(pairs, path):
    table: Dict[str, Any] = {}
    for name, value in pairs:
        if not isinstance(name, str):
            raise bad_file(path, f"has a name that is not text: {short(name)}")
        name = name.replace("\\", "/")
        name = name[2:] if name.startswith("./") else name
        known = table.setdefault(name, value)
        if known is not value and known != value:
            raise bad_file(path, f"names {shown(name)} twice, with different labels")
    return table


def _spelled_as_files(names, table, origin):
    """Return the table with the images' own spelling: an accented letter may be one character or two, by the system."""
    known = set(names)
    by_form: Dict[str, List[str]] = {}
    for name in names:
        by_form.setdefault(unicodedata.normalize("NFC", name), []).append(name)
    pairs = []
    for name, value in table.items():
        same = [name] if name in known else by_form.get(unicodedata.normalize("NFC", name), [])
        pairs.append((same[0] if len(same) == 1 else name, value))
    return _table(pairs, origin)


def _joined(source, table, origin):
    """Return the Labels of all images; every image needs one, and every label an image."""
    table = _spelled_as_files(source.names, table, origin)
    missing = [name for name in source.names if table.get(name) is None]
    known = set(source.names)
    unknown = [name for name in table if name not in known]
    if missing or unknown:
        parts = []
        if missing:
            parts.append(f"{len(missing)} of {len(source)} images without a label: {_some(missing)}")
        if unknown:
            named = counted(len(unknown), "label is for an image", "labels are for images")
            parts.append(f"{named} not there: {_some(unknown)}")
        raise UserError(
            "the labels from {} do not fit {}; {}".format(origin, source.path, "; ".join(parts)),
            f"one label for each image, by its path below {source.path} with forward slashes, such as {shown(source.names[0])}",
            "fix the names, or go on without labels: --labels none",
        )
    rows, classes = label_matrix(source.names, [table[name] for name in source.names], origin)
    return Labels(rows, classes, origin)


def _some(names):
    return ", ".join(map(shown, names[:5])) + (" ..." if len(names) > 5 else "")
