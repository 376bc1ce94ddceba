"""Measure the snapshots of a run from a notebook, in a separate process, and show the curves and the best."""

import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple, Union

from ..config.metric_names import lower_is_better
from ..dataset.local_copy import local_copy
from ..errors import UserError
from ..files import FilePath, replace_with_copy
from ..generate.find_network import run_pickles
from ..machine import in_colab
from ..metrics.neighbours import NEARER
from ..metrics.report import best_measurement, measured_names, read_measurements
from ..native_log import ENTRY
from ..previews.timeline import as_jpeg
from ..processes import STOP_S, ChildProcess
from ..run_files import PICKLE, metric_picture, neighbours_name, order_of, snapshot_name
from ..storage import run_folder
from ..storage.saved_config import saved_config
from ..storage.workspace import MACHINE_FOLDER, Workspace
from ..words import duration
from .form_words import as_fields
from .html import escape, heading, picture, show, table
from .plan import find_dataset, find_run
from .session import plainly, tell, workspace
from .status_line import StatusLine

# What the verb prints for the log: results, which the curves show, paths, and what `nearest_images` shows itself.
NOT_SHOWN = re.compile(rf"\stime\s+\d|[/\\]|{NEARER}|^Traceback|^  |^(Error|Expected|Next|Not measured): ")


@plainly
def evaluate(
    run: Union[str, int, None] = None,
    metrics: Union[str, Sequence[str], None] = None,
    every: int = 1,
    budget_minutes: Optional[float] = None,
    **options: Any,
) -> Dict[str, Tuple[float, str]]:
    """Measure the snapshots of a run and show the curves; what was measured before is not measured again.

    Args:
        run: Name or number of the run; None is the newest.
        metrics: Names with commas, such as "fid50k_full,kid50k_full"; None takes those that the run was begun with; "none"
            measures nothing.
        every: N: measure every N-th snapshot.
        budget_minutes: Take as many fakes as fit into this time for a snapshot.
        options: Further options of `sg2ada metrics`, with underscores.

    Returns:
        {metric: (best value, snapshot)} of what was asked for.
    """
    here = workspace()
    name, folders = find_run(here, run)
    names = [one.strip() for one in metrics.split(",")] if isinstance(metrics, str) else metrics
    if names is not None and set(names) <= {"none", ""}:
        tell("info", "Nothing is measured: choose a metric in the form first.")
        return {}
    words = ["metrics", folders[0], "--every", str(every)] + (["--metrics", ",".join(names)] if names else [])
    words += ["--budget", str(budget_minutes)] if budget_minutes else []
    before = run_folder.measured(folders[0])
    _measure(here, folders, words, options)
    best = asked_for(best_of(folders[0]), names, before, run_folder.measured(folders[0]))
    show_results(name, folders[0], best)
    return {metric: (value, snapshot) for metric, value, snapshot in best}


@plainly
def nearest_images(run: Union[str, int, None] = None, how_many: int = 8, snapshot: Union[str, int] = "best") -> None:
    """Show fakes of one snapshot, each beside the training images that are most like it.

    Args:
        run: Name or number of the run; None is the newest.
        how_many: Fakes to show.
        snapshot: "best" of what was measured, "newest", or the kimg of a snapshot.
    """
    here = workspace()
    name, folders = find_run(here, run)
    path = find_snapshot(folders, snapshot)
    words = ["metrics", path, "--metrics", "none", "--neighbours", str(how_many)]
    said = _measure(here, folders, words, {})
    at: Any = snapshot_name(os.path.basename(path))
    picture_path = os.path.join(os.path.dirname(path), neighbours_name(at))
    if os.path.isfile(picture_path):
        alt = "fakes on the left, each beside the training images that are most like it"
        title = f"{name} at {order_of(at)[0]} kimg"
        sentence = next((line for line in said if NEARER in line), "")
        show(heading(title) + f"<p>{escape(sentence)}</p>" + picture(as_jpeg(picture_path), alt), f"{title}. {sentence}")


