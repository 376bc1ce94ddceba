"""Measure metrics of a generator against a dataset: one pass over the fakes for all of them, and it goes on where it stopped."""

import collections
import hashlib
import time
from pathlib import Path

import numpy as np

from .. import seeds
from ..errors import UserError
from . import features
from .catalogue import DEFAULT_REALS, SMALL_NETWORK, parse_metric
from .fid import frechet_distance
from .gathered import GatheredMoments, GatheredRows
from .inception_score import inception_score
from .kid import kernel_distance
from .path_length import EPSILON, trimmed_mean
from .precision_recall import precision_and_recall
from .spread import collapse_warning, spread_ratio
from .weight_files import default_cache_dir

SAVE_SECONDS = 60.0
FLIP_GROUP = 32
OUTPUTS = {"is": "probabilities"}  # what a metric takes from its network, if not the features

# values: OrderedDict suffix ("" or "_mean" ...) -> float; notes: warnings for a person
MetricResult = collections.namedtuple("MetricResult", "name values seconds num_reals num_fakes notes")


def measure(metric_name, generate, dataset, **options):
    """Return the MetricResult of one metric; see `measure_all`."""
    return measure_all([metric_name], generate, dataset, **options)[0]


def measure_all(
    metrics,
    generate,
    dataset,
    networks=None,
    source="",
    cache_dir=None,
    partial_dir=None,
    mirror=False,
    seed=0,
    progress=None,
    should_stop=None,
    path_pairs=None,
):
    """Measure several metrics of one generator in one pass over its images.

    Args:
        metrics: Names or MetricSpecs.
        generate: Function (count, start) -> uint8 [count, H, W, C], the fakes with numbers start ... start + count - 1; the same
            number must give the same image.
        dataset: Object with `num_images` and `read(indices) -> uint8 [n, H, W, C]`; None if no metric needs reals.
        networks: Function name -> FeatureNetwork; None is `features.open_network` with its defaults.
        source: Text that names the generator and how it draws (a digest); only with it are fakes' features kept for resuming.
        cache_dir: Folder for statistics of the reals, which outlive the session; None is the default cache folder.
        partial_dir: Folder for features of an evaluation that was interrupted; None keeps none.
        mirror: Whether training flips images; the metrics without `_full` flip the reals likewise.
        seed: Seeds the flips and the subsets of KID.
        progress: Function (stage, done, total), called after every batch.
        should_stop: Function without arguments; when it returns True the work is saved and KeyboardInterrupt raised.
        path_pairs: Function of a MetricSpec of kind "ppl" -> function (count, start) -> pairs; see path_pairs.PathPairs.

    Returns:
        A list of MetricResults, in the order of `metrics`.

    Raises:
        UserError: Unknown metric, no feature network, too few images, images that do not fit together.
    """
    specs = [parse_metric(metric) if isinstance(metric, str) else metric for metric in metrics]
    open_network = networks or features.open_network
    opened = {spec.network: open_network(spec.network) for spec in specs}
    for spec in specs:
        if OUTPUTS.get(spec.kind, "features") not in opened[spec.network].outputs:
            raise UserError(
                "{} needs what the file of the network {} ends before: its last layer".format(spec.name, spec.network),
                "a file with the whole network, such as inception-2015-12-05.tgz",
                "put that file into the cache folder, or name it with --features",
            )
    check_images(specs, generate, dataset)
    started = time.time()
    watch = _Watch(progress, should_stop)
    reals = _Reals(dataset, opened, Path(cache_dir or default_cache_dir()), mirror, seed, watch)
    real_side = reals.gather_all(specs)
    folder = Path(partial_dir) if partial_dir and source else None
    fake_side = _gather_fakes(specs, generate, path_pairs, opened, source, folder, watch)
    results, gathering_s = [], time.time() - started
    for spec, real, fake in zip(specs, real_side, fake_side):
        started = time.time()
        values = compute(spec, real, fake, seed)
        num_reals = real.count if real else 0
        notes = warnings_of(spec, opened[spec.network].dimensions, num_reals)
        collapse = collapse_warning(spread_ratio(real, fake)) if real else None
        notes += [collapse] if collapse else []
        results.append(MetricResult(spec.name, values, gathering_s + time.time() - started, num_reals, spec.num_fakes, notes))
    for gathered in set(fake_side):
        gathered.discard()
    return results


def compute(spec, reals, fakes, seed=0):
    """Return the values (OrderedDict suffix -> float) of a metric from gathered reals and fakes."""
    if spec.kind == "fid":
        return _values([("", frechet_distance(reals.statistics(unbiased=False), fakes.statistics(unbiased=True)))])
    if spec.kind == "kid":
        random_state = seeds.random_state(seed, "kid", 0)
        return _values([("", kernel_distance(reals.rows(), fakes.rows(), random_state))])
    if spec.kind == "pr":
        precision, recall = precision_and_recall(reals.rows(), fakes.rows())
        return _values([("_precision", precision), ("_recall", recall)])
    if spec.kind == "ppl":
        return _values([("", trimmed_mean(fakes.rows()[:, 0] / EPSILON**2)[0])])
    mean, std = inception_score(fakes.rows())
    return _values([("_mean", mean), ("_std", std)])


