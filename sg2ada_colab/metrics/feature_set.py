"""Which features the metrics need of which images, each computed once; an interrupted pass resumes."""

import hashlib
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from . import features
from .feature_store import GatheredMoments, GatheredRows
from .features import FeatureNetwork

SAVE_SECONDS = 60.0
Key = Tuple[str, str]  # name of a feature network, name of its output


@dataclass(frozen=True)
class ImageSource:
    """Numbered images: the same number gives the same image."""

    stage: str  # "fakes", "pairs" or "reals", for the progress
    identity: str  # changes with anything that changes the images; two sources of one identity are the same
    images_of: Callable = field(compare=False)  # (count, start) -> the images with numbers start ... start + count - 1
    folder: Optional[Path] = field(default=None, compare=False)  # keeps features for the next session; None: in memory only


class FeatureSet:
    """One output of a feature network for the first `total` images of a source.

    Args:
        network: FeatureNetwork.
        output: Name of the output.
        source: ImageSource.
        total: Number of images.
    """

    def __init__(self, network: FeatureNetwork, output: str, source: ImageSource, total: int) -> None:
        self.network, self.output, self.source, self.total = network, output, source, total
        self.needs_rows = False  # the features of each image; otherwise mean and covariance are enough
        self._store: Union[GatheredMoments, GatheredRows, None] = None

    @property
    def key(self) -> Key:
        """(name of the network, name of its output), which say which features these are."""
        return self.network.name, self.output

    @property
    def width(self) -> int:
        """Numbers per image."""
        return self.network.outputs[self.output]

    @property
    def identity(self) -> str:
        """Text that changes with anything that changes the features."""
        return f"{self.source.identity}/{self.network.digest}/{self.output}/{self.total} images"

    @property
    def store(self) -> Any:
        """The GatheredMoments or GatheredRows; opened at the first use, after which `needs_rows` no longer counts."""
        if self._store is None:
            kind = GatheredRows if self.needs_rows else GatheredMoments
            digest = hashlib.sha256(self.identity.encode()).hexdigest()[:16]
            path = self.source.folder / f"{self.network.name}-{kind.__name__.lower()}-{digest}" if self.source.folder else None
            self._store = kind(self.width, path, self.identity)
        return self._store

    def lacks_before(self, end: int) -> bool:
        """Return whether features of images before number `end` are missing."""
        return self.store.count < min(self.total, end)

    def add(self, rows: Any, start: int) -> None:
        """Add the features of the images from number `start` on, skipping those that are present or beyond `total`."""
        self.store.add(rows[self.store.count - start : self.total - start])


class FeatureSets:
    """The feature sets of several metrics; metrics that need the same share one."""

    def __init__(self) -> None:
        self._sets: Dict[tuple, FeatureSet] = OrderedDict()

    def request(
        self, network: FeatureNetwork, output: str, source: ImageSource, total: int, needs_rows: bool = True
    ) -> FeatureSet:
        """Return the FeatureSet of these arguments, which `gather` fills."""
        wanted = FeatureSet(network, output, source, total)
        found = self._sets.setdefault((network.name, output, source, total), wanted)
        found.needs_rows = found.needs_rows or needs_rows
        return found

    def by_source(self) -> List[List[FeatureSet]]:
        """Return the sets of each source, in the order of the first requests."""
        found: Dict[ImageSource, List[FeatureSet]] = OrderedDict()
        for one in self._sets.values():
            found.setdefault(one.source, []).append(one)
        return list(found.values())

    def gather(self, watch: "Watch", batches_of: "Optional[BatchesOf]" = None) -> None:
        """Fill all sets: one pass over each source, in the order of the first requests; arguments as of `gather`."""
        for sets in self.by_source():
            gather(sets, watch, batches_of)


