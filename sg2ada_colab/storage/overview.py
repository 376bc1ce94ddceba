"""What runs there are: snapshots, progress, best measurement, size and state of each, over this machine and Drive together."""

import os
import time
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from .. import words
from ..config.metric_names import is_fid, lower_is_better
from ..files import FilePath
from ..run_files import order_of
from . import run_folder
from .choose import RunFolder, run_names
from .disk_space import folder_bytes
from .lease import Lease


@dataclass(frozen=True)
class RunOverview:
    """One line of the table of runs."""

    name: str  # "00000-faces-auto1"
    snapshots: int
    kimg: Optional[int]  # of the newest snapshot; None without any
    total_kimg: Optional[int]  # that the run was asked for
    best: Optional[Tuple[str, float]]  # (metric, its best value so far): a FID if one was measured
    here_bytes: Optional[int]  # in the first results folder; None when the run is not there
    drive_bytes: Optional[int]  # in the second
    state: str  # in words
    newest_time: float  # when it last wrote a snapshot, seconds since 1970
    has_trained: bool = True  # False: it failed before its first tick


def overview(results_dirs: Sequence[FilePath]) -> List[RunOverview]:
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
    total_kimg = next((total for total in map(run_folder.total_kimg, places) if total is not None), None)
    sizes = [folder_bytes(place) if os.path.isdir(place) else None for place in places] + [None]
    state = _state(places, kimg, total_kimg)
    times = [folder.newest_time() for folder in folders]
    best = _best(folders)
    has_trained = bool(snapshots or best or state.startswith("written") or any(map(run_folder.has_begun, places)))
    return RunOverview(
        name, len(snapshots), kimg, total_kimg, best, sizes[0], sizes[1], state, max(times), has_trained
    )  # fmt: skip


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


def _best(folders):
    """Return (metric, best value) of a run's folders, a FID before others; None where nothing was measured."""
    values: Dict[str, List[float]] = {}
    for folder in folders:
        for metric, (value, _) in folder_best(folder).items():
            values.setdefault(metric, []).append(value)
        for metric, found in run_folder.measured(folder.path).items():
            values.setdefault(metric, []).extend(found)
    if not values:
        return None
    metric = min(values, key=lambda name: (not is_fid(name), name))
    return metric, (min if lower_is_better(metric) else max)(values[metric])


def folder_best(folder: RunFolder) -> Dict[str, Tuple[float, str]]:
    """Return {metric: (value, snapshot)} of a folder's manifests."""
    return {metric: best for manifest in folder.manifests for metric, best in manifest.best.items()}


def rows(runs: Iterable[RunOverview]) -> List[Tuple[str, ...]]:
    """Return the cells of a table of `RunOverview` objects, the head first; runs that failed at their start are left out."""
    found: List[Tuple[str, ...]] = [("run", "snapshots", "kimg", "best", "here", "Drive", "state")]
    for run in runs:
        if not run.has_trained:
            continue
        kimg = "-" if run.kimg is None else str(run.kimg) + ("" if run.total_kimg is None else f" of {run.total_kimg}")
        best = "-" if run.best is None else "{} {:.4g}".format(*run.best)
        found.append((run.name, str(run.snapshots), kimg, best, _size(run.here_bytes), _size(run.drive_bytes), run.state))
    return found


def failed_starts(runs: Iterable[RunOverview]) -> str:
    """Return a sentence on the runs that are left out, or ""."""
    names = [run.name for run in runs if not run.has_trained]
    if not names:
        return ""
    if len(names) == 1:
        return f"1 start that failed before it trained anything is left out: {names[0]}. Its folder can be deleted."
    what = f"{len(names)} starts that failed before they trained anything are left out"
    return f"{what}: {', '.join(names)}. Their folders can be deleted."


def table(runs: Sequence[RunOverview]) -> List[str]:
    """Return the lines of a text table of `RunOverview` objects."""
    cells, left_out = rows(runs), failed_starts(runs)
    lines = words.table(cells) if len(cells) > 1 else ["There are no runs yet."]
    return lines + ([left_out] if left_out else [])


def _size(count):
    return "-" if count is None else words.size_text(count)
