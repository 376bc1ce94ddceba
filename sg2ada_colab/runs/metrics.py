"""The metrics of a run: when its snapshots are measured, with how many images, between ticks or in a process of their own."""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time

from ..dataset import open_dataset
from ..errors import UserError
from ..metrics.catalogue import parse_metric
from ..metrics.features import where_weights_are_missing
from ..metrics.report import format_seconds, lower_is_better, measured_names, read_measurements
from ..metrics.schedule import is_due, seconds_allowed, standing_for
from ..training.loop import Callback

SPEAK_SECONDS = 60.0  # between two lines on how far a measurement is
STOP_SECONDS = 60.0  # that a process of metrics is given to save what it has


class Metrics(Callback):
    """Measures the snapshots that fall on a snapshot tick, every so many; a metric that fails is told and training goes on.

    Args:
        dataset: Dataset with the reals, unless the config names another.
        config: TrainConfig.
        store: RunStore, which is told what is best.
        snapshots: The Snapshots callback, which must come before this one.
        log: Callable of one line.
        stop: Callable; a reason to leave a measurement.
    """

    def __init__(self, dataset, config, store, snapshots, log, stop):
        self.dataset, self.config, self.store, self.snapshots, self.log, self.stop = dataset, config, store, snapshots, log, stop
        self._measure = self._aside = None
        self._begin_nimg, self._spent_s, self._passing_over = 0, 0.0, False

    def on_start(self, progress):
        self._begin_nimg = progress.state.counters.nimg
        for name in self.config.metrics:
            missing = where_weights_are_missing(parse_metric(name).network)
            if missing:
                self.log("{}: {}".format(name, missing))

    def on_tick(self, progress):
        due = is_due(progress.tick, self.config.network_snapshot_ticks, self.config.metrics_every)
        if self.config.metrics and (progress.done or (due and self._within_budget(progress))):
            began = time.time()
            self.measure(progress)
            self._spent_s += time.time() - began

    def on_group(self, progress):
        if self._aside is not None and self._aside.ended():
            self._take_results()

    def on_end(self, progress):
        if self._aside is None:
            return
        if not progress.stopped:
            self._aside.wait(self.stop)
        elif self._aside.interrupt():
            self._say_left()
            return
        self._take_results()

    def measure(self, progress):
        """Measure the newest snapshot; whatever goes wrong, training goes on."""
        try:
            self.snapshots.save(progress)
            self.store.wait()
            newest = self.store.snapshots()[-1]
            path, budget_s = self.store.path("network-snapshot-{}.pkl".format(newest.name)), self.budget_s(progress)
            if self.config.metrics_aside:
                self._start_aside(path, budget_s, progress.done)
            else:
                metrics = self._metrics()
                metrics.budget_s = budget_s
                results = metrics.measure_or_say(path)
                if results:
                    self._note(newest.name, results[0].name, next(iter(results[0].values.values())))
        except UserError as error:
            self.log("No metric: {}".format(error))
            self.config = dataclasses.replace(self.config, metrics=[])
        except KeyboardInterrupt:
            if self.stop() is None:
                raise
            self._say_left()

    def budget_s(self, progress):
        """Return the seconds that one measurement may take to keep to the share of the session, None where there is no limit."""
        config, kimg = self.config, (progress.state.counters.nimg - self._begin_nimg) / 1000.0
        if not config.metrics_budget or kimg <= 0:
            return None
        seconds_per_kimg = max(progress.session_s - self._spent_s, 1.0) / kimg
        between = seconds_per_kimg * config.network_snapshot_ticks * config.kimg_per_tick
        return seconds_allowed(config.metrics_budget / 100.0, between, config.metrics_every)

    def _within_budget(self, progress):
        """Return whether what was measured so far took no more than its share; one that took longer is made up for first."""
        budget = self.config.metrics_budget
        within = not budget or self._spent_s <= budget / 100.0 * progress.session_s
        if not within and not self._passing_over:
            text = "Snapshots are not measured until the metrics' {:.0f} s are no more than {:g} % of the session."
            self.log(text.format(self._spent_s, budget))
        self._passing_over = not within
        return within

    def _say_left(self):
        self.log("The measurement was left for the stop; it goes on with: sg2ada metrics {}".format(self.store.run_dir))

    def _note(self, snapshot_name, metric, value):
        if self.config.keep_best:
            self.store.note_metric(snapshot_name, metric, value, lower_is_better(metric))

    def _metrics(self):
        if self._measure is None:
            from ..metrics.snapshots import SnapshotMetrics  # takes a feature network, which not every run wants

            dataset, config = self.dataset, self.config
            if config.metric_data_path != config.data_path:
                dataset = open_dataset(config.metric_data_path, resolution=config.resolution)
            self._measure = SnapshotMetrics(
                dataset, config.metrics, mirror=config.mirror_x, xla=config.xla, seed=config.seed, say=self.log,
                progress=SpokenProgress(self.log), should_stop=lambda: self.stop() is not None,
            )  # fmt: skip
        return self._measure

    # --- in a process of its own

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
        """Tell what the process said, and note what it found."""
        aside, self._aside = self._aside, None
        if aside is None:
            return
        self._spent_s += aside.seconds
        for line in aside.output():
            self.log(line)
        if not self.config.metrics:
            return
        stem = os.path.splitext(os.path.basename(aside.snapshot_path))[0]
        metric = standing_for(self.config.metrics[0], measured_names(self.store.run_dir))
        for item in read_measurements(self.store.run_dir, metric) if metric else ():
            if item.snapshot == stem:
                self._note(stem[len("network-snapshot-") :], metric, next(iter(item.values.values())))


