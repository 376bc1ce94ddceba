"""The file that says a data set is whole: written last, with what every other file must be."""

import hashlib
import json
import os
from pathlib import Path

from ..errors import UserError

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
JOURNAL_NAME = "prepare-journal.jsonl"  # stands in a folder that is still being written


def write_json(path, content):
    """Write an object as JSON under a temporary name, flushed to the disk, then renamed."""
    temporary = "{}.tmp".format(path)
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, str(path))


def write_manifest(folder, content, files):
    """Write a folder's manifest.

    Args:
        folder: The data set's folder.
        content: Dict of facts: resolution, channels, num_images, label_size, source, options ...
        files: Dict of file name -> {"bytes": size, "sha256": hex digest}.
    """
    write_json(Path(folder) / MANIFEST_NAME, dict(format="sg2ada-dataset", version=FORMAT_VERSION, **content, files=files))


def read_manifest(folder):
    """Return a folder's manifest as a dict, None where there is none; raises UserError for one that is no manifest."""
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        for facts in content["files"].values():
            int(facts["bytes"]), str(facts["sha256"])
        if not isinstance(version, int):
            raise TypeError("version")
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UserError(
            "{} is damaged ({!r})".format(path, error), "the JSON that `sg2ada prepare` writes", "prepare the data set again"
        ) from error
    if version > FORMAT_VERSION:
        raise UserError(
            "{} has version {}".format(path, version), "version {} or older".format(FORMAT_VERSION), "update sg2ada_colab"
        )
    return content


def sha256_of_file(path, report=None):
    """Return the SHA-256 of a file as hex; `report` is called with the number of bytes of each block read."""
    digest = hashlib.sha256()
    with open(str(path), "rb", buffering=0) as file:
        while True:
            block = file.read(1 << 22)
            if not block:
                return digest.hexdigest()
            digest.update(block)
            if report:
                report(len(block))