def find_snapshot(folders: Sequence[str], wanted: Union[str, int] = "best") -> str:
    """Return the path of a snapshot of a run.

    Args:
        folders: Of the run, the nearest first.
        wanted: "best" (the newest where nothing was measured), "newest", or a kimg.

    Raises:
        UserError: There is none.
    """
    paths = {name: found[0] for name, found in run_pickles(folders).items()}  # new to old
    best = [snapshot[len(PICKLE) :] for _, _, snapshot in best_of(folders[0])]
    chosen = [name for name in best if name in paths] if wanted == "best" else []
    if wanted in ("best", "newest"):
        chosen = chosen or list(paths)[:1]
    else:
        chosen = [name for name in paths if str(wanted).isdigit() and order_of(name)[0] == int(wanted)]
    if chosen:
        return paths[chosen[0]]
    kimgs = [str(order_of(name)[0]) for name in reversed(list(paths))]
    raise UserError(
        f"There is no snapshot {wanted!r} in {os.path.basename(folders[0])}.",
        "best, newest, or one of these kimg: {}".format(", ".join(kimgs) or "none yet"),
        "write one of these" if paths else "train until the first snapshot is saved",
    )


def asked_for(
    best: List[Tuple[str, float, str]],
    names: Optional[Sequence[str]],
    before: Mapping[str, List[float]],
    after: Mapping[str, List[float]],
) -> List[Tuple[str, float, str]]:
    """Return those of `best_of` that a call asked for, so that a later cell does not repeat the charts of an earlier one.

    Args:
        names: Metrics that were asked for; None for all.
        before, after: `run_folder.measured` before and after: a metric may be measured over fewer fakes than its name asks for,
            or another one in its place.
    """
    if names is None:
        return best
    kinds = {_kind(name) for name in names}
    chosen = [one for one in best if one[0] in names or _kind(one[0]) in kinds or before.get(one[0]) != after.get(one[0])]
    exact = [one for one in best if one[0] in names]
    return exact if len(exact) == len(set(names)) else chosen


def _kind(metric):
    """Return what a metric is but for the number of fakes: "fid5k_full" and "fid50k_full" are both "fid_full"."""
    return re.sub(r"\d+k?", "", metric)


def _measure(here, folders, words, options):
    """Run the verb `metrics` for a run; return what it said."""
    words = words + (["--metricdata", metric_data(here, folders)] if "metricdata" not in options else [])
    for option, value in options.items():
        if value is not None and value is not False:
            words += ["--" + option.replace("_", "-")] + ([] if value is True else [str(value)])
    if len(folders) > 1:
        words += ["--cache", os.path.join(os.path.dirname(folders[-1]), "metric-cache")]
    output = run_verb(words, Progress(StatusLine()))
    if len(folders) > 1:
        _copy_results(folders[0], folders[-1])
    if output.code not in (0, 130):
        tell("warn", "Not everything could be measured.", as_fields("\n".join(output.last)))
    return output.said


def metric_data(here: Workspace, folders: Sequence[str]) -> str:
    """Return the path of the dataset that a run is measured on; in a fresh machine it lies elsewhere than when the run began."""
    config, _, _ = saved_config(folders)
    if os.path.exists(config.metrics.data_path):
        return config.metrics.data_path
    path = find_dataset(here, os.path.basename(config.metrics.data_path.rstrip("/")))
    return local_copy(path, os.path.join(MACHINE_FOLDER, "datasets")) if in_colab() else path


