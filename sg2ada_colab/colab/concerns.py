"""What a person should know about a run that trains, in plain words: each function looks at one thing."""

import math
import os
from typing import Any, List, Mapping, Optional, Sequence

from ..augment.adapt import LEAK_P
from ..previews.timeline import grid_diversity, grid_likeness
from ..shape import Size
from ..words import size_text
from .form_words import as_fields
from .run_view import RunView

DECIDED_SIGN, DECIDED_TICKS = 0.97, 5  # the discriminator is never wrong, for this many ticks
ALIKE, ALIKE_KIMG = 0.3, 40.0  # diversity of the fakes as a share of the reals', and from which kimg on it is judged
# How far the fakes are on the way from the reals' likeness of outlines to one outline for all. A run that ended well was at 0.7
# up to 147 kimg and at 0.13 at 221; one that stayed so was at 0.7 at 331 (benchmarks/LEARNING.md).
ONE_OUTLINE, ONE_OUTLINE_KIMG, ONE_OUTLINE_TOO_LONG_KIMG = 0.4, 120.0, 200.0
COLLAPSE = "a collapse is suspected. Look at the grid; if it is so, go back to an earlier snapshot with a larger gamma."
ONE_OUTLINE_SO_FAR = (
    "The fakes have much the same outline so far, in other colours. Some runs leave this by 200 kimg; if this one does not, "
    "begin again with a larger gamma."
)
ONE_OUTLINE_LATE = f"The fakes still have much the same outline, in other colours: {COLLAPSE}"
SILENT_S = 900.0  # training says nothing for so long: longer than compiling takes
SNAPSHOTS_THAT_MUST_FIT = 3


def concerns(
    view: RunView, free_bytes: Optional[int] = None, silent_s: float = 0.0, resolution: Optional[Size] = None
) -> List[str]:
    """Return the sentences about a run, the most urgent first.

    Args:
        view: `RunView`, updated.
        free_bytes: Of this machine's disk; None where not known.
        silent_s: Seconds since training last gave a sign of life.
        resolution: Pixels of one image; None leaves the pictures out.
    """
    found = [disk_is_full(view, free_bytes), drive_lags(view.drive_status()), not_finite(view), augmentation_too_strong(view)]
    found += [discriminator_too_strong(view), fakes_collapsed(view, resolution), metric_worsened(view)]
    found += [gpu_changed(view.devices), no_progress(silent_s)]
    return [sentence for sentence in found if sentence] + _of_the_log(view)


def disk_is_full(view: RunView, free_bytes: Optional[int]) -> Optional[str]:
    """Return the warning that this machine's disk has little room (bytes), or None."""
    snapshots = view.snapshots()
    if free_bytes is None or not snapshots:
        return None
    needed = SNAPSHOTS_THAT_MUST_FIT * max(size for _, _, size, _ in snapshots)
    if free_bytes >= needed:
        return None
    return (
        f"This machine's disk is nearly full: {size_text(free_bytes)} free. Delete what is not "
        "needed, or the next snapshots fail."
    )


