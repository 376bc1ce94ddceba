"""Disk space on Drive: how much a run will take, whether it is free, and what to delete when it is not."""

import os
from typing import List, Optional

from ..files import FilePath
from ..machine import drive_free_bytes
from ..words import size_text
from .choose import list_folder, run_names

IN_TRANSIT = 2  # an older snapshot stays until the newer one is verified and has settled


def space_report(run_bytes: float, snapshot_bytes: float, run_dir: FilePath, drive_dir: FilePath) -> List[str]:
    """Return sentences about the space that a run will take on Drive: an estimate, and a warning where less is free.

    Args:
        run_bytes: Of the run's folder at its end.
        snapshot_bytes: Of one network pickle with its training state.
        run_dir: The run's folder on this machine.
        drive_dir: The same on Drive; it, or its parent, exists.
    """
    needed = max(0.0, run_bytes + IN_TRANSIT * snapshot_bytes - folder_bytes(drive_dir))
    free = drive_free_bytes(os.path.dirname(str(drive_dir)), os.path.dirname(os.path.abspath(str(run_dir))))
    there = "how much is free there cannot be read" if free is None else f"{size_text(free)} are free there"
    estimate = f"This run will take about {size_text(needed)} more on Drive; {there}."
    warning = space_warning(needed, free, os.path.dirname(str(drive_dir)))
    return [estimate] + ([warning] if warning else [])


def space_warning(needed_bytes: float, free_bytes: Optional[float], results_dir: FilePath) -> Optional[str]:
    """Return a sentence that says how much is missing and what to delete; None where enough is free or nobody knows.

    Args:
        needed_bytes: By the run, beyond what it has there already.
        free_bytes: On Drive; None when it cannot be read.
        results_dir: Results folder whose runs are named.
    """
    if free_bytes is None or needed_bytes <= free_bytes:
        return None
    short = "Drive is too small: this run needs about {} more there, and {} are free."
    advice = " Free some space, or keep fewer snapshots: " + largest_runs(results_dir)
    return short.format(size_text(needed_bytes), size_text(free_bytes)) + advice


def largest_runs(results_dir: FilePath, count: int = 3) -> str:
    """Name the largest runs of a results folder, for a person who must choose what to delete."""
    sizes = {run: folder_bytes(os.path.join(str(results_dir), run)) for run in run_names(results_dir)}
    largest = sorted(sizes.items(), key=lambda one: -one[1])[:count]
    listed = ", ".join(f"{os.path.join(str(results_dir), run)} ({size_text(size)})" for run, size in largest)
    return "the runs that take most are {}; empty Drive's trash afterwards.".format(listed or "not known")


def folder_bytes(folder: FilePath) -> int:
    """Return the size of the files in a folder, without sub-folders; what cannot be read counts as nothing."""
    total = 0
    try:
        names = list_folder(folder)
    except OSError:
        return total
    for name in names:
        try:
            total += os.path.getsize(os.path.join(str(folder), name))
        except OSError:
            continue
    return total
