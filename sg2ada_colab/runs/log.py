"""What a run tells of each tick: a line of the log, the progress bar, stats.jsonl, TensorBoard events."""

import json
import os
import time
from typing import Any, Callable

from tqdm import tqdm

from .. import run_files
from ..files import FilePath, atomic_file
from ..json_files import parse_shape
from ..tf import tf1
from ..training.loop import Callback, TrainingProgress
from ..training.status import scalars, tick_line
from ..words import counted
from .device import peak_gpu_memory_gb
from .log_file import Log


class TickLog(Callback):
    """Writes the tick line, and what the augmentation controller has to say."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def on_tick(self, progress: TrainingProgress) -> None:
        controller = progress.state.controller
        self.log(tick_line(progress, peak_gpu_memory_gb()))
        warning = controller.warning() if controller is not None else None
        if warning:
            self.log(warning)


class ProgressBar(Callback):
    """Shows kimg, images per second and the time to the end; silent when not wanted."""

    def __init__(self, disable: bool = False) -> None:
        self.disable = disable
        self.bar: Any = None

    def on_start(self, progress: TrainingProgress) -> None:
        nimg = progress.state.counters.nimg
        # Batches of four minibatches would overshoot the last kimg; the bar stops at its end.
        self.bar = tqdm(
            total=progress.config.schedule.total_kimg,
            initial=round(nimg / 1000.0, 1),
            unit="kimg",
            disable=self.disable,
            dynamic_ncols=True,
            smoothing=0.1,
            desc="Compiling the network",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} kimg [{elapsed}<{remaining}{postfix}]",
        )

    def on_group(self, progress: TrainingProgress) -> None:
        kimg = min(progress.state.counters.nimg / 1000.0, progress.config.schedule.total_kimg)
        self.bar.set_description_str("Training", refresh=False)
        self.bar.set_postfix_str(f"{progress.images_per_second:.1f} img/s", refresh=False)
        self.bar.update(kimg - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class StatsFile(Callback):
    """Appends one JSON line a tick to stats.jsonl: value by name, and the time."""

    def __init__(self, run_dir: FilePath, say: Callable[[str], Any] = print) -> None:
        self.path, self.say = os.path.join(str(run_dir), run_files.STATS), say

    def on_start(self, progress: TrainingProgress) -> None:
        """Drop the lines of ticks after the snapshot that the run goes on from; they come again."""
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as file:
            ticks = [(line, _tick_of(line)) for line in file if line.strip()]
        damaged = sum(tick is None and line.endswith(b"\n") for line, tick in ticks)  # the last may have been cut short
        if damaged:
            self.say(f"{self.path}: {counted(damaged, 'damaged line', 'damaged lines')} left out.")
        with atomic_file(self.path) as file:
            for line, tick in ticks:
                if tick is not None and tick < progress.state.counters.tick:
                    file.write(line)

    def on_tick(self, progress: TrainingProgress) -> None:
        line = dict(scalars(progress, peak_gpu_memory_gb()), timestamp=time.time())
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _tick_of(line):
    """Return the tick of a line of stats.jsonl; None where the line is damaged or was cut short."""
    try:
        return parse_shape(line, {"Progress/tick": int})["Progress/tick"] if line.endswith(b"\n") else None
    except ValueError:
        return None


class TensorBoardEvents(Callback):
    """Writes tfevents whose step is the number of images, by NVIDIA's names."""

    def __init__(self, run_dir: FilePath) -> None:
        self.run_dir = str(run_dir)
        self.writer: Any = None

    def on_start(self, progress: TrainingProgress) -> None:
        with tf1.Graph().as_default():  # the writer of scalars that needs no TensorBoard package works in graph mode only
            self.writer = tf1.summary.FileWriter(self.run_dir)

    def on_tick(self, progress: TrainingProgress) -> None:
        values = [
            tf1.Summary.Value(tag=name, simple_value=value) for name, value in scalars(progress, peak_gpu_memory_gb()).items()
        ]
        self.writer.add_summary(tf1.Summary(value=values), progress.state.counters.nimg)
        self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
