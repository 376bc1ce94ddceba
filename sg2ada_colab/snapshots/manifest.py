"""manifest.json: the list of snapshots in a run folder that were written to the end, with sizes and SHA-256."""
import json
import os
import re
from dataclasses import asdict, dataclass, field
from typing import Dict, Optional, Tuple

from .atomic import write_text

FORMAT_VERSION = 1
FILE_NAME = "manifest.json"
PICKLE, STATE = "network-snapshot-", "training-state-"
# Drive shows a second object of the same title as "name (1).ext"; a second snapshot within one kimg is "NNNNNN-1".
SNAPSHOT_FILE = re.compile(r"(network-snapshot|training-state)-(\d{6,}(?:-\d+)?)( \(\d+\))?\.(pkl|npz)$")
SNAPSHOT_NAME = re.compile(r"\d{6,}(-\d+)?$")
MANIFEST_FILE = re.compile(r"manifest( \(\d+\))?\.json$")


def order_of(name):
    """Return the sort key of a snapshot's name: "000012" -> (12, 0), "000012-1" -> (12, 1)."""
    kimg, _, part = name.partition("-")
    return int(kimg), int(part or 0)


def pickle_name(name):
    return "{}{}.pkl".format(PICKLE, name)


def state_name(name):
    return "{}{}.npz".format(STATE, name)


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
    def order(self):
        return order_of(self.name)

    @property
    def bytes(self):
        return sum(record.bytes for record in self.files.values())


@dataclass
class Manifest:
    """The content of manifest.json.

    `snapshots` is sorted from old to new. `best` maps a metric's name to (value, snapshot name).
    """

    snapshots: Tuple[SnapshotRecord, ...] = ()
    best: Dict[str, Tuple[float, str]] = field(default_factory=dict)

    def get(self, name):
        return next((record for record in self.snapshots if record.name == name), None)

    def with_snapshot(self, record):
        rest = [old for old in self.snapshots if old.name != record.name]
        return Manifest(tuple(sorted(rest + [record], key=lambda one: one.order)), self.best)

    def without(self, names):
        return Manifest(tuple(record for record in self.snapshots if record.name not in names), self.best)

    def with_best(self, metric, value, name):
        return Manifest(self.snapshots, dict(self.best, **{metric: (value, name)}))


def write_manifest(folder, manifest):
    """Write manifest.json of a run folder atomically."""
    content = {"format_version": FORMAT_VERSION, "best": manifest.best, "snapshots": [asdict(one) for one in manifest.snapshots]}
    write_text(os.path.join(str(folder), FILE_NAME), json.dumps(content, indent=1) + "\n")


class OtherVersionError(ValueError):
    """The manifest was written by another release."""


def parse_manifest(text):
    """Return the Manifest in a JSON text; raise ValueError with a sentence's end when it is not one."""
    try:
        content = json.loads(text)
        version = content["format_version"]
        if version != FORMAT_VERSION:
            raise OtherVersionError("has format version {}, not {}".format(version, FORMAT_VERSION))
        records = [_parse_record(one) for one in content["snapshots"]]
        best = {metric: (float(value), str(name)) for metric, (value, name) in content["best"].items()}
        return Manifest(tuple(sorted(records, key=lambda one: one.order)), best)
    except OtherVersionError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError("is damaged ({})".format(type(error).__name__)) from error


def _parse_record(one):
    files = {name: FileRecord(int(file["bytes"]), str(file["sha256"])) for name, file in one["files"].items()}
    # Names become paths; a manifest from outside must not lead out of its folder.
    if not SNAPSHOT_NAME.match(one["name"]) or not set(files) <= {pickle_name(one["name"]), state_name(one["name"])}:
        raise TypeError("a strange name")
    return SnapshotRecord(one["name"], int(one["kimg"]), one["nimg"], float(one["time"]), files)


def read_manifest(folder):
    """Return the Manifest of a run folder; empty when there is none or it is damaged. Raises OSError when Drive fails."""
    try:
        with open(os.path.join(str(folder), FILE_NAME), encoding="utf-8", errors="replace") as file:
            return parse_manifest(file.read())
    except (FileNotFoundError, ValueError):
        return Manifest()
