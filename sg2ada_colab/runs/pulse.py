"""Where training stands, for a process that watches it: a small file, written at most once a second."""

import json
import time
from contextlib import suppress

from ..files import write_text
from ..training.loop import Callback, TrainingProgress

PULSE_EVERY_S = 1.0


class Pulse(Callback):
    """Writes {"kimg", "images_per_second", "session_s", "time"} into a file.

    Args:
        path: Of the file.
    """

    def __init__(self, path: str) -> None:
        self.path, self.written = path, 0.0

    def on_start(self, progress: TrainingProgress) -> None:
        self.write(progress)

    def on_group(self, progress: TrainingProgress) -> None:
        if progress.done or time.time() - self.written >= PULSE_EVERY_S:
            self.write(progress)

    def write(self, progress: TrainingProgress) -> None:
        self.written = time.time()
        kimg, speed = progress.state.counters.nimg / 1000, progress.images_per_second
        pulse = {"kimg": kimg, "images_per_second": speed, "session_s": progress.session_s, "time": self.written}
        with suppress(OSError):  # a full disk: the run itself says so
            write_text(self.path, json.dumps(pulse))
