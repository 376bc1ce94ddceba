"""The metrics of a run: when its snapshots are measured, with how many images, between ticks or in a separate process."""

import dataclasses
import functools
import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..config.metric_names import lower_is_better, parse_metric
from ..config.train_config import TrainConfig
from ..dataset import open_dataset
from ..dataset.reading import Dataset
from ..errors import UserError
from ..files import FilePath
from ..formats.network_data import NetworkData
from ..metrics.features import missing_weights_message
from ..metrics.report import measured_names, read_measurements
from ..metrics.schedule import is_due, measured_name, seconds_allowed
from ..metrics.shared_passes import SharedPasses, help_to_measure
from ..processes import ChildProcess
from ..run_files import PICKLE, pickle_name
from ..storage.store import RunStore
from ..training.loop import Callback, TrainingProgress
from ..training.ranks import ALONE, OtherRankEnded, Ranks
from ..words import duration
from .callbacks import Snapshots
from .log_file import Log

SPEAK_SECONDS = 60.0  # between two lines on how far a measurement is
CLOSE_S = 10.0  # that a separate process has to save what it has measured where training is ended at once


class Metrics(Callback):
    """Measures the snapshots that fall on a snapshot tick, every N-th one; a metric that fails is logged and training goes on.

    Args:
        dataset: Dataset with the reals, unless the config names another.
        config: TrainConfig.
        store: RunStore, which is told what is best.
        snapshots: The Snapshots callback, which must come before this one.
        log: `Log`.
        stop: Callable; a reason to leave a measurement.
        ranks: The processes of the run, which measure together between ticks: the others with `HelpMeasure`.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        store: RunStore,
        snapshots: Snapshots,
        log: Log,
        stop: Callable[[], Optional[str]],
        ranks: Ranks = ALONE,
    ) -> None:
        self.dataset, self.config, self.store, self.snapshots, self.log, self.stop = dataset, config, store, snapshots, log, stop
        self.together = SharedPasses(ranks, log) if is_shared(config, ranks) else None
        self._measure: Any = None  # SnapshotMetrics, once something is measured in this process
        self._aside: Optional[AsideMeasurement] = None
        self._begin_nimg, self._spent_s, self._passing_over = 0, 0.0, False

    def on_start(self, progress: TrainingProgress) -> None:
        self._begin_nimg = progress.state.counters.nimg
        for name in self.config.metrics.names:
            missing = missing_weights_message(parse_metric(name).network)
            if missing:
                self.log(f"{name}: {missing}")

    def on_tick(self, progress: TrainingProgress) -> None:
        if not measures_at(progress, self.config):
            return
        try:
            if self.config.metrics.names and (progress.done or self._within_budget(progress)):
                began = time.time()
                self.measure(progress)
                self._spent_s += time.time() - began
        finally:
            if self.together:
                self.together.end()

    def on_group(self, progress: TrainingProgress) -> None:
        if self._aside is not None and self._aside.ended():
            self._take_results()

    def on_end(self, progress: TrainingProgress) -> None:
        if self._aside is None:
            return
        if not progress.stopped:
            self._aside.wait(self.stop)
        elif self._aside.interrupt():
            self._say_left()
            return
        self._take_results()

    def close(self) -> None:
        if self._aside is not None:
            self._aside.close()

    def measure(self, progress: TrainingProgress) -> None:
        """Measure the newest snapshot; whatever goes wrong, training goes on."""
        try:
            self.snapshots.save(progress)
            self.store.wait()
            newest = self.store.snapshots()[-1]
            path, budget_s = self.store.path(pickle_name(newest.name)), self.budget_s(progress)
            if self.config.metrics.aside:
                self._start_aside(path, budget_s, progress.done)
            else:
                metrics = self._metrics()
                metrics.budget_s = budget_s
                results = metrics.measure_or_say(path)
                if results:
                    self._note(newest.name, results[0].name, next(iter(results[0].values.values())))
        except OtherRankEnded:
            raise
        except UserError as error:
            self.log.note("warning", f"Metrics were not measured: {error}")
            nothing = dataclasses.replace(self.config.metrics, names=[])
            self.config = dataclasses.replace(self.config, metrics=nothing)
        except KeyboardInterrupt:
            if self.stop() is None:
                raise
            self._say_left()

    def budget_s(self, progress: TrainingProgress) -> Optional[float]:
        """Return the seconds that one measurement may take to keep to the share of the session, None where there is no limit."""
        config, kimg = self.config, (progress.state.counters.nimg - self._begin_nimg) / 1000.0
        if not config.metrics.budget_percent or kimg <= 0:
            return None
        seconds_per_kimg = max(progress.session_s - self._spent_s, 1.0) / kimg
        between = seconds_per_kimg * config.snapshots.network_ticks * config.schedule.kimg_per_tick
        return seconds_allowed(config.metrics.budget_percent / 100.0, between, config.metrics.every)

    def _within_budget(self, progress):
        """Return whether what was measured so far took no more than its share; one that took longer is made up for first."""
        budget = self.config.metrics.budget_percent
        within = not budget or self._spent_s <= budget / 100.0 * progress.session_s
        if not within and not self._passing_over:
            text = "Snapshots are not measured until the metrics' {:.0f} s are no more than {:g} % of the session."
            self.log(text.format(self._spent_s, budget))
        self._passing_over = not within
        return within

    def _say_left(self):
        self.log(f"The measurement was stopped; to finish it: sg2ada metrics {self.store.run_dir}")

    def _note(self, snapshot_name, metric, value):
        if self.config.snapshots.keep_best:
            self.store.note_metric(snapshot_name, metric, value, lower_is_better(metric))

    def _metrics(self):
        if self._measure is None:
            from ..metrics.snapshots import SnapshotMetrics, SnapshotOptions  # takes a feature network, which not every run wants

            options = SnapshotOptions(
                **how_to_measure(self.config),
                say=self.log,
                progress=SpokenProgress(self.log),
                should_stop=lambda: self.stop() is not None,
                together=self.together,
            )
            self._measure = SnapshotMetrics(measured_data(self.config, self.dataset), self.config.metrics.names, options)
        return self._measure

    # --- in a separate process

    def _start_aside(self, path, budget_s, last):
        if self._aside is not None and last:
            self._aside.wait(self.stop)
        if self._aside is not None and not self._aside.ended():
            text = "{} is not measured: {} is still being measured"
            self.log(text.format(os.path.basename(path), os.path.basename(self._aside.snapshot_path)))
            return
        self._take_results()
        self._aside = AsideMeasurement(self.config, path, budget_s)

    def _take_results(self):
        """Log what the process printed, and note the results."""
        aside, self._aside = self._aside, None
        if aside is None:
            return
        self._spent_s += aside.seconds
        for line in aside.output():
            self.log(line)
        if not self.config.metrics.names:
            return
        stem = os.path.splitext(os.path.basename(aside.snapshot_path))[0]
        metric = measured_name(self.config.metrics.names[0], measured_names(self.store.run_dir))
        for item in read_measurements(self.store.run_dir, metric) if metric else ():
            if item.snapshot == stem:
                self._note(stem[len(PICKLE) :], metric, next(iter(item.values.values())))


class HelpMeasure(Callback):
    """Computes its part of the features where the run's first process measures.

    Args:
        dataset, config: As of `Metrics`.
        ranks: The processes of the run.
    """

    def __init__(self, dataset: Dataset, config: TrainConfig, ranks: Ranks) -> None:
        self.dataset, self.config, self.ranks = dataset, config, ranks
        self._measure: Any = None

    def on_tick(self, progress: TrainingProgress) -> None:
        if is_shared(self.config, self.ranks) and measures_at(progress, self.config):
            help_to_measure(self.ranks, functools.partial(self._requested, progress.state))

    def _requested(self, state, metrics, source):
        from ..metrics.snapshots import SnapshotMetrics, SnapshotOptions

        if self._measure is None:
            options = SnapshotOptions(**how_to_measure(self.config), say=lambda sentence: None)
            self._measure = SnapshotMetrics(measured_data(self.config, self.dataset), self.config.metrics.names, options)
        return self._measure.request(metrics, NetworkData("Gs", state.Gs.config.to_kwargs(), state.Gs.get_values()), source)


def is_shared(config: TrainConfig, ranks: Ranks) -> bool:
    """Return whether the processes of a run measure together, all of them where `measures_at`."""
    return ranks.count > 1 and bool(config.metrics.names) and not config.metrics.aside


def measures_at(progress: TrainingProgress, config: TrainConfig) -> bool:
    """Return whether a run measures at the end of this tick, unless it has to leave it out for its budget."""
    return progress.done or is_due(progress.tick, config.snapshots.network_ticks, config.metrics.every)


def how_to_measure(config: TrainConfig) -> Dict[str, Any]:
    """Return those of the SnapshotOptions that a config decides."""
    return {"mirror": config.data.mirror_x, "seed": config.seed, "xla": config.engine.xla}


def measured_data(config: TrainConfig, dataset: Dataset) -> Dataset:
    """Return the Dataset with the reals: the one that is given, unless the config names another."""
    if config.metrics.data_path == config.data.path:
        return dataset
    return open_dataset(config.metrics.data_path, resolution=config.resolution)


class AsideMeasurement:
    """`sg2ada metrics` on one snapshot in a separate process, while training goes on.

    Args:
        config: TrainConfig.
        snapshot_path: network-snapshot-NNNNNN.pkl of the run.
        budget_s: Seconds that it may take, or None.
    """

    def __init__(self, config: TrainConfig, snapshot_path: FilePath, budget_s: Optional[float] = None) -> None:
        self.snapshot_path, self._began, self.seconds = str(snapshot_path), time.time(), 0.0
        self._has_ended = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - the process writes it, `output` closes it
        metrics = config.metrics
        words = ["metrics", self.snapshot_path, "--metrics", ",".join(metrics.names), "--metricdata", metrics.data_path]
        words += ["--mirror", str(int(config.data.mirror_x)), "--seed", str(config.seed)]
        words += ["--budget", f"{budget_s / 60.0:.3f}"] if budget_s else []
        words += [] if config.engine.xla else ["--no-xla"]
        self._process = ChildProcess(words, self._output)

    def ended(self) -> bool:
        """Return whether it has ended; `seconds` is how long it has taken, seen at the latest look."""
        if not self._has_ended:
            self.seconds = time.time() - self._began
            self._has_ended = self._process.poll() is not None
        return self._has_ended

    def wait(self, stop: Callable[[], Optional[str]]) -> None:
        """Wait for the end, or interrupt it when `stop()` gives a reason."""
        while not self.ended():
            if stop() is not None:
                self.interrupt()
            time.sleep(0.2)

    def interrupt(self) -> bool:
        """End it, if it has not ended; it saves what it has. Returns whether it was interrupted."""
        if self.ended():
            return False
        self._process.stop()
        return True

    def close(self) -> None:
        """End it at once, where it has not ended: training does, by an exception or a second Ctrl-C."""
        try:
            self._process.end_session(CLOSE_S)
        finally:
            self._output.close()

    def output(self) -> List[str]:
        """Return the lines that it printed, without those of progress bars."""
        self._output.seek(0)
        text = self._output.read().decode("utf-8", errors="replace")
        self._output.close()
        lines = [line.split("\r")[-1].rstrip() for line in text.splitlines()]
        return [line for line in lines if line and "img/s]" not in line]


class SpokenProgress:
    """Says once a minute how far a measurement is and how long it still takes.

    Args:
        say: Callable of one line.
    """

    def __init__(self, say: Callable[[str], Any], every_s: float = SPEAK_SECONDS) -> None:
        self.say, self.every_s = say, every_s
        self._stage: Optional[Tuple[str, int]] = None
        self._began, self._first, self._spoke = 0.0, 0, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.time()
        if (stage, total) != self._stage or done <= self._first:
            self._stage, self._began, self._first, self._spoke = (stage, total), now, done, now
        elif now - self._spoke >= self.every_s and done < total:
            left_s = (total - done) * (now - self._began) / (done - self._first)
            self.say(f"Metrics: {done:,} of {total:,} {stage}, {duration(left_s)} left")
            self._spoke = now