def _values(pairs):
    return collections.OrderedDict((suffix, float(value)) for suffix, value in pairs)


def warnings_of(spec, dimensions, num_reals):
    """Return sentences on why this number means little, an empty list if it means what its name says."""
    smaller = min(num_reals, spec.num_fakes)
    if spec.kind == "fid" and smaller <= dimensions:
        text = "{}: {} images are fewer than the {} features, so the distance is far too large; compare only with the same sizes"
        return [text.format(spec.name, smaller, dimensions) + ", or use kid"]
    if spec.kind == "fid" and smaller < 10000:
        return ["{}: with {} images the distance is biased upwards; compare only with the same sizes".format(spec.name, smaller)]
    if spec.network == "vgg16":
        return ["{}: features of PyTorch's VGG16; NVIDIA's file of that network gives slightly other values".format(spec.name)]
    if spec.kind == "kid" and smaller < 100:
        return ["{}: with {} images the value scatters too much to compare snapshots".format(spec.name, smaller)]
    return []


def check_images(specs, generate, dataset):
    """Raise a UserError unless fakes and reals fit together and there are enough of the reals."""
    needed = [spec.name for spec in specs if spec.max_reals != 0]
    if not needed:
        return
    if dataset is None or dataset.num_images < 2:
        raise UserError(
            "{} compares with the dataset, which holds {}".format(
                ", ".join(needed), "no images" if dataset is None else "{} image(s)".format(dataset.num_images)
            ),
            "a dataset of at least two images, better of some thousand",
            "name the dataset with --metricdata",
        )
    real, fake = dataset.read(np.array([0])).shape[1:], np.shape(generate(1, 0))[1:]
    if real != fake:
        text = "the generator makes images of {}x{}x{}, the dataset holds {}x{}x{}"
        raise UserError(
            text.format(*(tuple(fake) + tuple(real))),
            "the same height, width and channels",
            "name with --metricdata the dataset that the network was trained on",
        )


class _Watch:
    """Reports progress, tells when to save, and stops on demand."""

    def __init__(self, progress, should_stop):
        self.progress, self.should_stop, self.last_save = progress, should_stop, time.time()

    def batch_done(self, stage, done, total, gathered):
        if self.progress:
            self.progress(stage, done, total)
        if time.time() - self.last_save > SAVE_SECONDS:
            for item in gathered:
                item.save()
            self.last_save = time.time()
        if self.should_stop and self.should_stop():
            raise KeyboardInterrupt


# gathered: GatheredMoments or GatheredRows; network, output: what its rows are; total: rows it is to hold
_Target = collections.namedtuple("_Target", "gathered network output total")


def _target(kind, network, output, total, folder, identity):
    """Return a _Target whose file in `folder` (None: in memory) is named after what it holds."""
    identity = "{}/{}/{}/{} images".format(identity, network.digest, output, total)
    file_name = "{}-{}-{}".format(network.name, kind.__name__.lower(), hashlib.sha256(identity.encode()).hexdigest()[:16])
    return _Target(kind(network.outputs[output], folder and folder / file_name, identity), network, output, total)


def _kinds(specs, keys):
    """Return {key: GatheredRows or GatheredMoments}: FID takes sums, and rows where another metric needs them."""
    kinds = {}
    for spec, key in zip(specs, keys):
        if spec.kind != "fid" or key not in kinds:
            kinds[key] = GatheredMoments if spec.kind == "fid" else GatheredRows
    return kinds


# number of the first image and behind the last; check: raises where the images are broken; launched: network's name -> its launch
_Batch = collections.namedtuple("_Batch", "start end check launched")


def _fill(targets, images_of, stage, watch):
    """Bring every target to its total; images_of(count, start) gives the images with these numbers.

    A GPU is given some batches before the first is waited for, so that it does not wait for the sums made of their features.
    """
    everything = [target.gathered for target in targets]
    step, total = max(target.network.batch_size for target in targets), max(target.total for target in targets)
    unfinished = [target.gathered.count for target in targets if target.gathered.count < target.total]
    start = min(unfinished) // step * step if unfinished else total
    waiting, ahead = collections.deque(), features.batches_ahead()
    try:
        while start < total or waiting:
            if start < total and len(waiting) <= ahead:
                waiting.append(_launch(targets, images_of, start, min(start + step, total)))
                start = waiting[-1].end
                continue
            batch = waiting.popleft()
            _add_batch(targets, batch)
            watch.batch_done(stage, batch.end, total, everything)
    finally:
        for gathered in everything:
            gathered.close()


