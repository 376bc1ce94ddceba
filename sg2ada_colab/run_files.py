"""The names of the files in a run folder, and nothing else; those that the original writes have its names."""

import re
from typing import Optional, Tuple

OPTIONS = "training_options.json"
LOG = "log.txt"
STATS = "stats.jsonl"  # one line a tick
EVENTS = "events.jsonl"  # what a person should know: the device of each session, warnings, what became of the copies on Drive
MANIFEST = "manifest.json"
LEASE = "lease.json"
DRIVE_STATUS = "drive-status.json"
PROCESS = ".process.json"  # which process of this machine trains the run
REALS = "reals.png"
FAKES_INIT = "fakes_init.png"
NETWORKS, TRAINING_STATE = "network-snapshot", "training-state"  # the kinds of a snapshot's files, as their names begin
PICKLE, STATE = NETWORKS + "-", TRAINING_STATE + "-"
METRIC = "metric-"

# Drive shows a second object of the same title as "name (1).ext"; a second snapshot within one kimg is "NNNNNN-1".
SNAPSHOT_PATTERN = re.compile(rf"({NETWORKS}|{TRAINING_STATE})-(\d{{6,}}(?:-\d+)?)( \(\d+\))?\.(pkl|npz)$")
SNAPSHOT_NAME = re.compile(r"[0-9]{6,}(-[0-9]+)?\Z")
MANIFEST_PATTERN = re.compile(r"manifest( \(\d+\))?\.json$")
LEASE_PATTERN = re.compile(r"lease( \(\d+\))?\.json$")
GRID_PATTERN = re.compile(r"fakes(\d+|_init)\.png$")
METRIC_LINES_PATTERN = re.compile(r"metric-(\w+)\.jsonl$")
METRIC_TEXT_PATTERN = re.compile(r"metric-(\w+)\.txt$")
NEIGHBOURS_PATTERN = re.compile(r"neighbours-(\d{6,}(?:-\d+)?)\.png$")


def pickle_name(name: str) -> str:
    """Return the file of a snapshot's networks; its name is "000012", or "000012-1" for the second within one kimg."""
    return f"{PICKLE}{name}.pkl"


def state_name(name: str) -> str:
    """Return the file of a snapshot's training state."""
    return f"{STATE}{name}.npz"


def snapshot_name(file_name: str) -> Optional[str]:
    """Return the name of the snapshot that a file belongs to, such as "000012", or None."""
    match = SNAPSHOT_PATTERN.match(file_name)
    return match.group(2) if match else None


def order_of(name: str) -> Tuple[int, int]:
    """Return the sort key of a snapshot's name: "000012" -> (12, 0), "000012-1" -> (12, 1)."""
    kimg, _, part = name.partition("-")
    return int(kimg), int(part or 0)


def grid_name(kimg: int) -> str:
    """Return the file of the grid of fakes at a kimg."""
    return f"fakes{kimg:06d}.png"


def metric_text(metric: str) -> str:
    """Return the original's file of a metric's results."""
    return f"{METRIC}{metric}.txt"


def metric_lines(metric: str) -> str:
    """Return the PyTorch program's file of a metric's results."""
    return f"{METRIC}{metric}.jsonl"


def metric_picture(metric: str) -> str:
    """Return the file of a metric's curve."""
    return f"{METRIC}{metric}.png"


def neighbours_name(name: str) -> str:
    """Return the file of a snapshot's fakes beside their nearest training images."""
    return f"neighbours-{name}.png"