def drive_lags(status: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Return the sentence on copies to Drive that do not keep up or have stopped, by the copier's status; None without."""
    if not status:
        return None
    if status["state"] in ("waiting", "full", "lost"):
        return status["sentence"]
    if status["waiting"] >= 3:
        text = "Drive is behind: {} snapshots ({}) are on this machine only, the oldest for {:.0f} minutes."
        return text.format(status["waiting"], size_text(status["waiting_bytes"]), status["behind_s"] / 60)
    return None


def not_finite(view: RunView) -> Optional[str]:
    """Return the warning that most steps of the last ticks were left out because their numbers were not finite, or None."""
    overflow = [value for _, value in view.curves["overflow"][-DECIDED_TICKS:]]
    if len(overflow) == DECIDED_TICKS and min(overflow) > 0.5:
        return (
            "Most training steps gave numbers that are not finite and were left out: the run has broken down. Go back to an "
            "earlier snapshot, with a lower learning rate (lrate)."
        )
    return None


def augmentation_too_strong(view: RunView) -> Optional[str]:
    """Return the warning that the augmentation strength p runs away, or is so high that fakes may show it, or None."""
    p = view.last("p")
    if p is None or not math.isfinite(p) or p <= LEAK_P:
        return None
    if p <= 1:
        return (
            f"The augmentation strength p is {p:.2f}. Above about 0.8 the fakes may begin to look tilted, shifted or "
            "discoloured like the augmented images. More images help most; a cap is max_p=0.8."
        )
    return (
        f"The augmentation strength p runs away: {p:.2f}, where 1 is all there is. The discriminator knows the training "
        "images by "
        "heart. The best snapshot is probably an earlier one; more images help most."
    )


def discriminator_too_strong(view: RunView) -> Optional[str]:
    """Return the warning that D told all reals from all fakes in the last ticks, by the signs of its outputs, or None."""
    reals, fakes = ([value for _, value in view.curves[name][-DECIDED_TICKS:]] for name in ("r_t", "fake sign"))
    if min(len(reals), len(fakes)) < DECIDED_TICKS or min(reals) < DECIDED_SIGN or max(fakes) > -DECIDED_SIGN:
        return None
    return (
        "The discriminator tells every fake from every real image, so the generator learns nothing from it. If this lasts, "
        "collapse is near: go back to an earlier snapshot with a larger gamma."
    )


def fakes_collapsed(view: RunView, resolution: Optional[Size]) -> Optional[str]:
    """Compare how much the newest fakes differ from each other with how much the reals do, both as grids."""
    fakes, reals = view.fakes(), view.reals()
    if not resolution or not reals or not fakes or fakes[-1][0] < ALIKE_KIMG:
        return None
    kimg, newest = fakes[-1]
    try:
        ratio = _measured(grid_diversity, newest, resolution) / max(_measured(grid_diversity, reals, resolution), 1e-6)
        if ratio < ALIKE:
            return f"The fakes look much alike ({ratio:.0%} of the variety of your images, roughly): {COLLAPSE}"
        if kimg >= ONE_OUTLINE_KIMG:
            own, usual = (_measured(grid_likeness, path, resolution) for path in (newest, reals))
            if own - usual > ONE_OUTLINE * (1 - usual):
                return ONE_OUTLINE_LATE if kimg >= ONE_OUTLINE_TOO_LONG_KIMG else ONE_OUTLINE_SO_FAR
    except OSError:  # one is just being replaced
        pass
    return None


_results: dict = {}  # function, path, time and size -> what it found; a grid is large, and is read once


def _measured(function, path, resolution):
    key = (function, path, os.path.getmtime(path), resolution)
    if key not in _results:
        _results[key] = function(path, resolution)
    return _results[key]


def metric_worsened(view: RunView) -> Optional[str]:
    """Return the warning that a metric has become clearly worse than its best value, or None."""
    for name, points in sorted(view.metrics.items()):
        values = [value for _, value in points if math.isfinite(value)]
        if name.startswith(("fid", "kid", "fd")) and len(values) >= 3 and min(values[-2:]) > 1.5 * max(min(values[:-2]), 1e-9):
            best = min(points[:-2], key=lambda point: point[1] if math.isfinite(point[1]) else math.inf)
            return (
                f"{name} has become worse: {values[-1]:.4g} now, {best[1]:.4g} at {best[0]:.0f} "
                "kimg. That snapshot is kept as the best."
            )
    return None


def gpu_changed(devices: Sequence[str]) -> Optional[str]:
    """Return the note that this session's GPU is not that of the session before, or None."""
    if len(devices) < 2 or devices[-1] == devices[-2]:
        return None
    return f"This session trains on {devices[-1]}; the one before had {devices[-2]}. The run goes on; only the speed changes."


def no_progress(silent_s: float) -> Optional[str]:
    """Return the warning that training has given no sign of life for this many seconds, or None."""
    if silent_s < SILENT_S:
        return None
    return (
        f"Training has not said anything for {silent_s / 60:.0f} minutes. A first compilation takes up to ten; "
        "if this goes on, stop and run this cell again."
    )


def _of_the_log(view):
    return list(map(as_fields, view.notes[-3:]))