def _launch(targets, images_of, start, end):
    """Return the _Batch of the images from `start` to before `end`, under way in every network that a target needs it from."""
    if hasattr(images_of, "launch"):
        images, check = images_of.launch(end - start, start)
    else:
        images, check = images_of(end - start, start), None
    needing = [target for target in targets if target.gathered.count < min(target.total, end) and start < target.total]
    networks = {target.network.name: target.network for target in needing}
    return _Batch(start, end, check, {name: network.launch(images) for name, network in networks.items()})


def _add_batch(targets, batch):
    """Add the features of a batch to every target that still lacks some of them."""
    if batch.check:
        batch.check()
    rows = {}
    for gathered, network, output, total in targets:
        if gathered.count < min(total, batch.end):
            if (network.name, output) not in rows:
                rows[network.name, output] = network.finish(batch.launched[network.name], output)
            gathered.add(rows[network.name, output][gathered.count - batch.start : total - batch.start])


def _gather_fakes(specs, generate, path_pairs, opened, source, partial_dir, watch):
    """Return the gathered fakes of each metric; metrics share what they can, and all but path lengths one pass."""
    keys = [(spec.network, spec.kind == "ppl" and spec, OUTPUTS.get(spec.kind, "features"), spec.num_fakes) for spec in specs]
    targets = {}
    for key, kind in _kinds(specs, keys).items():
        network, path, output, total = key
        identity = "fakes/{}/{}".format(source, path and "{} {} {}".format(path.space, path.ends, path.crop))
        targets[key] = _target(kind, opened[network], output, total, partial_dir, identity)
    single = [target for key, target in targets.items() if not key[1]]
    if single:
        _fill(single, generate, "fakes", watch)
    for key, target in targets.items():
        if key[1]:
            _fill([target], path_pairs(key[1]), "pairs", watch)
    return [targets[key].gathered for key in keys]


class _Reals:
    """Features of the reals, from the cache or gathered into it."""

    def __init__(self, dataset, opened, cache_dir, mirror, seed, watch):
        self.dataset, self.opened, self.cache_dir, self.watch = dataset, opened, cache_dir, watch
        self.mirror, self.seed = mirror, seed

    def gather_all(self, specs):
        """Return the gathered reals of each metric, None for one that needs none; metrics that need the same share them."""
        keys = [self._key(spec) for spec in specs]
        with_reals = [(spec, key) for spec, key in zip(specs, keys) if key]
        gathered = {None: None}
        for key, kind in _kinds(*zip(*with_reals)).items() if with_reals else ():
            gathered[key] = self._gather(key, kind)
        return [gathered[key] for key in keys]

    def _key(self, spec):
        """Return (network, flips, number of reals); as in the original, legacy metrics repeat a small dataset with new flips."""
        if spec.max_reals == 0:
            return None
        num_images = self.dataset.num_images
        total = spec.max_reals if spec.mirror else min(num_images, spec.max_reals or num_images)
        return spec.network, spec.mirror and self.mirror, total

    def _gather(self, key, kind):
        network, flips, total = self.opened[key[0]], key[1], key[2]
        identity = "reals/{}/flips {}".format(dataset_digest(self.dataset), self.seed if flips else "none")
        target = _target(kind, network, "features", total, self.cache_dir / "metrics", identity)
        _fill([target], self._reader(flips), "reals", self.watch)
        return target.gathered

    def _reader(self, flips):
        def read(count, start):
            images = self.dataset.read(np.arange(start, start + count) % self.dataset.num_images)
            if flips:
                images = np.where(flips_of(self.seed, count, start)[:, None, None, None], images[:, :, ::-1], images)
            return images

        return read


def flips_of(seed, count, start):
    """Return bool [count], whether the reals number `start` and on are flipped, drawn by groups: no batch size matters."""
    first, last = start // FLIP_GROUP, (start + count - 1) // FLIP_GROUP
    draws = [seeds.random_state(seed, "metric_flips", group * FLIP_GROUP) for group in range(first, last + 1)]
    return np.concatenate([draw.randint(2, size=FLIP_GROUP) for draw in draws])[start - first * FLIP_GROUP :][:count] == 1


def real_features(dataset, network, cache_dir=None, max_reals=DEFAULT_REALS, progress=None):
    """Return the features of a dataset's first `max_reals` images, float32 [N, D], from the cache folder if they are there."""
    spec = parse_metric("kid2_" + SMALL_NETWORK)._replace(network=network.name, max_reals=max_reals)
    reals = _Reals(dataset, {network.name: network}, Path(cache_dir or default_cache_dir()), False, 0, _Watch(progress, None))
    return reals.gather_all([spec])[0].rows()


def dataset_digest(dataset):
    """Return a SHA-256 of a dataset: its own `digest` if it has one, else of its size and 64 images spread over it."""
    own = getattr(dataset, "digest", None)
    if own:
        return own() if callable(own) else str(own)
    indices = np.unique(np.linspace(0, dataset.num_images - 1, 64).astype(np.int64))
    digest = hashlib.sha256("{} images".format(dataset.num_images).encode())
    for image in dataset.read(indices):
        digest.update(str(image.shape).encode() + np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
