"""Which features the metrics need of which images, each computed once; an interrupted pass resumes."""

import hashlib
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

from . import features
from .feature_store import GatheredMoments, GatheredRows
from .features import FeatureNetwork

SAVE_SECONDS = 60.0


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
    def store(self) -> Any:
        """The GatheredMoments or GatheredRows; opened at the first use, after which `needs_rows` no longer counts."""
        if self._store is None:
            kind = GatheredRows if self.needs_rows else GatheredMoments
            identity = f"{self.source.identity}/{self.network.digest}/{self.output}/{self.total} images"
            digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
            path = self.source.folder / f"{self.network.name}-{kind.__name__.lower()}-{digest}" if self.source.folder else None
            self._store = kind(self.network.outputs[self.output], path, identity)
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

    def gather(self, watch: "Watch") -> None:
        """Fill all sets: one pass over each source, in the order of the first requests."""
        by_source: Dict[ImageSource, List[FeatureSet]] = OrderedDict()
        for one in self._sets.values():
            by_source.setdefault(one.source, []).append(one)
        for sets in by_source.values():
            gather(sets, watch)


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


@dataclass(frozen=True)
class _Batch:
    start: int  # number of the first image
    end: int  # number of the last image, plus 1
    check: Optional[Callable]  # raises a UserError where the images are not finite
    launched: Dict[str, Any]  # network's name -> what its `launch` returned


def gather(sets: List[FeatureSet], watch: Watch) -> None:
    """Fill feature sets of one source in one pass over its images, and close their files.

    A GPU is given some batches before the first is waited for, so that it does not idle while their features are added up.

    Raises:
        KeyboardInterrupt: `watch` was asked to stop; what was gathered is saved.
    """
    source, stores = sets[0].source, [one.store for one in sets]
    step, total = max(one.network.batch_size for one in sets), max(one.total for one in sets)
    unfinished = [one.store.count for one in sets if one.lacks_before(one.total)]
    start = min(unfinished) // step * step if unfinished else total
    waiting, ahead = deque(), features.batches_ahead()  # type: ignore[var-annotated]
    try:
        while start < total or waiting:
            if start < total and len(waiting) <= ahead:
                waiting.append(_launch(sets, source, start, min(start + step, total)))
                start = waiting[-1].end
                continue
            batch = waiting.popleft()
            _add(sets, batch)
            watch.batch_done(source.stage, batch.end, total, stores)
    finally:
        for store in stores:
            store.close()


def _launch(sets: List[FeatureSet], source: ImageSource, start: int, end: int) -> _Batch:
    """Start every network that a set needs on the images from number `start` to before `end`."""
    if hasattr(source.images_of, "launch"):
        images, check = source.images_of.launch(end - start, start)
    else:
        images, check = source.images_of(end - start, start), None
    networks = {one.network.name: one.network for one in sets if one.lacks_before(end) and start < one.total}
    return _Batch(start, end, check, {name: network.launch(images) for name, network in networks.items()})


def _add(sets: List[FeatureSet], batch: _Batch) -> None:
    """Wait for a batch and add its features to every set that lacks some of them."""
    if batch.check:
        batch.check()
    rows: Dict[tuple, Any] = {}
    for one in sets:
        if one.lacks_before(batch.end):
            key = (one.network.name, one.output)
            if key not in rows:
                rows[key] = one.network.finish(batch.launched[one.network.name], one.output)
            one.add(rows[key], batch.start)
