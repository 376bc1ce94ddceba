"""Weights & Biases: what a run logs, sent to a project of the user's account; off unless `--wandb` names one."""

import os
import re
from contextlib import suppress
from typing import Any, Dict, Optional

from PIL import Image

from ..config.train_config import TrainConfig
from ..files import FilePath
from ..json_files import is_number
from ..machine import cache_folder
from ..storage import run_folder
from ..training.loop import Callback, TrainingProgress
from ..training.status import scalars
from .device import peak_gpu_memory_gb
from .log_file import Log

MISSING = (
    "Nothing is sent to Weights & Biases: the package wandb is not installed. Training goes on. To send: pip install wandb, and "
    "go on with the run."
)
GRID_PX = 1920  # a grid is sent no larger
STEP = "Progress/kimg"  # what all curves are drawn over; wandb's own step would not let a resume go back


class WeightsAndBiases(Callback):
    """Sends losses and all other values of a tick, metrics, and the newest grid of fakes. Whatever goes wrong, training goes on.

    A resume continues the same page: the run's identity is its name there.

    Args:
        run_dir: The run's folder.
        run_id: Its identity, see `RunStore`.
        config: TrainConfig, whose `engine.wandb` is the project.
        log: `Log`.
    """

    def __init__(self, run_dir: FilePath, run_id: str, config: TrainConfig, log: Log) -> None:
        self.run_dir, self.run_id, self.config, self.log = str(run_dir), run_id, config, log
        self.wandb: Any = None
        self.run: Any = None
        self._sent_grid: Optional[int] = None
        self._sent_lines: Dict[str, int] = {}

    def on_start(self, progress: TrainingProgress) -> None:
        try:
            import wandb
        except ImportError:
            self.log.note("warning", MISSING)
            return
        folder = cache_folder("wandb")  # what is still to be sent; not in the run's folder, which is copied to Drive
        os.makedirs(folder, exist_ok=True)
        self.wandb = wandb
        self.run = self._safely(
            wandb.init, project=self.config.engine.wandb, name=os.path.basename(self.run_dir), id=self.run_id, resume="allow",
            dir=folder, config=self.config.to_dict(),
        )  # fmt: skip
        if self.run is not None:
            self._safely(self.run.define_metric, "*", step_metric=STEP)
        self._new_results()  # those of before were sent before

    def on_tick(self, progress: TrainingProgress) -> None:
        if self.run is None:
            return
        values = scalars(progress, peak_gpu_memory_gb())
        kimg = values[STEP]
        grids = run_folder.grids(self.run_dir)
        if grids and max(grids) != self._sent_grid:
            self._sent_grid = max(grids)
            with suppress(OSError):  # a grid that was cut short
                values["Fakes"] = self._image(grids[self._sent_grid])
        self._safely(self.run.log, values)
        for metric, at_kimg, value in self._new_results():
            self._safely(self.run.log, {f"Metrics/{metric}": value, STEP: kimg if at_kimg is None else at_kimg})

    def on_end(self, progress: TrainingProgress) -> None:
        run, self.run = self.run, None
        if run is not None:
            self._safely(run.finish)

    def close(self) -> None:
        """Mark the page as of a run that failed, where `on_end` was not reached."""
        run, self.run = self.run, None
        if run is not None:
            self._safely(run.finish, exit_code=1)

    def _image(self, path):
        with Image.open(path) as image:
            image.thumbnail((GRID_PX, GRID_PX))
            return self.wandb.Image(image.convert("RGB"), caption=os.path.basename(path))

    def _new_results(self):
        """Return [(metric, kimg or None, value)] that were measured since the last call."""
        found = []
        for path in run_folder.metric_files(self.run_dir):
            if not path.endswith(".jsonl"):
                continue
            lines = run_folder.json_lines(path)
            new, self._sent_lines[path] = lines[self._sent_lines.get(path, 0) :], len(lines)
            for line in new:
                kimg = re.search(r"(\d{6,})(?:-\d+)?\.pkl$", str(line.get("snapshot_pkl")))
                results = line.get("results")
                for metric, value in results.items() if isinstance(results, dict) else ():
                    if is_number(value):
                        found.append((metric, int(kimg.group(1)) if kimg else None, value))
        return found

    def _safely(self, call, *args, **kwargs):
        """Call wandb; where it fails, warn once and send nothing more."""
        try:
            return call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a missing login, a network that is down: whatever it is, training goes on
            said = " ".join(str(error).split())[:200] or type(error).__name__
            text = f"Nothing is sent to Weights & Biases any more: {said}. Training goes on."
            hint = " If you have not logged in: wandb login" if self.run is None else ""
            self.log.note("warning", text + hint)
            self.run = None
            return None
