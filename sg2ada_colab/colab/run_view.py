"""A run folder read while it is being written: numbers, curves, pictures, snapshots, what the log says. Imports no TensorFlow."""

import glob
import json
import os
import re

from ..snapshots.manifest import read_manifest
from ..snapshots.verified_copy import STATUS_FILE

MOST_POINTS = 2000  # of a curve; beyond, every second one goes
LOG_LINES = 200
GRID_FILE = re.compile(r"fakes(\d+|_init)\.png$")
DEVICE_LINE = re.compile(r"sg2ada_colab on TensorFlow (\S+), (.+)\.$")
# Beginnings of lines that a person should read. That of the augmentation strength is told by its curve.
NOTEWORTHY = ("Drive ", "A snapshot could not", "No metric", "Passed over", "This run was being written")
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

    def __init__(self, path):
        self.path, self.position, self.identity = str(path), 0, None

    def new_lines(self):
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

    Attributes:
        kimg, ticks: Of the newest line of stats.jsonl.
        curves: {name: [(kimg, value), ...]}, the names of CURVES.
        metrics: {metric: [(kimg, value), ...]}.
        log: The last lines of log.txt. devices: [names], one a session.
        notes: Lines of the log that a person should read.
        total_kimg: Length that the run was asked for, or None.
    """

    def __init__(self, run_dir):
        self.run_dir = str(run_dir)
        self._stats, self._log = (GrowingFile(os.path.join(self.run_dir, name)) for name in ("stats.jsonl", "log.txt"))
        self._metric_files = {}
        self.total_kimg = None
        self.log, self.devices, self.notes, self.metrics = [], [], [], {}
        self._clear()

    def _clear(self):
        self.kimg, self.ticks, self.curves = 0.0, 0, {name: [] for name in CURVES}

    def update(self):
        """Read what is new; returns whether there was a new tick."""
        ticks = self.ticks
        if self.total_kimg is None:
            self.total_kimg = total_kimg_of(self.run_dir)
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
            values = json.loads(line)
            kimg = float(values["Progress/kimg"])
        except (ValueError, KeyError, TypeError):
            return
        self.kimg, self.ticks = kimg, self.ticks + 1
        for name, key in CURVES.items():
            if isinstance(values.get(key), (int, float)):
                curve = self.curves[name]
                curve.append((kimg, float(values[key])))
                if len(curve) > MOST_POINTS:
                    del curve[1:-1:2]

    def _read_log(self):
        lines, _ = self._log.new_lines()
        for line in lines:
            device = DEVICE_LINE.search(line)
            if device:
                self.devices.append(device.group(2))
            elif line.startswith(NOTEWORTHY):
                self.notes = (self.notes + [line])[-8:]
        self.log = (self.log + [line for line in lines if line.strip()])[-LOG_LINES:]

    def _read_metrics(self):
        for path in glob.glob(os.path.join(glob.escape(self.run_dir), "metric-*.jsonl")):
            for line in self._metric_files.setdefault(path, GrowingFile(path)).new_lines()[0]:
                try:
                    record = json.loads(line)
                    kimg = float(re.search(r"(\d{6,})(?:-\d+)?\.pkl$", record["snapshot_pkl"]).group(1))
                    value = float(next(iter(record["results"].values())))
                except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
                    continue
                self.metrics.setdefault(record["metric"], []).append((kimg, value))

    def last(self, name):
        """Return the newest value of a curve, or None."""
        curve = self.curves[name]
        return curve[-1][1] if curve else None

    def reals(self):
        """Return the path of reals.png, or None."""
        path = os.path.join(self.run_dir, "reals.png")
        return path if os.path.isfile(path) else None

    def fakes(self):
        """Return [(kimg, path)] of the grids of fakes, old to new; the untrained network's counts as kimg 0."""
        return sorted(grids_in(self.run_dir).items())

    def snapshots(self, on_drive=()):
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

    def drive_status(self):
        """Return what the copier says: {"state", "sentence", "waiting", …}; None without a copier."""
        try:
            with open(os.path.join(self.run_dir, STATUS_FILE), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None


def grids_in(folder):
    """Return {kimg: path} of the grids of fakes in a folder; the untrained network's is kimg 0 if no other is."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(str(folder)), "fakes*.png")):
        match = GRID_FILE.search(path)
        if match and not (match.group(1) == "_init" and 0 in found):
            found[0 if match.group(1) == "_init" else int(match.group(1))] = path
    return found


def total_kimg_of(run_dir):
    """Return the length that a run was asked for, or None."""
    try:
        with open(os.path.join(str(run_dir), "training_options.json"), encoding="utf-8") as file:
            return int(json.load(file)["total_kimg"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
