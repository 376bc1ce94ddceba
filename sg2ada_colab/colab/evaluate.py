"""Measure the snapshots of a run from a notebook, in a process of its own, and show the curves and the best."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from ..dataset.local_copy import local_copy
from ..errors import UserError
from ..metrics.report import best_measurement, lower_is_better, measured_names, read_measurements
from ..previews.timeline import as_jpeg
from ..training.options_file import FILE_NAME, read_config
from .html import picture, show, table
from .plan import find_dataset, runs_of
from .runtime import in_colab
from .session import plainly, tell, workspace
from .supervisor import search_path
from .workspace import MACHINE_FOLDER

BAR_EVERY_S, STOP_S = 15.0, 60.0


def find_run(here, run=None):
    """Return (run name, its folders, the nearest first): a run by its name or number, or the newest.

    Args:
        here: `Workspace`.

    Raises:
        UserError: There is none.
    """
    runs = runs_of(here)
    wanted = str(run) if run not in (None, "") else None
    for name, folders in runs:
        if wanted in (None, name) or (wanted.isdigit() and int(name.split("-")[0]) == int(wanted)):
            return name, folders
    raise UserError(
        "There is no run {!r}.".format(run) if wanted else "There is no run yet.",
        "one of: {}".format(", ".join(name for name, _ in runs[:10])) if runs else "a run in {}".format(here.results),
        "write one of these names" if runs else "run the notebook that trains first",
    )


@plainly
def evaluate(run=None, metrics=None, every=1, budget_minutes=None, neighbours=0, **options):
    """Measure the snapshots of a run and show the results; what was measured before is not measured again.

    Args:
        run: Name or number of the run; None is the newest.
        metrics: Names with commas, such as "fid50k_full,kid50k_full"; None takes those that the run was begun with.
        every: Measure every so many snapshots.
        budget_minutes: Take so many fakes as fit into this time for a snapshot.
        neighbours: Also draw so many fakes beside the training images nearest to them.
        options: Further options of `sg2ada metrics`, with underscores.

    Returns:
        {metric: (best value, snapshot)}.
    """
    here = workspace()
    name, folders = find_run(here, run)
    words = ["metrics", folders[0], "--every", str(every), "--neighbours", str(neighbours)]
    words += ["--metrics", metrics if isinstance(metrics, str) else ",".join(metrics)] if metrics else []
    words += ["--metricdata", metric_data(here, folders)] if "metricdata" not in options else []
    words += ["--budget", str(budget_minutes)] if budget_minutes else []
    for option, value in options.items():
        if value is not None and value is not False:
            words += ["--" + option.replace("_", "-")] + ([] if value is True else [str(value)])
    if len(folders) > 1:
        words += ["--cache", os.path.join(os.path.dirname(folders[-1]), "metric-cache")]
    code, last = run_verb(words)
    if len(folders) > 1:
        _copy_results(folders[0], folders[-1])
    best = best_of(folders[0])
    show_results(name, folders[0], best)
    if code not in (0, 130):
        tell("warn", "Not everything could be measured.", last)
    return {metric: (value, snapshot) for metric, value, snapshot in best}


def metric_data(here, folders):
    """Return the path of the dataset that a run is measured on; in a fresh machine it lies elsewhere than when the run began."""
    config = next(read_config(folder) for folder in folders if os.path.isfile(os.path.join(folder, FILE_NAME)))
    if os.path.exists(config.metric_data_path):
        return config.metric_data_path
    path = find_dataset(here, os.path.basename(config.metric_data_path.rstrip("/")))
    return local_copy(path, os.path.join(MACHINE_FOLDER, "datasets")) if in_colab() else path


def run_verb(words, say=print, command=None):
    """Run one of our verbs in a process, so that its GPU memory is free again afterwards; show what it prints.

    The stop button ends it cleanly; pressed twice, at once.

    Args:
        words: The verb and its arguments.
        say: Callable of a line.
        command: Words of the command before them; None for this package's.

    Returns:
        (exit code, its last lines).
    """
    environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONPATH=search_path())
    process = subprocess.Popen(
        (command or [sys.executable, "-m", "sg2ada_colab"]) + [str(word) for word in words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, env=environment,
        universal_newlines=True, errors="replace",
    )  # fmt: skip
    output, interrupted = Output(say), False
    try:
        while True:
            try:
                for line in process.stdout:
                    output.add(line)
                break
            except KeyboardInterrupt:
                if interrupted:
                    break
                interrupted = True
                process.send_signal(signal.SIGINT)
                say("Stopping; what was measured is kept.")
        if interrupted:
            process.wait(STOP_S)
        else:
            process.wait()
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    return process.returncode, "\n".join(output.last)


class Output:
    """Passes a program's lines on; of a progress bar, which is redrawn many times, one line now and then."""

    def __init__(self, say):
        self.say, self.last, self._next = say, [], time.monotonic() + BAR_EVERY_S

    def add(self, line):
        line = line.strip()
        bar = re.match(r"(.*?)\s*(\d+)%\|", line)
        if bar and time.monotonic() >= self._next:
            self._next = time.monotonic() + BAR_EVERY_S
            self.say("{} {} %".format(bar.group(1), bar.group(2)))
        elif line and not bar:
            self.last = (self.last + [line])[-6:]
            self.say(line)


def best_of(run_dir):
    """Return [(metric, best value, snapshot)] of a run folder."""
    found = []
    for metric in measured_names(run_dir):
        best = best_measurement(read_measurements(run_dir, metric), lower_is_better(metric))
        if best is not None:
            found.append((metric, next(iter(best.values.values())), best.snapshot))
    return found


def show_results(name, run_dir, best):
    """Show the best value of each metric, its curve, and the nearest neighbours."""
    rows = [(metric, "{:.4g}".format(value), snapshot) for metric, value, snapshot in best]
    plain = "\n".join("{}: best {} at {}".format(*row) for row in rows) or "Nothing measured yet."
    content = table(rows, ("metric", "best", "snapshot")) if rows else "Nothing measured yet."
    for metric, value, snapshot in best:
        path = os.path.join(run_dir, "metric-{}.png".format(metric))
        if os.path.isfile(path):
            alt = "the curve of {} over kimg; its best is {:.4g} at {}".format(metric, value, snapshot)
            content += picture(as_jpeg(path, 900), alt, metric, zoom=False)
    for path in sorted(glob.glob(os.path.join(glob.escape(run_dir), "neighbours-*.png")))[-1:]:
        alt = "fakes, each beside the training image that is most like it"
        content += picture(as_jpeg(path), alt, "Fakes beside their nearest training images")
    show("<h4>{}</h4>".format(name) + content, plain)


def _copy_results(here, there):
    """Copy the small files that hold results to the run's folder on Drive."""
    for pattern in ("metric-*", "neighbours-*.png"):
        for path in glob.glob(os.path.join(glob.escape(here), pattern)):
            if os.path.isfile(path):
                shutil.copyfile(path, os.path.join(there, os.path.basename(path)))
