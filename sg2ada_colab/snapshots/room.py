"""Room on Drive: what a run will take, whether it is there, and what to delete when it is not."""

import os

from .choose import list_folder, run_names

IN_TRANSIT = 2  # an older snapshot stays until the newer one is verified and has settled


def room_for_run(snapshot_bytes, retention, kimg_left, other_bytes=0):
    """Return the bytes that a run will take at its end.

    Args:
        snapshot_bytes: Of one network pickle with its training state.
        retention: `Retention`.
        kimg_left: How long the run still goes, for the snapshots that are kept every so many kimg.
        other_bytes: Of logs and image grids.
    """
    kept = retention.keep_last + IN_TRANSIT + 1  # and the best by metric
    if retention.keep_every_kimg:
        kept += int(kimg_left // retention.keep_every_kimg)
    return kept * snapshot_bytes + other_bytes


def room_warning(needed_bytes, free_bytes, results_dir):
    """Return a sentence that says what is short and what to delete, or None when there is room or nobody knows.

    Args:
        needed_bytes: As `room_for_run` says.
        free_bytes: On Drive; None when it cannot be read.
        results_dir: Results folder whose runs are named.
    """
    if free_bytes is None or needed_bytes <= free_bytes:
        return None
    return "This run needs about {:.1f} GB on Drive, where {:.1f} GB are free. Make room, or keep fewer snapshots: {}".format(
        needed_bytes / 1e9, free_bytes / 1e9, what_takes_room(results_dir)
    )


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
