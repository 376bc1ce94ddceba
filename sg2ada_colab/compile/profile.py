"""Where the time of a GPU goes: a TensorBoard trace of a few steps, and the slowest kernels as a table."""

import glob
import os
from contextlib import contextmanager
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from ..files import FilePath
from ..tf import IS_TF1, empty_trace, tf


class Kernel(NamedTuple):
    """What one kernel took over a trace."""

    name: str  # of the GPU's program
    origin: str  # the operation of the compiled program that it belongs to
    calls: int
    total_ms: float


@contextmanager
def traced(folder: FilePath) -> Iterator[None]:
    """Write a TensorBoard trace (the Profile tab) of what runs inside to `folder`; nothing on TensorFlow 1."""
    if IS_TF1:
        yield
        return
    tf.profiler.experimental.start(str(folder))
    try:
        yield
    finally:
        tf.profiler.experimental.stop()


def kernels(folder: FilePath) -> Tuple[List[Kernel], float, float]:
    """Return (list of Kernel by falling time, milliseconds of all, milliseconds from the first to the end of the last).

    Args:
        folder: Of `traced`; the newest trace in it is read.
    """
    path = max(glob.glob(os.path.join(glob.escape(str(folder)), "plugins", "profile", "*", "*.xplane.pb")), key=os.path.getmtime)
    space = empty_trace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    found: Dict[Tuple[str, str], Tuple[int, int]] = {}
    first, last = None, 0
    for plane in space.planes:
        if not plane.name.startswith("/device:GPU"):
            continue
        stat_names = {number: stat.name for number, stat in plane.stat_metadata.items()}
        for line in plane.lines:
            if not line.name.startswith("Stream"):
                continue
            for event in line.events:
                stats = {stat_names.get(s.metadata_id): s for s in event.stats}
                origin = _text(stats.get("hlo_op"), stat_names)
                key = (plane.event_metadata[event.metadata_id].name, origin)
                calls, total = found.get(key, (0, 0))
                found[key] = (calls + 1, total + event.duration_ps)
                begin = line.timestamp_ns * 1000 + event.offset_ps
                first = begin if first is None else min(first, begin)
                last = max(last, begin + event.duration_ps)
    rows = [Kernel(name, origin, calls, total / 1e9) for (name, origin), (calls, total) in found.items()]
    rows.sort(key=lambda kernel: -kernel.total_ms)
    return rows, sum(kernel.total_ms for kernel in rows), (last - (first or 0)) / 1e9


def table(rows: Sequence[Kernel], busy_ms: float, count: int = 10) -> List[str]:
    """Return the slowest kernels as lines of text with their share of the GPU's busy time."""
    lines = ["{:>9} {:>7} {:>6}  {}".format("ms", "share", "calls", "kernel")]
    for row in rows[:count]:
        what = row.name if not row.origin or row.origin in row.name else f"{row.name} ({row.origin})"
        lines.append(f"{row.total_ms:9.2f} {100 * row.total_ms / busy_ms:6.1f}% {row.calls:6d}  {what[:110]}")
    return lines


def _text(stat, names):
    if stat is None:
        return ""
    return stat.str_value or names.get(stat.ref_value, "")
