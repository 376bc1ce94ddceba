"""A run folder read while it is being written: numbers, curves, pictures, snapshots, events. Imports no TensorFlow."""

import os
import re
import time
from contextlib import suppress
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from .. import run_files
from ..compile.compiling import EVENT, Compiling, read_step
from ..files import FilePath
from ..json_files import is_number, parse_shape
from ..storage import run_folder
from ..storage.manifest import SnapshotRecord, read_manifest

MOST_POINTS = 2000  # of a curve; beyond, every second one goes
LOG_LINES = 200
MOST_NOTES = 8
CURVES = {  # name of ours -> name in stats.jsonl
    "G loss": "Loss/G/loss",
    "D loss": "Loss/D/loss",
    "r_t": "Loss/signs/real",
    "fake sign": "Loss/signs/fake",
    "p": "Progress/augment",
    "overflow": "TrainG/overflow_frequency",
    "sec/kimg": "Timing/sec_per_kimg",
}


class GrowingFile:
    """Reads what was appended to a text file since the last look; whole lines only."""

    def __init__(self, path: FilePath, only_new: bool = False) -> None:
        self.path, self.position = str(path), 0
        self.identity: Optional[int] = None
        if only_new:
            with suppress(OSError):
                self.position = os.path.getsize(self.path)

    def new_lines(self) -> Tuple[List[str], bool]:
        """Return (the new lines, whether the file was replaced and they are all of it)."""
        try:
            found = os.stat(self.path)
            replaced = found.st_size < self.position or (self.identity is not None and found.st_ino != self.identity)
            if replaced:
                self.position = 0
            self.identity = found.st_ino
            with open(self.path, "rb") as file:
                file.seek(self.position)
                data = file.read()
        except OSError:
            return [], False
        end = data.rfind(b"\n") + 1
        self.position += end
        return data[:end].decode("utf-8", "replace").splitlines(), replaced


class RunView:
    """What is known of a run from its folder; `update` reads what is new.

    Args:
        run_dir: The run's folder, on this machine's disk: a Drive that hangs would hold up the caller.
        since: When this session began, in seconds since 1970: what earlier sessions logged and warned of is left out. None: all.

    Attributes:
        kimg, ticks: Of the newest line of stats.jsonl.
        curves: {name: [(kimg, value), ...]}, the names of CURVES.
        metrics: {metric: [(kimg, value), ...]}.
        log: The last lines of log.txt. devices: [names], one a session, from events.jsonl.
        notes: The newest events that a person should read. stage: What training was last said to do, or "".
        total_kimg: Length that the run was asked for, or None.
    """

    def __init__(self, run_dir: FilePath, since: Optional[float] = None) -> None:
        self.run_dir, self.since = str(run_dir), since
        self._stats, self._events = (GrowingFile(self._path(name)) for name in (run_files.STATS, run_files.EVENTS))
        self._log = GrowingFile(self._path(run_files.LOG), only_new=since is not None)
        self._metric_files: Dict[str, GrowingFile] = {}
        self.total_kimg: Optional[int] = None
        self.log: List[str] = []
        self.devices: List[str] = []
        self.notes: List[str] = []
        self.metrics: Dict[str, List[Tuple[float, float]]] = {}
        self.stage, self._compiling = "", Compiling()
        self._clear()

    def _path(self, name):
        return os.path.join(self.run_dir, name)

    def _clear(self):
        self.kimg, self.ticks = 0.0, 0
        self.curves: Dict[str, List[Tuple[float, float]]] = {name: [] for name in CURVES}

    def update(self) -> bool:
        """Read what is new; returns whether there was a new tick."""
        ticks = self.ticks
        if self.total_kimg is None:
            self.total_kimg = run_folder.total_kimg(self.run_dir)
        lines, replaced = self._stats.new_lines()
        if replaced:
            self._clear()
        for line in lines:
            self._add_tick(line)
        self._read_log()
        self._read_metrics()
        return self.ticks != ticks or replaced

    def _add_tick(self, line):
        try:
            values = parse_shape(line, {"Progress/kimg": float})
            kimg = float(values["Progress/kimg"])
        except ValueError:
            return
        self.kimg, self.ticks = kimg, self.ticks + 1
        for name, key in CURVES.items():
            if is_number(values.get(key)):
                curve = self.curves[name]
                curve.append((kimg, float(values[key])))
                if len(curve) > MOST_POINTS:
                    del curve[1:-1:2]

    def _read_log(self):
        lines, _ = self._log.new_lines()
        self.log = (self.log + [line for line in lines if line.strip()])[-LOG_LINES:]
        for line in self._events.new_lines()[0]:
            try:
                event = parse_shape(line)
            except ValueError:
                continue
            if not run_folder.is_event(event):
                continue
            if event["kind"] == "device":
                self.devices.append(event["text"])
            elif self.since is not None and not (is_number(event.get("time")) and event["time"] >= self.since):
                continue
            elif event["kind"] == "stage":
                self.stage, self._compiling = event["text"], Compiling()
            elif event["kind"] == EVENT:
                step = read_step(event)
                if step is not None:
                    self._compiling.take(step)
            else:
                self.notes = (self.notes + [event["text"]])[-MOST_NOTES:]

    def doing(self) -> str:
        """Return what training does before its first images: the programs that are being compiled, or the stage."""
        return self._compiling.words(time.time()) or self.stage

    def _read_metrics(self):
        for path in run_folder.metric_files(self.run_dir):
            if not path.endswith(".jsonl"):
                continue
            for line in self._metric_files.setdefault(path, GrowingFile(path)).new_lines()[0]:
                try:
                    record = parse_shape(line, {"metric": str, "snapshot_pkl": str, "results": {str: float}})
                    value = float(next(iter(record["results"].values())))
                except (ValueError, StopIteration):
                    continue
                named = re.search(r"(\d{6,})(?:-\d+)?\.pkl$", record["snapshot_pkl"])
                if named:
                    self.metrics.setdefault(record["metric"], []).append((float(named.group(1)), value))

    def last(self, name: str) -> Optional[float]:
        """Return the newest value of a curve, or None."""
        curve = self.curves[name]
        return curve[-1][1] if curve else None

    def reals(self) -> Optional[str]:
        """Return the path of reals.png, or None."""
        path = self._path(run_files.REALS)
        return path if os.path.isfile(path) else None

    def fakes(self) -> List[Tuple[int, str]]:
        """Return [(kimg, path)] of the grids of fakes, old to new; the untrained network's counts as kimg 0."""
        return sorted(run_folder.grids(self.run_dir).items())

    def snapshots(self, on_drive: Union[Mapping[str, SnapshotRecord], Tuple[()]] = ()) -> List[Tuple[str, int, int, str]]:
        """Return [(name, kimg, bytes, where)], new to old.

        Args:
            on_drive: {name: `SnapshotRecord`} of those that are verified on Drive.
        """
        here = {record.name: record for record in read_manifest(self.run_dir).snapshots}
        records = dict(on_drive, **here)
        rows = []
        for record in sorted(records.values(), key=lambda one: one.order, reverse=True):
            where = " and ".join(["this machine"] * (record.name in here) + ["Drive"] * (record.name in on_drive))
            rows.append((record.name, record.kimg, record.bytes, where))
        return rows

    def drive_status(self) -> Optional[Dict[str, Any]]:
        """Return what the copier says: {"state", "sentence", "waiting", …}; None without a copier."""
        if self.since is not None:
            try:
                if os.path.getmtime(self._path(run_files.DRIVE_STATUS)) < self.since:
                    return None
            except OSError:
                return None
        return run_folder.drive_status(self.run_dir)