class Watch:
    """Reports progress, saves once a minute, and stops on demand.

    Args:
        progress: Function (stage, done, total), called after every batch; None reports nothing.
        should_stop: Function without arguments that returns True when gathering is to stop; None never stops.
    """

    def __init__(self, progress: Optional[Callable] = None, should_stop: Optional[Callable] = None) -> None:
        self.progress, self.should_stop, self.last_save = progress, should_stop, time.time()

    def batch_done(self, stage: str, done: int, total: int, stores: Iterable) -> None:
        """Report, save or stop after a batch; raises KeyboardInterrupt where `should_stop` returns True."""
        if self.progress:
            self.progress(stage, done, total)
        if time.time() - self.last_save > SAVE_SECONDS:
            for store in stores:
                store.save()
            self.last_save = time.time()
        if self.should_stop and self.should_stop():
            raise KeyboardInterrupt


class Batch(NamedTuple):
    """The features of images that follow each other."""

    start: int  # number of the first image
    end: int  # number of the last image, plus 1
    rows: Dict[Key, np.ndarray]  # float32 [end - start, width]


# (sets of one source, start, end, function of start and end that returns which of the sets want these images) → Batches in order
BatchesOf = Callable[[List[FeatureSet], int, int, Callable[[int, int], List[FeatureSet]]], Iterator[Batch]]


def gather(sets: List[FeatureSet], watch: Watch, batches_of: Optional[BatchesOf] = None) -> None:
    """Fill feature sets of one source in one pass over its images, and close their files.

    Args:
        sets: FeatureSets of one source.
        watch: Watch.
        batches_of: What computes the features; None: `batches_here`.

    Raises:
        KeyboardInterrupt: `watch` was asked to stop; what was gathered is saved.
    """
    source, stores = sets[0].source, [one.store for one in sets]
    step, total = step_of(sets), max(one.total for one in sets)
    unfinished = [one.store.count for one in sets if one.lacks_before(one.total)]
    start = min(unfinished) // step * step if unfinished else total

    def wanting(start, end):
        return [one for one in sets if one.lacks_before(end) and start < one.total]

    try:
        for batch in (batches_of or batches_here)(sets, start, total, wanting):
            for one in sets:
                if one.lacks_before(batch.end):
                    one.add(batch.rows[one.key], batch.start)
            watch.batch_done(source.stage, batch.end, total, stores)
    finally:
        for store in stores:
            store.close()


def step_of(sets: List[FeatureSet]) -> int:
    """Return how many images are shown to the networks of sets at once; passes begin at multiples of it."""
    return max(one.network.batch_size for one in sets)


def batches_here(
    sets: List[FeatureSet], start: int, end: int, wanting: Callable[[int, int], List[FeatureSet]]
) -> Iterator[Batch]:
    """Yield the features of the images from number `start` to before `end`, computed by this process.

    A GPU is given some batches before the first is waited for, so that it does not idle while their features are added up.

    Args:
        sets: FeatureSets of one source.
        wanting: Function (start, end) → those of the sets that want the images of a batch.

    Raises:
        UserError: Images or features that are not finite.
    """
    step, waiting, ahead = step_of(sets), deque(), features.batches_ahead()  # type: ignore[var-annotated]
    while start < end or waiting:
        if start < end and len(waiting) <= ahead:
            last = min(start + step, end)
            waiting.append(_launch(wanting(start, last), sets[0].source, start, last))
            start = last
            continue
        first, last, finish = waiting.popleft()
        yield Batch(first, last, finish())


def _launch(sets, source, start, end):
    """Start the networks of sets on images; return (start, end, function that waits for the rows)."""
    if hasattr(source.images_of, "launch"):
        images, check = source.images_of.launch(end - start, start)
    else:
        images, check = source.images_of(end - start, start), None
    networks = {one.network.name: one.network for one in sets}
    launched = {name: network.launch(images) for name, network in networks.items()}

    def finish():
        if check:
            check()
        return {key: networks[key[0]].finish(launched[key[0]], key[1]) for key in {one.key: None for one in sets}}

    return start, end, finish
