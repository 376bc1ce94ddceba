"""manifest.json: the list of snapshots in a run folder that were written to the end, with sizes and SHA-256."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Container, Dict, Optional, Tuple

from ..config.options_file import RUN_ID
from ..files import FilePath, write_text
from ..json_files import ANY, Maybe, check_shape, is_number, read_json
from ..json_text import BadJson
from ..run_files import MANIFEST, SNAPSHOT_NAME, order_of, pickle_name, state_name

FORMAT_VERSION = 1
_RECORD = {"name": str, "kimg": int, "nimg": Maybe(int), "time": float, "files": {str: {"bytes": int, "sha256": str}}}
_SHAPE = {"snapshots": [_RECORD], "best": {str: (ANY, str)}, "run_id": Maybe(str)}


@dataclass(frozen=True)
class FileRecord:
    bytes: int
    sha256: str  # hex


@dataclass(frozen=True)
class SnapshotRecord:
    """One snapshot that was written to the end."""

    name: str  # "000012", the digits in its files' names
    kimg: int
    nimg: Optional[int]  # images shown; None when the writer did not say
    time: float  # seconds since 1970
    files: Dict[str, FileRecord]

    @property
    def order(self) -> Tuple[int, int]:
        return order_of(self.name)

    @property
    def bytes(self) -> int:
        return sum(record.bytes for record in self.files.values())


@dataclass
class Manifest:
    """The content of manifest.json.

    `snapshots` is sorted from old to new. `best` maps a metric's name to (value, snapshot name). `run_id` is the run's identity;
    None where an older version wrote the file.
    """

    snapshots: Tuple[SnapshotRecord, ...] = ()
    best: Dict[str, Tuple[float, str]] = field(default_factory=dict)
    run_id: Optional[str] = None

    def get(self, name: str) -> Optional[SnapshotRecord]:
        """Return the record of a snapshot's name, or None."""
        return next((record for record in self.snapshots if record.name == name), None)

    def with_snapshot(self, record: SnapshotRecord) -> "Manifest":
        """Return the manifest with this record in its place, also where one of the same name was there."""
        rest = [old for old in self.snapshots if old.name != record.name]
        return replace(self, snapshots=tuple(sorted(rest + [record], key=lambda one: one.order)))

    def without(self, names: Container[str]) -> "Manifest":
        """Return the manifest without the snapshots of these names."""
        return replace(self, snapshots=tuple(record for record in self.snapshots if record.name not in names))

    def with_best(self, metric: str, value: float, name: str) -> "Manifest":
        """Return the manifest in which this is the best value of a metric, of the snapshot `name`."""
        return replace(self, best=dict(self.best, **{metric: (value, name)}))


def write_manifest(folder: FilePath, manifest: Manifest) -> None:
    """Write manifest.json of a run folder atomically."""
    content: Dict[str, Any] = {"format_version": FORMAT_VERSION, "run_id": manifest.run_id, "best": manifest.best}
    content["snapshots"] = [asdict(one) for one in manifest.snapshots]
    write_text(os.path.join(str(folder), MANIFEST), json.dumps(content, indent=1) + "\n")


class OtherVersionError(ValueError):
    """The manifest was written by another release."""


def manifest_at(path: FilePath) -> Manifest:
    """Return the Manifest in a file; raise ValueError with a sentence's end when it is not one, OSError when Drive fails."""
    return _manifest_of(read_json(path, {"format_version": int}))


def _manifest_of(content):
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise OtherVersionError(f"has format version {version}, not {FORMAT_VERSION}")
    check_shape(content, _SHAPE)
    run_id = content.get("run_id")
    if run_id is not None and not RUN_ID.match(run_id):
        raise BadJson("is damaged (run_id is not 32 hexadecimal digits)")
    records = [_record_of(one) for one in content["snapshots"]]
    # A value that is not a number is not a measurement; an older version may have noted it.
    best = {metric: (float(value), name) for metric, (value, name) in content["best"].items() if is_number(value)}
    return Manifest(tuple(sorted(records, key=lambda one: one.order)), best, run_id)


def _record_of(one):
    name = one["name"]
    # Names become paths; a manifest from outside must not lead out of its folder.
    if not SNAPSHOT_NAME.match(name) or len(name) > 40 or not set(one["files"]) <= {pickle_name(name), state_name(name)}:
        raise BadJson("is damaged (a strange name)")
    files = {file_name: FileRecord(file["bytes"], file["sha256"]) for file_name, file in one["files"].items()}
    return SnapshotRecord(name, one["kimg"], one.get("nimg"), float(one["time"]), files)


def read_manifest(folder: FilePath) -> Manifest:
    """Return the Manifest of a run folder; empty when there is none or it is damaged. Raises OSError when Drive fails."""
    try:
        return manifest_at(os.path.join(str(folder), MANIFEST))
    except (FileNotFoundError, ValueError):
        return Manifest()
