"""Measure metrics of a generator against a dataset: one pass over the fakes for all of them, resumed after an interruption."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from .. import seeds
from ..config.metric_names import MetricSpec, parse_metric
from ..errors import UserError
from ..shape import size_text
from . import features
from .backgrounds import OverBackgrounds, backgrounds_words
from .diversity import collapse_warning, diversity_ratio
from .feature_set import BatchesOf, FeatureSet, FeatureSets, ImageSource, Watch
from .features import FeatureNetwork
from .fid import frechet_distance
from .inception_score import inception_score
from .kid import kernel_distance
from .path_length import EPSILON, trimmed_mean
from .precision_recall import precision_and_recall
from .reals import dataset_digest, is_rgba, number_of_reals, real_images

COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}  # of so many channels
OUTPUTS = {"is": "probabilities"}  # what a metric takes from its network, if not the features


@dataclass(frozen=True)
class MeasureOptions:
    """How to measure; the defaults suit a script."""

    networks: Optional[Callable] = None  # function name -> FeatureNetwork; None: features.open_network with its defaults
    source: str = ""  # names the generator and how it draws (a digest); without it features of fakes are not kept for resuming
    cache_dir: Union[str, Path, None] = None  # keeps statistics of the reals for later sessions; None: the default cache folder
    partial_dir: Union[str, Path, None] = None  # keeps features of an evaluation that was interrupted; None: does not
    mirror: bool = False  # whether training flips images; the metrics without `_full` then flip the reals, too
    seed: int = 0  # of the flips and of the subsets of KID
    progress: Optional[Callable] = None  # function (stage, done, total), called after every batch
    should_stop: Optional[Callable] = None  # function without arguments; once it returns True the work is saved and stopped
    path_pairs: Optional[Callable] = None  # function of a MetricSpec of kind "ppl" -> path_pairs.PathPairs
    # Function (names of metrics, FeatureSets) -> what computes the features, as for feature_set.gather; None: this process does.
    together: Optional[Callable[[List[str], FeatureSets], Optional[BatchesOf]]] = None


@dataclass(frozen=True)
class MetricResult:
    """The value of one metric, and what it was measured with."""

    name: str
    values: Dict[str, float]  # suffix ("", "_mean", "_precision" …) -> value, in the order of the original's line
    seconds: float
    num_reals: int  # 0: the metric needs none
    num_fakes: int
    notes: List[str] = field(default_factory=list)  # what the user should know


def measure(metric_name: str, generate: Any, dataset: Any, options: MeasureOptions = MeasureOptions()) -> MetricResult:
    """Return the MetricResult of one metric; see `measure_all`."""
    return measure_all([metric_name], generate, dataset, options)[0]


def measure_all(
    metrics: Sequence[Union[str, MetricSpec]],
    generate: Any,
    dataset: Any,
    options: MeasureOptions = MeasureOptions(),
) -> List[MetricResult]:
    """Measure several metrics of one generator in one pass over its images.

    Args:
        metrics: Names or MetricSpecs.
        generate: Function (count, start) -> uint8 [count, H, W, C], the fakes with numbers start ... start + count - 1; the same
            number must give the same image. None if no metric needs fakes (path lengths take pairs).
        dataset: Object with `num_images` and `read(indices) -> uint8 [n, H, W, C]`; None if no metric needs reals.
        options: MeasureOptions.

    Returns:
        A list of MetricResults, in the order of `metrics`.

    Raises:
        UserError: Unknown metric, no feature network, too few images, images that do not fit together.
        KeyboardInterrupt: `options.should_stop` returned True.
    """
    specs = [parse_metric(metric) if isinstance(metric, str) else metric for metric in metrics]
    started = time.time()
    sets, reals, fakes = request_features(specs, generate, dataset, options)
    batches_of = options.together([spec.name for spec in specs], sets) if options.together else None
    sets.gather(Watch(options.progress, options.should_stop), batches_of)
    gathering_s = time.time() - started
    results = [_result(spec, real, fake, gathering_s, options.seed) for spec, real, fake in zip(specs, reals, fakes)]
    for fake in fakes:
        fake.store.discard()
    below = [backgrounds_words(options.seed)] if is_rgba(dataset) else []
    return [replace(result, notes=result.notes + below) for result in results]


def request_features(
    specs: Sequence[MetricSpec], generate: Any, dataset: Any, options: MeasureOptions
) -> Tuple[FeatureSets, List[Optional[FeatureSet]], List[FeatureSet]]:
    """Return (FeatureSets, which are empty; of each metric the set of its reals, or None; of each the set of its fakes).

    Arguments and errors are those of `measure_all`.
    """
    open_network = options.networks or features.open_network
    networks = {spec.network: open_network(spec.network) for spec in specs}
    for spec in specs:
        _check_output(spec, networks[spec.network])
    check_images(specs, generate, dataset)
    sets = FeatureSets()
    digest = dataset_digest(dataset) if any(spec.max_reals != 0 for spec in specs) else ""
    generate = OverBackgrounds(generate, options.seed) if is_rgba(dataset) and generate else generate
    reals = [_reals_of(spec, sets, networks[spec.network], (dataset, digest), options) for spec in specs]
    fakes = [_fakes_of(spec, sets, networks[spec.network], generate, options) for spec in specs]
    return sets, reals, fakes


def _output_of(spec: MetricSpec) -> str:
    return OUTPUTS.get(spec.kind, "features")


def _check_output(spec: MetricSpec, network: FeatureNetwork) -> None:
    if _output_of(spec) not in network.outputs:
        raise UserError(
            f"{spec.name} needs the last layer of the network {spec.network}, which its file lacks",
            "a file with the complete network, such as inception-2015-12-05.tgz",
            "put that file into the cache folder, or name it with --features",
        )


def _reals_of(
    spec: MetricSpec, sets: FeatureSets, network: FeatureNetwork, dataset_and_digest: tuple, options: MeasureOptions
) -> Optional[FeatureSet]:
    """Return the reals' features that a metric needs, None where it needs none."""
    if spec.max_reals == 0:
        return None
    dataset, digest = dataset_and_digest
    flip_seed = options.seed if spec.mirror and options.mirror else None
    source = real_images(dataset, options.cache_dir, flip_seed, digest, options.seed)
    return sets.request(network, "features", source, number_of_reals(spec, dataset.num_images), spec.kind != "fid")


