"""What a person should know about a run that trains, in plain words: each function looks at one thing."""

import math
import os

from ..previews.timeline import spread_of_grid

P_LEAK = 0.8  # from about here on the generator begins to imitate the augmentations (Section 2.2 of the ADA paper)
DECIDED_SIGN, DECIDED_TICKS = 0.97, 5  # the discriminator is never wrong, for so many ticks
ALIKE, ALIKE_KIMG = 0.3, 40.0  # spread of the fakes as a share of the reals', after so many kimg
SILENT_S = 900.0  # training says nothing for so long: longer than compiling takes
SNAPSHOTS_THAT_MUST_FIT = 3


def concerns(view, free_bytes=None, silent_s=0.0, resolution=None):
    """Return the sentences about a run, the most urgent first.

    Args:
        view: `RunView`, updated.
        free_bytes: Of this machine's disk; None where not known.
        silent_s: Seconds since training last gave a sign of life.
        resolution: Pixels of one image; None leaves the pictures out.
    """
    found = [disk(view, free_bytes), drive(view.drive_status()), not_finite(view), strength(view), decided(view)]
    found += [alike(view, resolution), metric(view), device(view.devices), silence(silent_s)]
    return [sentence for sentence in found if sentence] + _of_the_log(view)


def disk(view, free_bytes):
    snapshots = view.snapshots()
    if free_bytes is None or not snapshots:
        return None
    needed = SNAPSHOTS_THAT_MUST_FIT * max(size for _, _, size, _ in snapshots)
    if free_bytes >= needed:
        return None
    return "This machine's disk is nearly full: {:.1f} GB free. Delete what is not needed, or the next snapshots fail.".format(
        free_bytes / 1e9
    )


def drive(status):
    """Judge what the copier says of itself."""
    if not status:
        return None
    if status["state"] in ("waiting", "full", "lost"):
        return status["sentence"]
    if status["waiting"] >= 3:
        text = "Drive is behind: {} snapshots ({:.1f} GB) are on this machine only, the oldest for {:.0f} minutes."
        return text.format(status["waiting"], status["waiting_bytes"] / 1e9, status["behind_s"] / 60)
    return None


def not_finite(view):
    overflow = [value for _, value in view.curves["overflow"][-DECIDED_TICKS:]]
    if len(overflow) == DECIDED_TICKS and min(overflow) > 0.5:
        return (
            "Most training steps gave numbers that are not finite and were left out: the run has broken down. Go back to an "
            "earlier snapshot, with a lower learning rate (lrate) or fp32=True."
        )
    return None


def strength(view):
    p = view.last("p")
    if p is None or not math.isfinite(p) or p <= P_LEAK:
        return None
    if p <= 1:
        return (
            "The augmentation strength p is {:.2f}. Above about 0.8 the fakes may begin to look tilted, shifted or "
            "discoloured like the augmented images. More images help most; a cap is max_p=0.8.".format(p)
        )
    return (
        "The augmentation strength p runs away: {:.2f}, where 1 is all there is. The discriminator knows the training images by "
        "heart. The best snapshot is probably an earlier one; more images help most.".format(p)
    )


def decided(view):
    reals, fakes = ([value for _, value in view.curves[name][-DECIDED_TICKS:]] for name in ("r_t", "fake sign"))
    if min(len(reals), len(fakes)) < DECIDED_TICKS or min(reals) < DECIDED_SIGN or max(fakes) > -DECIDED_SIGN:
        return None
    return (
        "The discriminator tells every fake from every real image, so the generator learns nothing from it. If this lasts, "
        "collapse is near: go back to an earlier snapshot with a larger gamma."
    )


def alike(view, resolution):
    """Compare the spread of the newest fakes with that of the reals, both as grids."""
    fakes, reals = view.fakes(), view.reals()
    if not resolution or not reals or not fakes or fakes[-1][0] < ALIKE_KIMG:
        return None
    ratio = _spread(fakes[-1][1], resolution) / max(_spread(reals, resolution), 1e-6)
    if ratio >= ALIKE:
        return None
    return (
        "The fakes look much alike ({:.0%} of the variety of your images, roughly): a collapse is suspected. Look at the grid; "
        "if it is so, go back to an earlier snapshot with a larger gamma.".format(ratio)
    )


_spreads: dict = {}  # path and size -> spread; a grid is large, and is looked at once


def _spread(path, resolution):
    try:
        key = (path, os.path.getmtime(path), resolution)
        if key not in _spreads:
            _spreads[key] = spread_of_grid(path, resolution)
        return _spreads[key]
    except OSError:  # it is just being replaced
        return 1.0


def metric(view):
    for name, points in sorted(view.metrics.items()):
        values = [value for _, value in points if math.isfinite(value)]
        if name.startswith(("fid", "kid", "fd")) and len(values) >= 3 and min(values[-2:]) > 1.5 * max(min(values[:-2]), 1e-9):
            best = min(points[:-2], key=lambda point: point[1] if math.isfinite(point[1]) else math.inf)
            return "{} has become worse: {:.4g} now, {:.4g} at {:.0f} kimg. That snapshot is kept as the best.".format(
                name, values[-1], best[1], best[0]
            )
    return None


def device(devices):
    if len(devices) < 2 or devices[-1] == devices[-2]:
        return None
    return "This session trains on {}; the one before had {}. The run goes on; only the speed changes.".format(
        devices[-1], devices[-2]
    )


def silence(silent_s):
    if silent_s < SILENT_S:
        return None
    return "Training has not said anything for {:.0f} minutes. A first compilation takes up to ten; if this goes on, stop and " \
        "run this cell again.".format(silent_s / 60)  # fmt: skip


def _of_the_log(view):
    return view.notes[-3:]
