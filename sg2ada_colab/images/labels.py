"""Class labels and label vectors for images: from sub-folders, from dataset.json, from a CSV file."""

import csv
import io
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

import numpy as np

from ..errors import UserError
from .wording import some


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


def find_labels(source, how):
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
                "{} has no sub-folders to take classes from".format(source.path),
                "one sub-folder for each class",
                "sort the images into sub-folders, or leave out --labels folders",
            )
    elif how == "auto":
        if source.label_rows is not None:
            return Labels(source.label_rows, None, source.path)
        if source.own_labels is None:
            return None
        table, origin = _from_json(source.own_labels, source.path + "/dataset.json"), "dataset.json in " + source.path
        if table is None:
            return None
    else:
        table, origin = _from_file(Path(how)), str(how)
    return _joined(source, table, origin)


def _bad_file(path, what):
    return UserError(
        "the label file {} {}".format(path, what),
        'CSV lines "name,class" or "name,number,number ...", or JSON {"labels": [[name, class], ...]}',
        "mend the file, or leave it out with --labels none",
    )


def _from_file(path):
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_file(path, "cannot be read: {}".format(error)) from error
    if path.suffix.lower() == ".json":
        table = _from_json(text, path)
        if table is None:
            raise _bad_file(path, "holds no labels")
        return table
    return _from_csv(text, path)


def _from_json(text, path):
    """Return {name: value} of a dataset.json, None where its labels are null."""
    try:
        entries = json.loads(text)["labels"]
        if entries is None:
            return None
        pairs = list(entries.items()) if isinstance(entries, dict) else [(name, value) for name, value in entries]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _bad_file(path, "is not as expected ({})".format(" ".join(repr(error).split())[:120])) from error
    return _table(pairs, path)


def _from_csv(text, path):
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if rows and rows[0][0].lower() in ("name", "file", "filename", "image", "path"):
        rows = rows[1:]
    if not rows or any(len(row) < 2 for row in rows):
        raise _bad_file(path, "has no lines" if not rows else "has a line without a label")
    try:
        pairs = [(row[0], row[1] if len(row) == 2 else [float(cell) for cell in row[1:]]) for row in rows]
    except ValueError as error:
        raise _bad_file(path, "has a label vector that is not all numbers: {}".format(error)) from error
    if all(isinstance(value, str) and value.lstrip("-").isdigit() for _, value in pairs):
        pairs = [(name, int(value)) for name, value in pairs]
    return _table(pairs, path)


def _table(pairs, path):
    table = {}
    for name, value in pairs:
        if not isinstance(name, str):
            raise _bad_file(path, "has a name that is no text: {!r}".format(name))
        name = name.replace("\\", "/")
        if table.setdefault(name, value) != value:
            raise _bad_file(path, "names {} twice, with different labels".format(name))
    return table


def _joined(source, table, origin):
    """Return the Labels of all images; every image needs one, and every label an image."""
    missing = [name for name in source.names if table.get(name) is None]
    known = set(source.names)
    unknown = [name for name in table if name not in known]
    if missing or unknown:
        parts = []
        if missing:
            parts.append("{} of {} images without a label: {}".format(len(missing), len(source), _some(missing)))
        if unknown:
            named = some(len(unknown), "label is for an image", "labels are for images")
            parts.append("{} not there: {}".format(named, _some(unknown)))
        raise UserError(
            "the labels from {} do not fit {}; {}".format(origin, source.path, "; ".join(parts)),
            "exactly one label for each image, by its path below {} with forward slashes, such as {}".format(
                source.path, source.names[0]
            ),
            "mend the names, or go on without labels: --labels none",
        )
    rows, classes = _matrix([table[name] for name in source.names], origin)
    return Labels(rows, classes, origin)


def _some(names):
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _matrix(values, origin):
    """Return (float32 [N, L], class names or None) of label values: integers, class names or vectors, all of one kind."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        if min(values) < 0 or max(values) > 1 << 20:
            raise _bad_file(origin, "has class numbers from {} to {}".format(min(values), max(values)))
        return _one_hot(np.array(values)), None
    if all(isinstance(value, str) for value in values):
        classes = sorted(set(values))
        number = {name: i for i, name in enumerate(classes)}
        return _one_hot(np.array([number[value] for value in values])), classes
    if all(isinstance(value, list) and value for value in values) and len({len(value) for value in values}) == 1:
        flat = [number for value in values for number in value]
        if all(isinstance(number, (int, float)) and math.isfinite(number) for number in flat):
            return np.array(values, np.float32), None
    raise _bad_file(origin, "mixes kinds or lengths of labels, or has values that are not finite numbers")


def _one_hot(numbers):
    rows = np.zeros((len(numbers), numbers.max() + 1), np.float32)
    rows[np.arange(len(numbers)), numbers] = 1
    return rows