def _fakes_of(spec: MetricSpec, sets: FeatureSets, network: FeatureNetwork, generate: Any, options: MeasureOptions) -> FeatureSet:
    """Return the fakes' features that a metric needs."""
    folder = Path(options.partial_dir) if options.partial_dir and options.source else None
    if spec.kind == "ppl":
        assert options.path_pairs, f"{spec.name} needs options.path_pairs"
        identity = f"pairs/{options.source}/{spec.space} {spec.sampling} {spec.crop}"
        source = ImageSource("pairs", identity, options.path_pairs(spec), folder)
    else:
        below = f"/{backgrounds_words(generate.seed)}" if isinstance(generate, OverBackgrounds) else ""
        source = ImageSource("fakes", f"fakes/{options.source}{below}", generate, folder)
    return sets.request(network, _output_of(spec), source, spec.num_fakes, spec.kind != "fid")


def _result(spec: MetricSpec, reals: Optional[FeatureSet], fakes: FeatureSet, gathering_s: float, seed: int) -> MetricResult:
    started = time.time()
    values = compute(spec, reals.store if reals else None, fakes.store, seed)
    num_reals = reals.store.count if reals else 0
    notes = warnings_of(spec, fakes.network.dimensions, num_reals)
    collapse = collapse_warning(diversity_ratio(reals.store, fakes.store)) if reals else None
    notes += [collapse] if collapse else []
    return MetricResult(spec.name, values, gathering_s + time.time() - started, num_reals, spec.num_fakes, notes)


def compute(spec: MetricSpec, reals: Any, fakes: Any, seed: int = 0) -> Dict[str, float]:
    """Return the values of a metric, suffix -> float, from the gathered features of reals (None if it needs none) and fakes."""
    if spec.kind == "fid":
        return {"": frechet_distance(reals.statistics(unbiased=False), fakes.statistics(unbiased=True))}
    if spec.kind == "kid":
        return {"": kernel_distance(reals.rows(), fakes.rows(), seeds.random_state(seed, "kid", 0))}
    if spec.kind == "pr":
        precision, recall = precision_and_recall(reals.rows(), fakes.rows())
        return OrderedDict([("_precision", precision), ("_recall", recall)])
    if spec.kind == "ppl":
        return {"": trimmed_mean(fakes.rows()[:, 0] / EPSILON**2)[0]}
    mean, std = inception_score(fakes.rows())
    return OrderedDict([("_mean", mean), ("_std", std)])


def warnings_of(spec: MetricSpec, dimensions: int, num_reals: int) -> List[str]:
    """Return sentences on why a value says little, an empty list if it is what its name says.

    Args:
        dimensions: Width of the features.
        num_reals: Reals that were compared with.
    """
    smaller = min(num_reals, spec.num_fakes)
    if spec.kind == "fid" and smaller <= dimensions:
        text = "{}: {} images are fewer than the {} features, so the distance is far too large; compare only with the same sizes"
        return [text.format(spec.name, smaller, dimensions) + ", or use kid"]
    if spec.kind == "fid" and smaller < 10000:
        return [f"{spec.name}: with {smaller} images the distance is biased upwards; compare only with the same sizes"]
    if spec.network == "vgg16":
        return [f"{spec.name}: features of PyTorch's VGG16; NVIDIA's file of that network gives slightly other values"]
    if spec.kind == "kid" and smaller < 100:
        return [f"{spec.name}: with {smaller} images the value scatters too much to compare snapshots"]
    return []


def check_images(specs: Sequence[MetricSpec], generate: Any, dataset: Any) -> None:
    """Raise a UserError unless fakes and reals have the same shape and there are enough reals."""
    needed = [spec.name for spec in specs if spec.max_reals != 0]
    if not needed:
        return
    if dataset is None or dataset.num_images < 2:
        held = "no images" if dataset is None else f"{dataset.num_images} image(s)"
        raise UserError(
            f"{', '.join(needed)} compares with the dataset, which holds {held}",
            "a dataset of at least two images, better several thousand",
            "name the dataset with --metricdata",
        )
    real, fake = dataset.read(np.array([0])).shape[1:], np.shape(generate(1, 0))[1:]
    if real != fake:
        raise UserError(
            f"the generator makes images of {_form(*fake)}, the dataset holds {_form(*real)} (width x height)",
            "the same width, height and channels",
            "name with --metricdata the dataset that the network was trained on"
            + {(4, 3): ", prepared with --alpha keep", (3, 4): ", prepared without --alpha keep"}.get((fake[2], real[2]), ""),
        )


def _form(height, width, channels):
    return f"{size_text(height, width)} px in {COLOURS.get(channels, f'{channels} channels')}"
