"""manifest.json, which marks a dataset as complete: written last, with size and SHA-256 of every other file."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Optional

from ..errors import UserError
from ..files import FilePath, read_plain, write_json
from ..json_text import parse_json
from ..words import shown

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
_MOST_BYTES = 1 << 26
JOURNAL_NAME = "prepare-journal.jsonl"  # marks a folder that is still being written


def write_manifest(folder: FilePath, content: Dict[str, Any], files: Any) -> None:
    """Write a folder's manifest.

    Args:
        folder: The dataset's folder.
        content: Dict of facts: resolution, channels, num_images, label_size, source, options ...
        files: Dict of file name -> {"bytes": size, "sha256": hex digest}.
    """
    write_json(Path(folder) / MANIFEST_NAME, dict(format="sg2ada-dataset", version=FORMAT_VERSION, **content, files=files))


def read_manifest(folder: FilePath) -> Optional[Dict[str, Any]]:
    """Return a folder's manifest as a dict, None where there is none; raises UserError for a file that is not a manifest."""
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        return None
    try:
        content = parse_json(read_plain(path, _MOST_BYTES), _MOST_BYTES)
        version = content["version"]
        if not isinstance(version, int):
            raise TypeError("its version is not a number")
        for name, facts in content["files"].items():
            if not (isinstance(facts["bytes"], int) and isinstance(facts["sha256"], str)) or "/" in name:
                raise TypeError(f"what it says of the file {shown(name)}")
        if not all(isinstance(name, str) for name in content.get("classes") or []):
            raise TypeError("its classes are not names")
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UserError(
            f"{path} is damaged ({reason})", "the JSON that `sg2ada prepare` writes", "prepare the dataset again"
        ) from error
    if version > FORMAT_VERSION:
        raise UserError(f"{path} has version {version}", f"version {FORMAT_VERSION} or older", "update sg2ada_colab")
    return content


def boxes_digest(boxes: Any) -> Optional[str]:
    """Return a SHA-256 of crop boxes {name: (left, top, right, bottom)} as hex; None without any."""
    if not boxes:
        return None
    return hashlib.sha256(json.dumps(sorted((name, list(box)) for name, box in boxes.items())).encode()).hexdigest()
