"""What a run writes while it trains: log.txt, the progress bar, stats.jsonl, TensorBoard events."""

import json
import os
import sys
import time

from tqdm import tqdm

from ..tf import tf1
from ..training.loop import Callback
from ..training.status import scalars, tick_line
from .device import peak_gpu_memory_gb


class Log:
    """Prints to the terminal and, line by line, to log.txt of the run folder; a resume appends.

    Args:
        path: The file, or None for the terminal only.
        quiet: Write to the file only.
    """

    def __init__(self, path, quiet=False):
        self.file = open(str(path), "a", encoding="utf-8") if path else None  # noqa: SIM115 - closed in close()
        self.quiet = quiet

    def __call__(self, text=""):
        if not self.quiet:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        if self.file:
            self.file.write(text + "\n")
            self.file.flush()

    def close(self):
        if self.file:
            self.file.close()
            self.file = None


class TickLog(Callback):
    """Writes the tick line, and what the augmentation controller has to say."""

    def __init__(self, log, controller=None):
        self.log, self.controller = log, controller

    def on_tick(self, progress):
        counters, controller = progress.state.counters, self.controller
        p = controller.p if controller is not None else 0.0
        self.log(
            tick_line(
                progress.tick,
                counters.nimg / 1000.0,
                counters.elapsed_s,
                progress.tick_s,
                progress.tick_nimg / 1000.0,
                progress.maintenance_s,
                peak_gpu_memory_gb(),
                p,
            )
        )
        warning = controller.warning() if controller is not None else None
        if warning:
            self.log(warning)


class ProgressBar(Callback):
    """Shows kimg, images per second and the time to the end; silent when not wanted."""

    def __init__(self, disable=False):
        self.disable, self.bar = disable, None

    def on_start(self, progress):
        nimg = progress.state.counters.nimg
        # Batches of four minibatches would overshoot the last kimg; the bar stops at its end.
        self.bar = tqdm(
            total=progress.config.total_kimg,
            initial=round(nimg / 1000.0, 1),
            unit="kimg",
            disable=self.disable,
            dynamic_ncols=True,
            smoothing=0.1,
            desc="Compiling the network",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} kimg [{elapsed}<{remaining}{postfix}]",
        )

    def on_group(self, progress):
        kimg = min(progress.state.counters.nimg / 1000.0, progress.config.total_kimg)
        self.bar.set_description_str("Training", refresh=False)
        self.bar.set_postfix_str("{:.1f} img/s".format(progress.images_per_second), refresh=False)
        self.bar.update(kimg - self.bar.n)

    def on_end(self, progress):
        self.bar.close()


class StatsFile(Callback):
    """Appends one JSON line a tick to stats.jsonl: value by name, and the time."""

    def __init__(self, run_dir):
        self.path = os.path.join(str(run_dir), "stats.jsonl")

    def on_start(self, progress):
        """Drop the lines of ticks after the snapshot that the run goes on from; they come again."""
        if not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8") as file:
            whole = [line for line in file if line.endswith("\n")]
        lines = [line for line in whole if json.loads(line)["Progress/tick"] < progress.state.counters.tick]
        with open(self.path + ".tmp", "w", encoding="utf-8") as file:
            file.writelines(lines)
        os.replace(self.path + ".tmp", self.path)

    def on_tick(self, progress):
        line = dict(scalars(progress, peak_gpu_memory_gb()), timestamp=time.time())
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class TensorBoardEvents(Callback):
    """Writes tfevents whose step is the number of images, by NVIDIA's names."""

    def __init__(self, run_dir):
        with tf1.Graph().as_default():  # the writer of scalars that needs no TensorBoard package works in graph mode only
            self.writer = tf1.summary.FileWriter(str(run_dir))

    def on_tick(self, progress):
        values = [
            tf1.Summary.Value(tag=name, simple_value=value) for name, value in scalars(progress, peak_gpu_memory_gb()).items()
        ]
        self.writer.add_summary(tf1.Summary(value=values), progress.state.counters.nimg)
        self.writer.flush()

    def on_end(self, progress):
        self.writer.close()
