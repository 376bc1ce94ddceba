"""The verb `metrics`: measure one snapshot, a run or several, show the results, plot them, look for copies."""

import argparse
import json
import sys
from pathlib import Path

from ..errors import UserError

DESCRIPTION = """\
Measure the quality of snapshots against their dataset. What a run's folder holds results of is not measured again; what was
interrupted goes on. Results are appended to metric-NAME.txt and metric-NAME.jsonl beside the snapshots, with a plot.

Metrics: fid50k_full, kid50k_full, pr50k3_full, is50k, fid50k, kid50k, pr50k3, ppl2_wend, ppl_zfull, ppl_wfull, ppl_zend,
ppl_wend; the number may be smaller (fid5k_full). kid_efflite0 and fd_efflite0 use a small network that a package brings, and are
no FID."""
DEFAULT_METRICS = "fid50k_full"


def register(verbs):
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
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="take so many fakes as fit into this time for a snapshot")
    parser.add_argument("--features", metavar="PATH", help="file or folder with the weights of feature networks")
    parser.add_argument("--cache", metavar="DIR", help="folder for weights and the reals' statistics")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the fakes (default: the run's, or 0)")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--show", action="store_true", help="only list and plot what was measured")
    parser.add_argument(
        "--neighbours", type=int, default=0, metavar="N", help="also draw N fakes beside their nearest training images"
    )
    parser.add_argument("--no-xla", action="store_true", help="do not compile with XLA")
    parser.set_defaults(run=run_metrics)


def run_metrics(args):
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
        print("Not measured: {}: {}".format(snapshot, error), file=sys.stderr)
    return 1 if failed else 0


def check_numbers(args):
    """Raise a UserError for numbers that make no sense and names that are no metrics."""
    from ..metrics.catalogue import parse_metrics

    if args.every < 1 or args.neighbours < 0 or (args.budget is not None and args.budget <= 0):
        raise UserError(
            "--every {}, --neighbours {}, --budget {}".format(args.every, args.neighbours, args.budget),
            "--every 1 or more, --neighbours 0 or more, --budget more than 0",
            "correct the numbers",
        )
    parse_metrics(args.metrics or "")


def find_target(path, every):
    """Return (run folder, its snapshots to measure) for a path that is a snapshot or a run folder."""
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


def run_options(run_dir):
    """Return what a run's training_options.json says: {"path", "resolution", "mirror", "metrics", "seed"}; empty without it."""
    try:
        options = json.loads((Path(run_dir) / "training_options.json").read_text(encoding="utf-8"))
        data = options["metric_dataset_args"]
        return {
            "path": data["path"],
            "resolution": data.get("resolution"),
            "mirror": bool(data.get("mirror_augment", False)),
            "metrics": [definition["name"] for definition in options.get("metric_arg_list", [])],
            "seed": int(options.get("sg2ada", {}).get("seed", 0)),  # the same as in training, so that its measurements go on
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def measure_target(args, run_dir, snapshots):
    """Measure snapshots of one run; returns [(snapshot name, error)] of those that could not be."""
    from ..metrics.catalogue import parse_metrics
    from ..metrics.snapshots import SnapshotMetrics
    from ..runs.device import prepare_device

    options = run_options(run_dir)
    names = [spec.name for spec in parse_metrics(args.metrics)] if args.metrics else options.get("metrics") or [DEFAULT_METRICS]
    if args.metrics and not names and not args.neighbours:
        return []
    prepare_device()
    bar, seed = ProgressBar(), options.get("seed", 0) if args.seed is None else args.seed
    metrics = SnapshotMetrics(
        open_metric_data(args, options, snapshots[0]), names,
        mirror=options.get("mirror", False) if args.mirror is None else bool(args.mirror),
        features_path=args.features, cache_dir=args.cache,
        budget_s=args.budget and args.budget * 60, seed=seed, xla=not args.no_xla, say=bar.say, progress=bar,
    )  # fmt: skip
    failed = []
    for snapshot in snapshots:
        bar.title = snapshot.stem
        try:
            metrics.measure(snapshot, run_dir, args.again)
            if args.neighbours:
                path = metrics.draw_neighbours(snapshot, run_dir, args.neighbours)
                bar.say("Fakes beside their nearest training images: {}".format(path))
        except UserError as error:
            failed.append((snapshot.name, error))
    bar.close()
    return failed


def open_metric_data(args, options, snapshot):
    """Return the Dataset to compare with, at the resolution of the network."""
    from ..dataset import open_dataset
    from ..snapshots.read import read_snapshot

    path = args.metricdata or options.get("path")
    if not path:
        raise UserError(
            "{} has no training_options.json beside it that names a dataset".format(snapshot),
            "the dataset that the network was trained on",
            "name it: --metricdata=FOLDER",
        )
    network = read_snapshot(snapshot).Gs
    return open_dataset(path, resolution=network.resolution, max_label_size="full" if network.label_size else 0)


def show_results(run_dirs):
    """Print the measurements of runs and write a plot of each metric into every run's folder."""
    from ..metrics.plot import plot_metric
    from ..metrics.report import best_measurement, lower_is_better, measured_names, read_measurements

    for metric in sorted({name for run_dir in run_dirs for name in measured_names(run_dir)}):
        series = []
        for run_dir in dict.fromkeys(run_dirs):
            measurements = read_measurements(run_dir, metric)
            curve = [(item.kimg, next(iter(item.values.values()))) for item in measurements if item.kimg is not None]
            best = best_measurement(measurements, lower_is_better(metric))
            if best is None:
                continue
            value = next(iter(best.values.values()))
            print("{} of {}: {} measured, best {:.6g} at {}".format(metric, run_dir, len(measurements), value, best.snapshot))
            finite = [point for point in curve if abs(point[1]) < float("inf")]
            if finite:
                series.append((run_dir, finite, (best.kimg, value) if best.kimg is not None else None))
        for run_dir, _, _ in series:
            plot_metric(run_dir / "metric-{}.png".format(metric), [(path.name, *rest) for path, *rest in series], metric)


class ProgressBar:
    """Shows how far a measurement is, with the time left, and prints sentences between."""

    def __init__(self):
        self.title, self._bar, self._stage = "", None, None

    def __call__(self, stage, done, total):
        from tqdm import tqdm

        if self._stage != stage or self._bar.total != total:
            self.close()
            self._bar, self._stage = tqdm(total=total, unit="img", desc="{} {}".format(self.title, stage), leave=False), stage
        self._bar.update(done - self._bar.n)

    def say(self, sentence):
        self.close()
        print(sentence)

    def close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = self._stage = None