def run_verb(words: Sequence[str], output: "Progress", command: Optional[Sequence[str]] = None) -> "Progress":
    """Run one of our verbs in a process, so that its GPU memory is free again afterwards.

    The stop button ends it cleanly; pressed twice, at once.

    Args:
        words: The verb and its arguments.
        output: `Progress` that is given its lines.
        command: Words of the command before them; None for this package's.

    Returns:
        `output`, with its exit code.
    """
    process, interrupted = ChildProcess(words, command=command), 0
    try:
        while True:
            try:
                for line in process.lines():
                    output.add(line)
                break
            except KeyboardInterrupt:
                process.interrupt()
                interrupted += 1
                if interrupted > 1:
                    break
                output.line.write("Stopping. What is done already is kept.")
        output.end(process.wait(STOP_S if interrupted else None))
        return output
    finally:
        process.kill()


class Progress:
    """Shows how far a measurement is on one line, and what it notes; its log lines are kept, not shown.

    Args:
        line: `StatusLine`.
        begin: What it says before the first step.
        clock: Callable that returns seconds.
    """

    def __init__(self, line: StatusLine, begin: str = "Loading TensorFlow.", clock: Callable[[], float] = time.monotonic) -> None:
        self.line = line
        self.said: List[str] = []
        self._noted: Set[str] = set()
        self.code: Optional[int] = None
        self.clock, self.began = clock, clock()
        self.line.write(begin)

    @property
    def last(self) -> List[str]:
        """The last lines, for a failure."""
        return self.said[-6:]

    def add(self, line: str) -> None:
        """Take a line of the verb's output; of a progress bar, a line is a step."""
        line = line.strip()
        bar = re.match(re.escape(PICKLE) + r"(\d+)\S*\s+(.*?):?\s*(\d+)%\|", line)
        if bar:
            self.line.write(f"Measuring the snapshot at {int(bar.group(1))} kimg: {bar.group(2)}, {bar.group(3)} %")
        elif line and "%|" not in line and not ENTRY.match(line.encode()):
            self.said.append(line)
            said = line.partition(" (")[0]  # of each snapshot the same, but for its figures
            if not NOT_SHOWN.search(line) and said not in self._noted:
                self._noted.add(said)
                self.line.finish(as_fields(line))

    def end(self, code: Optional[int]) -> None:
        """Take the exit code."""
        self.code, seconds = code, duration(self.clock() - self.began)
        self.line.finish({0: f"Done in {seconds}.", 130: "Stopped."}.get(code, "Ended with an error."))  # type: ignore[arg-type]


def best_of(run_dir: FilePath) -> List[Tuple[str, float, str]]:
    """Return [(metric, best value, snapshot)] of a run folder."""
    found = []
    for metric in measured_names(run_dir):
        best = best_measurement(read_measurements(run_dir, metric), lower_is_better(metric))
        if best is not None:
            found.append((metric, next(iter(best.values.values())), best.snapshot))
    return found


def show_results(name: str, run_dir: FilePath, best: Sequence[Tuple[str, float, str]]) -> None:
    """Show the best value of each metric and its curve."""
    rows = [(metric, f"{value:.4g}", f"{_kimg(snapshot)} kimg") for metric, value, snapshot in best]
    plain = "\n".join("{}: best {} at {}".format(*row) for row in rows) or "Nothing measured yet."
    content = table(rows, ("metric", "best", "at")) if rows else "Nothing measured yet."
    for metric, value, snapshot in best:
        path = os.path.join(run_dir, metric_picture(metric))
        if os.path.isfile(path):
            alt = f"the curve of {metric} over kimg; its best is {value:.4g} at {_kimg(snapshot)} kimg"
            content += picture(as_jpeg(path, 900), alt, zoom=False)
    show(heading(name) + content, plain)


def _kimg(snapshot):
    return order_of(snapshot[len(PICKLE) :])[0] if snapshot.startswith(PICKLE) else snapshot


def _copy_results(here, there):
    """Copy the small files that hold results to the run's folder on Drive, or say that they are not there."""
    try:
        for path in run_folder.metric_files(here):
            replace_with_copy(path, os.path.join(there, os.path.basename(path)))
    except OSError as error:
        tell(
            "warn",
            f"The results could not be copied to Drive: {error.strerror or error}.",
            "They are on this machine; run this cell again.",
        )