class AsideMeasurement:
    """`sg2ada metrics` on one snapshot in a process of its own, while training goes on.

    Args:
        config: TrainConfig.
        snapshot_path: network-snapshot-NNNNNN.pkl of the run.
        budget_s: Seconds that it may take, or None.
    """

    def __init__(self, config, snapshot_path, budget_s=None):
        self.snapshot_path, self._began, self.seconds = str(snapshot_path), time.time(), 0.0
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - the process writes it, `output` closes it
        words = ["metrics", self.snapshot_path, "--metrics", ",".join(config.metrics), "--metricdata", config.metric_data_path]
        words += ["--mirror", str(int(config.mirror_x)), "--seed", str(config.seed)]
        words += ["--budget", "{:.3f}".format(budget_s / 60.0)] if budget_s else []
        words += [] if config.xla else ["--no-xla"]
        package_folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        paths = [package_folder] + [path for path in [os.environ.get("PYTHONPATH")] if path]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sg2ada_colab"] + words, stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=subprocess.STDOUT, start_new_session=True, env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        )  # fmt: skip

    def ended(self):
        """Return whether it has ended; `seconds` is how long it has taken, seen at the latest look."""
        if self._process.returncode is None:
            self.seconds = time.time() - self._began
        return self._process.poll() is not None

    def wait(self, stop):
        """Wait for the end, or interrupt it when `stop()` gives a reason."""
        while not self.ended():
            if stop() is not None:
                self.interrupt()
            time.sleep(0.2)

    def interrupt(self):
        """End it, if it has not ended; it saves what it has. Returns whether it was interrupted."""
        if self.ended():
            return False
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return True

    def output(self):
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

    def __init__(self, say, every_s=SPEAK_SECONDS):
        self.say, self.every_s = say, every_s
        self._stage, self._began, self._first, self._spoke = None, 0.0, 0, 0.0

    def __call__(self, stage, done, total):
        now = time.time()
        if (stage, total) != self._stage or done <= self._first:
            self._stage, self._began, self._first, self._spoke = (stage, total), now, done, now
        elif now - self._spoke >= self.every_s and done < total:
            left_s = (total - done) * (now - self._began) / (done - self._first)
            self.say("Metrics: {:,} of {:,} {}, {} left".format(done, total, stage, format_seconds(left_s)))
            self._spoke = now
