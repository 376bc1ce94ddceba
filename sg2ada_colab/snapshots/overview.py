"""What runs there are: snapshots, progress, best FID, size and state of each, over this machine and Drive together."""

import json
import os
import re
import time
from dataclasses import dataclass
from typing import Optional

from .choose import RunFolder, list_folder, run_names
from .lease import Lease
from .manifest import order_of
from .room import folder_bytes

FID_FILE = re.compile(r"metric-fid\d+k(_full)?\.txt$")
FID_VALUE = re.compile(r"\bfid\d+k(?:_full)?\s+(\S+)")


@dataclass(frozen=True)
class RunOverview:
    """One line of the table of runs."""

    name: str  # "00000-faces-auto1"
    snapshots: int
    kimg: Optional[int]  # of the newest snapshot; None without any
    total_kimg: Optional[int]  # that the run was asked for
    fid: Optional[float]  # best so far
    here_bytes: Optional[int]  # in the first results folder; None when the run is not there
    drive_bytes: Optional[int]  # in the second
    state: str  # in words
    newest_time: float  # when it last wrote a snapshot, seconds since 1970


def overview(results_dirs):
    """Return a `RunOverview` for each run, by number; the snapshots are listed, not read.

    Args:
        results_dirs: The results folder on this machine and, where there is one, that on Drive.
    """
    names = sorted({name for results_dir in results_dirs for name in run_names(results_dir)})
    return [_overview_of(name, [os.path.join(str(results_dir), name) for results_dir in results_dirs]) for name in names]


def _overview_of(name, places):
    folders = [RunFolder(place) for place in places]
    snapshots = {snapshot for folder in folders for snapshot in folder.files}
    kimg = max((order_of(snapshot)[0] for snapshot in snapshots), default=None)
    total_kimg = next((total for total in map(_total_kimg, places) if total is not None), None)
    sizes = [folder_bytes(place) if os.path.isdir(place) else None for place in places] + [None]
    fids = [fid for folder in folders for fid in _fids(folder)]
    state = _state(places, kimg, total_kimg)
    times = [folder.newest_time() for folder in folders]
    return RunOverview(name, len(snapshots), kimg, total_kimg, min(fids, default=None), sizes[0], sizes[1], state, max(times))


def _state(places, kimg, total_kimg):
    for place in places:
        try:
            holders = [holder for holder in Lease(place).holders() if time.time() - holder.renewed < holder.ttl_s]
        except OSError:
            return "does not answer"
        if holders:
            return "written by " + holders[0].describe()
    if kimg is None:
        return "no snapshot"
    return "finished" if total_kimg is not None and kimg >= total_kimg else "can go on"


def _total_kimg(place):
    try:
        with open(os.path.join(place, "training_options.json"), encoding="utf-8") as file:
            return int(json.load(file)["total_kimg"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fids(folder):
    """Yield every FID that a run folder's manifest and metric files hold."""
    for manifest in folder.manifests:
        for metric, (value, _) in manifest.best.items():
            if metric.startswith("fid"):
                yield value
    try:
        names = list_folder(folder.path)
    except OSError:
        return
    for name in names:
        if FID_FILE.match(name):
            try:
                with open(os.path.join(folder.path, name), encoding="utf-8", errors="replace") as file:
                    yield from [float(value) for value in FID_VALUE.findall(file.read())]
            except (OSError, ValueError):
                continue


def table(runs):
    """Return the lines of a text table of `RunOverview` objects."""
    if not runs:
        return ["There are no runs yet."]
    rows = [("run", "snapshots", "kimg", "FID", "here", "Drive", "state")]
    for run in runs:
        kimg = "-" if run.kimg is None else str(run.kimg) + ("" if run.total_kimg is None else " of {}".format(run.total_kimg))
        fid = "-" if run.fid is None else "{:.2f}".format(run.fid)
        rows.append((run.name, str(run.snapshots), kimg, fid, _size(run.here_bytes), _size(run.drive_bytes), run.state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _size(count):
    return "-" if count is None else "{:.2f} GB".format(count / 1e9)
