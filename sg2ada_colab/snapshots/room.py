"""Room on Drive: what a run will take, whether it is there, and what to delete when it is not."""

import os

from .choose import list_folder, run_names

IN_TRANSIT = 2  # an older snapshot stays until the newer one is verified and has settled


def room_report(run_bytes, snapshot_bytes, run_dir, drive_dir):
    """Return sentences about the room that a run will take on Drive: an estimate, and a warning where it is not there.

    Args:
        run_bytes: Of the run's folder at its end.
        snapshot_bytes: Of one network pickle with its training state.
        run_dir: The run's folder on this machine.
        drive_dir: The same on Drive; it, or its parent, exists.
    """
    needed = max(0.0, run_bytes + IN_TRANSIT * snapshot_bytes - folder_bytes(drive_dir))
    free = free_on_drive(os.path.dirname(str(drive_dir)), run_dir)
    there = "how much is free there cannot be read" if free is None else "{:.1f} GB are free there".format(free / 1e9)
    estimate = "This run will take about {:.1f} GB more on Drive; {}.".format(needed / 1e9, there)
    warning = room_warning(needed, free, os.path.dirname(str(drive_dir)))
    return [estimate] + ([warning] if warning else [])


def free_on_drive(folder, run_dir):
    """Return the free bytes of Drive, or None: for some accounts DriveFS shows the machine's disk in their place."""
    try:
        drive, here = os.statvfs(str(folder)), os.statvfs(os.path.dirname(os.path.abspath(str(run_dir))))
    except OSError:
        return None
    if drive.f_blocks * drive.f_frsize == here.f_blocks * here.f_frsize:
        return None
    return drive.f_bavail * drive.f_frsize


def room_warning(needed_bytes, free_bytes, results_dir):
    """Return a sentence that says what is short and what to delete, or None when there is room or nobody knows.

    Args:
        needed_bytes: By the run, beyond what it has there already.
        free_bytes: On Drive; None when it cannot be read.
        results_dir: Results folder whose runs are named.
    """
    if free_bytes is None or needed_bytes <= free_bytes:
        return None
    short = "Drive is too small: this run needs about {:.1f} GB more there, and {:.1f} GB are free."
    advice = " Make room, or keep fewer snapshots: " + what_takes_room(results_dir)
    return short.format(needed_bytes / 1e9, free_bytes / 1e9) + advice


def what_takes_room(results_dir, count=3):
    """Name the largest runs of a results folder, for a person who must choose what to delete."""
    sizes = {run: folder_bytes(os.path.join(str(results_dir), run)) for run in run_names(results_dir)}
    largest = sorted(sizes.items(), key=lambda one: -one[1])[:count]
    listed = ", ".join("{} ({:.1f} GB)".format(os.path.join(str(results_dir), run), size / 1e9) for run, size in largest)
    return "the runs that take most are {}; empty Drive's trash afterwards.".format(listed or "not known")


def folder_bytes(folder):
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
