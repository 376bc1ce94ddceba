"""Profile a few minibatches of a run: `--profile`."""

import os
from typing import Any, Callable

from ..compile.profile import kernels, table, traced
from ..files import FilePath, write_text
from ..tf import IS_TF1
from ..training.loop import MINIBATCHES_PER_GROUP, Callback, TrainingProgress

FOLDER, TABLE_FILE = "profile", "profile.txt"
FIRST_GROUP = 4  # the first ones warm up: memory is taken, and the queue of the device fills
GROUPS = 4  # one R1 step among sixteen minibatches, as training has it


class Profiler(Callback):
    """Writes a trace for TensorBoard's Profile tab to profile/, and the slowest kernels of the GPU to profile.txt.

    Args:
        run_dir: The run's folder.
        log: Callable of one line.
    """

    def __init__(self, run_dir: FilePath, log: Callable[[str], Any]) -> None:
        self.folder, self.table_path, self.log = os.path.join(run_dir, FOLDER), os.path.join(run_dir, TABLE_FILE), log
        self.groups = 0
        self._trace: Any = None

    def on_group(self, progress: TrainingProgress) -> None:
        self.groups += 1
        if IS_TF1:
            return
        if self.groups == FIRST_GROUP:
            self._trace = traced(self.folder)
            self._trace.__enter__()
        elif self.groups == FIRST_GROUP + GROUPS:
            self.finish()

    def on_end(self, progress: TrainingProgress) -> None:
        self.finish()

    def close(self) -> None:
        """End the trace if one is being taken."""
        trace, self._trace = self._trace, None
        if trace is not None:
            trace.__exit__(None, None, None)

    def finish(self) -> None:
        """End the trace if one is being taken, and report the slowest kernels."""
        if self._trace is None:
            return
        self.close()
        rows, busy_ms, span_ms = kernels(self.folder)
        lines = [f"Profile of {GROUPS * MINIBATCHES_PER_GROUP} minibatches; the whole trace: tensorboard --logdir {self.folder}"]
        if rows:
            lines.append(f"The GPU was busy for {busy_ms:.1f} of {span_ms:.1f} ms ({100 * busy_ms / span_ms:.0f} %).")
            write_text(self.table_path, "\n".join(table(rows, busy_ms, len(rows))) + "\n")
        else:
            lines.append("There is no GPU in it.")
        self.log("\n".join(lines + table(rows, busy_ms)[: 11 if rows else 0]))
