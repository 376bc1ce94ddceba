"""Results on the disk: the original's metric-NAME.txt and the PyTorch version's metric-NAME.jsonl, appended and read back."""

import collections
import json
import math
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from ..config.metric_names import parse_metric
from ..files import FilePath
from ..run_files import metric_lines, metric_text
from ..storage import run_folder
from ..words import duration
from .evaluate import MetricResult

TITLE_WIDTH = 29


@dataclass(frozen=True)
class Measurement:
    """One line of metric-NAME.txt."""

    snapshot: str  # name of the pickle without its suffix
    kimg: Optional[int]  # of the snapshot; None if its name has none
    values: Dict[str, float]  # suffix ("" or "_mean" …) -> value, in the order of the line


_LINE = re.compile(r"(?P<title>.*?)\s+time\s+(?P<time>(?:\d+[dhms] ?)+)\s+(?P<values>\S.*)$")


def result_line(snapshot: str, result: MetricResult) -> str:
    """Return the line of metric-NAME.txt for a MetricResult of the pickle with the base name `snapshot`."""
    title = snapshot if len(snapshot) <= TITLE_WIDTH else "..." + snapshot[-26:]
    number = parse_metric(result.name).number_format
    line = f"{title:<30s} time {duration(result.seconds):<12s}"
    for suffix, value in result.values.items():
        line += f" {result.name}{suffix} {number % value}"
    return line.strip()


def write_result(run_dir: FilePath, snapshot_path: FilePath, result: MetricResult, num_gpus: int = 1) -> str:
    """Append a result to metric-NAME.txt and metric-NAME.jsonl in `run_dir`; returns the line of text."""
    run_dir, snapshot = Path(run_dir), Path(snapshot_path)
    line = result_line(snapshot.stem, result)
    record = collections.OrderedDict(
        [
            ("results", {result.name + suffix: value for suffix, value in result.values.items()}),
            ("metric", result.name),
            ("total_time", result.seconds),
            ("total_time_str", duration(result.seconds)),
            ("num_gpus", num_gpus),
            ("snapshot_pkl", snapshot.name),
            ("timestamp", time.time()),
            ("num_reals", result.num_reals),
            ("num_fakes", result.num_fakes),
            ("notes", list(result.notes)),
        ]
    )
    _append(run_dir / metric_text(result.name), line)
    _append(run_dir / metric_lines(result.name), json.dumps(record))
    return line


def read_measurements(run_dir: FilePath, metric_name: str) -> List[Measurement]:
    """Return the Measurements in metric-NAME.txt, in the order of kimg; of one snapshot measured twice the last counts.

    Lines that are cut off or of another program are left out.
    """
    path = Path(run_dir) / metric_text(metric_name)
    found = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            measurement = _parse_line(line, metric_name)
            if measurement:
                found[measurement.snapshot] = measurement
    return sorted(found.values(), key=lambda item: (item.kimg is None, item.kimg or 0, item.snapshot))


def measured_names(run_dir: FilePath) -> List[str]:
    """Return the names of the metrics that a run folder holds results of, sorted."""
    return run_folder.measured_metrics(run_dir)


def best_measurement(measurements: Sequence[Measurement], lower: bool = True) -> Optional[Measurement]:
    """Return the best of read_measurements' list by its first value (of precision and recall by precision), None of an empty one.

    Args:
        measurements: List of Measurements of one metric.
        lower: Whether smaller is better.
    """
    usable = [item for item in measurements if all(math.isfinite(value) for value in item.values.values())]
    return (min if lower else max)(usable, key=lambda item: next(iter(item.values.values()))) if usable else None


def _parse_line(line, metric_name):
    match = _LINE.match(line.strip())
    if not match:
        return None
    words = match.group("values").split()
    values = collections.OrderedDict()
    for name, text in zip(words[::2], words[1::2]):
        if not name.startswith(metric_name):
            return None
        try:
            values[name[len(metric_name) :]] = float(text)
        except ValueError:
            return None
    if not values or len(words) % 2:
        return None
    kimg = re.search(r"(\d{6,})(?:-\d+)?$", match.group("title"))
    return Measurement(match.group("title"), int(kimg.group(1)) if kimg else None, values)


def _append(path, line):
    """Append a line; a last line that a crash cut off is ended first."""
    with open(str(path), "a+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - 1, 0))
        separator = b"\n" if size and stream.read(1) != b"\n" else b""
        stream.write(separator + line.encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
