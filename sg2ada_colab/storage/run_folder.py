"""A run folder read: options, progress, grids, metrics, events, the copier's status. What cannot be read is as if absent."""

import os
import re
from contextlib import suppress
from typing import Any, Dict, List, Optional

from .. import run_files
from ..config.options_file import OUR_KEY, read_options
from ..files import FilePath
from ..json_files import Maybe, check_shape, is_number, parse_shape, read_json
from ..json_text import BadJson

LOG_END_BYTES = 4 << 20  # of a run's log, from which p is read
_STATUS = {"state": str, "sentence": str, "waiting": int, "waiting_bytes": int, "behind_s": float, "last_copied": Maybe(str)}
_METRIC_SETTINGS = {
    "metric_dataset_args": {"path": str, "resolution": Maybe(int), "mirror_augment": Maybe(bool)},
    "metric_arg_list": Maybe([{"name": str}]),
    "sg2ada": Maybe({"seed": Maybe(int)}),
}


def total_kimg(run_dir: FilePath) -> Optional[int]:
    """Return the length that a run was asked for, or None."""
    total: Any = read_options(run_dir).get("total_kimg")
    return int(total) if is_number(total) else None


def start_kimg(run_dir: FilePath) -> int:
    """Return the kimg that a run counts from: those of the network that it began with, where it was told of them, else 0."""
    options = read_options(run_dir)
    try:
        check_shape(options, {OUR_KEY: {"start": {"kimg": int}}})
    except BadJson:
        return 0
    return options[OUR_KEY]["start"]["kimg"]


def metric_settings(run_dir: FilePath) -> Dict[str, Any]:
    """Return what a run is measured with: {"path", "resolution", "mirror", "metrics", "seed"}; empty where nothing says so."""
    options = read_options(run_dir)
    try:
        check_shape(options, _METRIC_SETTINGS)
        data = options["metric_dataset_args"]
        return {
            "path": data["path"],
            "resolution": data.get("resolution"),
            "mirror": bool(data.get("mirror_augment", False)),
            "metrics": [definition["name"] for definition in options.get("metric_arg_list") or []],
            # The same as in training, so that its measurements go on.
            "seed": (options.get("sg2ada") or {}).get("seed") or 0,
        }
    except BadJson:
        return {}


def trained_kimg(run_dir: FilePath) -> float:
    """Return how many thousand images a run has seen by its newest tick, 0 before the first."""
    for values in reversed(json_lines(os.path.join(str(run_dir), run_files.STATS))):
        if is_number(values.get("Progress/kimg")):
            return float(values["Progress/kimg"])
    return 0.0


def has_begun(run_dir: FilePath) -> bool:
    """Return whether anything was trained in a run folder: it has a tick or a snapshot."""
    return bool(trained_kimg(run_dir) or pickles(run_dir))


def events(run_dir: FilePath) -> List[Dict[str, Any]]:
    """Return the events of a run, old to new: dicts of kind, text and time."""
    return [event for event in json_lines(os.path.join(str(run_dir), run_files.EVENTS)) if is_event(event)]


def is_event(value: Any) -> bool:
    """Return whether a value read from events.jsonl is an event."""
    return isinstance(value, dict) and isinstance(value.get("kind"), str) and isinstance(value.get("text"), str)


def grids(run_dir: FilePath) -> Dict[int, str]:
    """Return {kimg: path} of the grids of fakes in a folder; that of before training is at `start_kimg` if no other is."""
    matches = [match for match in map(run_files.GRID_PATTERN.match, names(run_dir)) if match]
    found = {int(match.group(1)): match.string for match in matches if match.group(1) != "_init"}
    if len(found) < len(matches):
        found.setdefault(start_kimg(run_dir), run_files.FAKES_INIT)
    return {kimg: os.path.join(str(run_dir), name) for kimg, name in found.items()}


def pickles(run_dir: FilePath) -> List[str]:
    """Return the paths of the network pickles of a run folder, old to new; they are not opened."""
    found = [(run_files.snapshot_name(name), name) for name in names(run_dir) if name.startswith(run_files.PICKLE)]
    kept = sorted((run_files.order_of(name), file) for name, file in found if name and file == run_files.pickle_name(name))
    return [os.path.join(str(run_dir), file) for _, file in kept]


def metric_files(run_dir: FilePath) -> List[str]:
    """Return the paths of the files that hold a run's results: metric-* and neighbours-*.png, sorted."""
    wanted = [name for name in names(run_dir) if name.startswith(run_files.METRIC) or run_files.NEIGHBOURS_PATTERN.match(name)]
    return [path for path in (os.path.join(str(run_dir), name) for name in wanted) if os.path.isfile(path)]


def measured_metrics(run_dir: FilePath) -> List[str]:
    """Return the names of the metrics that a run folder holds results of, sorted."""
    matches = map(run_files.METRIC_TEXT_PATTERN.match, names(run_dir))
    return sorted(match.group(1) for match in matches if match)


def augmentation_at(run_dir: FilePath, kimg: float) -> Optional[float]:
    """Return the augmentation strength p in a run's log at its last tick up to a kimg; None where the log does not say it."""
    found = None
    with suppress(OSError), open(os.path.join(str(run_dir), run_files.LOG), "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - LOG_END_BYTES, 0))
        text = file.read(LOG_END_BYTES).decode("utf-8", "replace")
        for at, p in re.findall(r"^tick\b.*\bkimg +(\d+\.?\d*).*\baugment +(\d+\.?\d*)", text, re.MULTILINE):
            if int(float(at)) <= kimg:
                found = float(p)
    return found


def measured(run_dir: FilePath) -> Dict[str, List[float]]:
    """Return {metric: its first values} that the original's metric files of a run hold, in the order of their lines."""
    found: Dict[str, List[float]] = {}
    for metric in measured_metrics(run_dir):
        pattern = re.compile(rf"\b{metric}(?:_[a-z]\w*)?\s+(\S+)")
        for line in _text(os.path.join(str(run_dir), run_files.metric_text(metric))).splitlines():
            value = pattern.search(line)
            with suppress(ValueError):  # a line that was cut off
                if value and is_number(float(value.group(1))):  # a measurement that failed gives NaN
                    found.setdefault(metric, []).append(float(value.group(1)))
    return found


def drive_status(run_dir: FilePath) -> Optional[Dict[str, Any]]:
    """Return what the copier wrote: {"state", "sentence", "waiting", ...}; None without a copier."""
    try:
        return read_json(os.path.join(str(run_dir), run_files.DRIVE_STATUS), _STATUS)
    except (OSError, ValueError):
        return None


def names(run_dir: FilePath) -> List[str]:
    """Return the sorted names in a folder, none where it cannot be listed."""
    try:
        return sorted(os.listdir(str(run_dir)))
    except OSError:
        return []


def json_lines(path: FilePath) -> List[Dict[str, Any]]:
    """Return the objects of a file of JSON lines; damaged lines are passed over."""
    found = []
    for line in _text(path).splitlines():
        with suppress(ValueError):
            found.append(parse_shape(line, dict))
    return found


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
