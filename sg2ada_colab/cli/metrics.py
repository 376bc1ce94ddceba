"""The verb `metrics`: measure one snapshot, a run or several, show the results, plot them, look for copies."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ..errors import UserError
from ..files import atomic_path
from ..run_files import metric_picture, neighbours_name

if TYPE_CHECKING:
    from ..dataset.reading import Dataset

DESCRIPTION = """\
Measure the quality of snapshots against their dataset. What a run's folder holds results of is not measured again; what was
interrupted goes on. Results are appended to metric-NAME.txt and metric-NAME.jsonl beside the snapshots, with a plot.

Metrics: fid50k_full, kid50k_full, pr50k3_full, is50k, fid50k, kid50k, pr50k3, ppl2_wend, ppl_zfull, ppl_wfull, ppl_zend,
ppl_wend; the number may be smaller (fid5k_full). kid_efflite0 and fd_efflite0 use a small network that a package brings, and are
not FIDs."""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = verbs.add_parser(
        "metrics",
        help="measure FID and other metrics of snapshots",
        usage="sg2ada metrics PATH [PATH ...] [options]",
        description=DESCRIPTION,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110),
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help="snapshot (.pkl), or folder of a run")
    parser.add_argument("--network", action="append", default=[], metavar="PKL", help="a snapshot, as in NVIDIA's calc_metrics")
    parser.add_argument("--metrics", metavar="LIST", help="names, separated by commas (default: the run's, or fid50k_full)")
    parser.add_argument("--metricdata", metavar="DIR", help="dataset to compare with (default: the run's)")
    parser.add_argument("--mirror", type=int, choices=(0, 1), metavar="BOOL", help="training flips images (default: the run's)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of a run, measure every N-th snapshot (default: 1)")
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="take as many fakes as fit into this time for a snapshot")
    parser.add_argument("--features", metavar="PATH", help="file or folder with the weights of feature networks")
    parser.add_argument("--cache", metavar="DIR", help="folder for weights and the reals' statistics")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the fakes (default: the run's, or 0)")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--show", action="store_true", help="only list and plot what was measured")
    parser.add_argument(
        "--neighbours", type=int, default=0, metavar="N", help="also draw N fakes beside their nearest training images"
    )
    parser.add_argument("--no-xla", action="store_true", help="do not compile with XLA")
    parser.set_defaults(run=run_metrics, keeps_programs=True, imports_tensorflow=True)


def run_metrics(args: argparse.Namespace) -> int:
    """Measure what is asked for; returns the exit code: 0, or 1 if a snapshot could not be measured."""
    check_numbers(args)
    targets = [find_target(Path(path), args.every) for path in args.paths + args.network]
    if not targets:
        raise UserError("no snapshot and no run is named", "at least one PATH", "sg2ada metrics RESULTS/00000-name")
    failed = []
    for run_dir, snapshots in targets:
        if not args.show:
            failed += measure_target(args, run_dir, snapshots)
    show_results([run_dir for run_dir, _ in targets])
    for snapshot, error in failed:
        print(f"Not measured: {snapshot}: {error}", file=sys.stderr)
    return 1 if failed else 0


def check_numbers(args: argparse.Namespace) -> None:
    """Raise a UserError for numbers that make no sense and names that are not metrics."""
    from ..config.metric_names import parse_metrics

    if args.every < 1 or args.neighbours < 0 or (args.budget is not None and args.budget <= 0):
        raise UserError(
            f"A number is out of its range: --every {args.every}, --neighbours {args.neighbours}, --budget {args.budget}.",
            "--every 1 or more, --neighbours 0 or more, --budget more than 0",
            "correct the numbers",
        )
    parse_metrics(args.metrics or "")


def find_target(path: Path, every: int) -> Tuple[Path, List[Path]]:
    """Return (run folder, its snapshots to measure) for a path that is a snapshot or a run folder.

    Raises:
        UserError: There is no such path, or no snapshot in it.
    """
    if path.is_file():
        return path.parent, [path]
    if path.is_dir():
        from ..metrics.snapshots import run_snapshots

        snapshots = run_snapshots(path, every)
        if snapshots:
            return path, snapshots
    raise UserError(
        "{} {}".format(path, "holds no network-snapshot-*.pkl" if path.is_dir() else "does not exist"),
        "a snapshot or the folder of a run",
        "name a folder such as results/00000-name-auto1, or one of its .pkl files",
    )


def measure_target(args: argparse.Namespace, run_dir: Path, snapshots: Sequence[Path]) -> List[Tuple[str, UserError]]:
    """Measure snapshots of one run; returns [(snapshot name, error)] of those that could not be."""
    from ..config.metric_names import DEFAULT_METRIC, parse_metrics
    from ..metrics.snapshots import SnapshotMetrics, SnapshotOptions
    from ..previews.neighbours import draw_neighbours
    from ..runs.device import prepare_device
    from ..storage.run_folder import metric_settings

    options = metric_settings(run_dir)
    names = [spec.name for spec in parse_metrics(args.metrics)] if args.metrics else options.get("metrics") or [DEFAULT_METRIC]
    if args.metrics and not names and not args.neighbours:
        return []
    prepare_device()
    bar, seed = ProgressBar(), options.get("seed", 0) if args.seed is None else args.seed
    how = SnapshotOptions(
        mirror=options.get("mirror", False) if args.mirror is None else bool(args.mirror),
        features_path=args.features,
        cache_dir=args.cache,
        seed=seed,
        xla=not args.no_xla,
        say=bar.say,
        progress=bar,
    )
    metrics = SnapshotMetrics(open_metric_data(args, options, snapshots[0]), names, how, args.budget and args.budget * 60)
    failed = []
    for snapshot in snapshots:
        bar.title = snapshot.stem
        try:
            metrics.measure(snapshot, run_dir, args.again)
            if args.neighbours:
                fakes, nearest = metrics.neighbours(snapshot, run_dir, args.neighbours)
                path = run_dir / neighbours_name(snapshot.stem.split("-", 2)[-1])
                draw_neighbours(path, fakes, metrics.dataset, nearest)
                bar.say(f"Fakes beside their nearest training images: {path}")
        except UserError as error:
            failed.append((snapshot.name, error))
    bar.close()
    return failed


def open_metric_data(args: argparse.Namespace, options: Dict[str, Any], snapshot: Path) -> "Dataset":
    """Return the Dataset to compare with, at the resolution of the network.

    Raises:
        UserError: No dataset is named, neither by a flag nor by the run's options, or it cannot be used.
    """
    from ..dataset import open_dataset
    from ..formats.read import read_snapshot

    path = args.metricdata or options.get("path")
    if not path:
        raise UserError(
            f"{snapshot} has no training_options.json beside it that names a dataset",
            "the dataset that the network was trained on",
            "name it: --metricdata=FOLDER",
        )
    network = read_snapshot(snapshot).Gs
    return open_dataset(path, resolution=network.resolution, max_label_size="full" if network.label_size else 0)


def show_results(run_dirs: Iterable[Path]) -> None:
    """Print the measurements of runs and write a plot of each metric into every run's folder."""
    from ..config.metric_names import lower_is_better
    from ..metrics.report import best_measurement, measured_names, read_measurements
    from ..previews.axes import draw_metric, metric_label

    for metric in sorted({name for run_dir in run_dirs for name in measured_names(run_dir)}):
        series = []
        for run_dir in dict.fromkeys(run_dirs):
            measurements = read_measurements(run_dir, metric)
            curve = [(item.kimg, next(iter(item.values.values()))) for item in measurements if item.kimg is not None]
            best = best_measurement(measurements, lower_is_better(metric))
            if best is None:
                continue
            value = next(iter(best.values.values()))
            print(f"{metric} of {run_dir}: {len(measurements)} measured, best {value:.6g} at {best.snapshot}")
            finite = [point for point in curve if abs(point[1]) < float("inf")]
            if finite:
                series.append((run_dir, finite, (best.kimg, value) if best.kimg is not None else None))
        if series:
            image: Any = draw_metric([(path.name, *rest) for path, *rest in series], metric, metric_label(metric))
        for run_dir, _, _ in series:
            with atomic_path(run_dir / metric_picture(metric)) as temporary:
                image.save(temporary, "PNG")


class ProgressBar:
    """Shows how far a measurement is, with the time left, and prints sentences between."""

    def __init__(self) -> None:
        self.title = ""
        self._bar: Any = None
        self._stage: Optional[str] = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` images of a stage are done; a new stage begins a new bar."""
        from tqdm import tqdm

        if self._stage != stage or self._bar.total != total:
            self.close()
            self._bar, self._stage = tqdm(total=total, unit="img", desc=f"{self.title} {stage}", leave=False), stage
        self._bar.update(done - self._bar.n)

    def say(self, sentence: str) -> None:
        """Print a sentence below the bar, which ends."""
        self.close()
        print(sentence)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = self._stage = None
