"""Profile a few minibatches of a run: `--profile`."""

import os

from ..snapshots.atomic import write_text
from ..tf import IS_TF1
from ..training.loop import MINIBATCHES_PER_GROUP, Callback
from ..training.profile import kernels, table, traced

FOLDER, TABLE_FILE = "profile", "profile.txt"
FIRST_GROUP = 4  # the first ones warm up: memory is taken, and the queue of the device fills
GROUPS = 4  # one R1 step among sixteen minibatches, as training has it


class Profiler(Callback):
    """Writes a trace for TensorBoard's Profile tab to profile/, and the costliest kernels of the GPU to profile.txt.

    Args:
        run_dir: The run's folder.
        log: Callable of one line.
    """

    def __init__(self, run_dir, log):
        self.folder, self.table_path, self.log = os.path.join(run_dir, FOLDER), os.path.join(run_dir, TABLE_FILE), log
        self.groups, self._trace = 0, None

    def on_group(self, progress):
        self.groups += 1
        if IS_TF1:
            return
        if self.groups == FIRST_GROUP:
            self._trace = traced(self.folder)
            self._trace.__enter__()
        elif self.groups == FIRST_GROUP + GROUPS:
            self.finish()

    def on_end(self, progress):
        self.finish()

    def finish(self):
        """End the trace if one is being taken, and tell the costliest kernels."""
        if self._trace is None:
            return
        self._trace.__exit__(None, None, None)
        self._trace = None
        rows, busy_ms, span_ms = kernels(self.folder)
        lines = [
            "Profile of {} minibatches; the whole trace: tensorboard --logdir {}".format(
                GROUPS * MINIBATCHES_PER_GROUP, self.folder
            )
        ]
        if rows:
            lines.append("The GPU was busy for {:.1f} of {:.1f} ms ({:.0f} %).".format(busy_ms, span_ms, 100 * busy_ms / span_ms))
            write_text(self.table_path, "\n".join(table(rows, busy_ms, len(rows))) + "\n")
        else:
            lines.append("There is no GPU in it.")
        self.log("\n".join(lines + table(rows, busy_ms)[: 11 if rows else 0]))
