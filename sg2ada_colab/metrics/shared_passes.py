"""Passes over images that the processes of a run share: the first one says which features it wants, and each computes a part.

A process is given whole batches, of the images with the same numbers that one process would show its networks together, and the
first adds all rows up in order: what is measured is what one process measures, to the last bit on devices of one kind. Every
metric takes part: mean and covariance, subsets, neighbours, path lengths.
"""

import hashlib
import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np

from ..errors import UserError
from . import features
from .feature_set import Batch, BatchesOf, FeatureSet, FeatureSets, Key, batches_here, step_of

if TYPE_CHECKING:
    from ..training.ranks import Ranks  # takes TensorFlow, which names and results do not need

DIGEST_BYTES = 8

# What the first process sends, as JSON: {"metrics", "source"} begins a measurement, {"pass", "sets", "start", "end", "new"} asks
# for features, null ends it. Where "new" is true, programs may have to be compiled.


class SharedPasses:
    """The other processes of a run, from the first one's side.

    Args:
        ranks: Ranks; this is the first process of several.
        say: Takes a sentence for the user.
    """

    def __init__(self, ranks: "Ranks", say: Callable[[str], Any] = print) -> None:
        self.ranks, self.say = ranks, say
        self._passes: List[List[FeatureSet]] = []
        self._computed: Set[Tuple[str, Key]] = set()  # stage and key of what was asked for before

    @property
    def count(self) -> int:
        """Number of processes that compute at once; those on one machine's processor share its cores, so they count as one."""
        from ..tf import gpus

        return self.ranks.count if gpus() else 1

    def begin(self, source: str, metrics: Sequence[str], sets: FeatureSets) -> Optional[BatchesOf]:
        """Return what computes the features of sets; None where another process has not the same images and networks.

        Args:
            source: What names the generator, as in MeasureOptions.
            metrics: Names of the metrics that need the sets.
        """
        self._passes = sets.by_source()
        self._send({"metrics": list(metrics), "source": source})
        with leader_first(self.ranks):
            pass  # what this process had to compile for the sets is ready
        rows = self.ranks.gather(_digest(self._passes))
        unlike = [str(index + 1) for index, row in enumerate(rows) if not np.array_equal(row, rows[0])]
        if unlike:
            self.say(
                "Process 1 measures alone: process {} has other feature networks, or other images of --metricdata.".format(
                    ", ".join(unlike)
                )
            )
            return None
        return self._batches_of

    def end(self) -> None:
        """Let the others go on with training."""
        self._send(None)

    def _send(self, task):
        self.ranks.share(json.dumps(task).encode())

    def _batches_of(
        self, sets: List[FeatureSet], start: int, end: int, wanting: Callable[[int, int], List[FeatureSet]]
    ) -> Iterator[Batch]:
        number = next(number for number, one in enumerate(self._passes) if one[0].source == sets[0].source)
        while start < end:
            last = min(start + self.ranks.count * _most_at_once(sets), end)
            wanted = wanting(start, last)
            if wanted:
                chosen = [k for k, one in enumerate(self._passes[number]) if any(one is other for other in wanted)]
                new = self._is_new(wanted)
                self._send({"pass": number, "sets": chosen, "start": start, "end": last, "new": new})
            yield Batch(start, last, computed_together(self.ranks, wanted, start, last, new) if wanted else {})
            start = last

    def _is_new(self, sets):
        """Return whether a program for sets may not have been compiled yet; the next time it has."""
        asked = {(one.source.stage, one.key) for one in sets}
        new = not asked <= self._computed
        self._computed |= asked
        return new


def help_to_measure(ranks: "Ranks", requested: Callable[[List[str], str], FeatureSets]) -> None:
    """Compute what the first process asks for until it ends the measurement.

    Args:
        ranks: Ranks; this is not the first process.
        requested: Function (metrics, source) that returns the FeatureSets of `SharedPasses.begin`; whatever it raises, the first
            process measures without this one.

    Raises:
        OtherRankEnded: Another process is gone.
    """
    from ..training.ranks import OtherRankEnded

    passes: List[List[FeatureSet]] = []
    while True:
        task = json.loads(ranks.share(b"").decode())
        if task is None:
            return
        if "metrics" in task:
            with leader_first(ranks):
                try:
                    passes = requested(task["metrics"], task["source"]).by_source()
                except Exception:  # noqa: BLE001 - whatever it is, the first process is told and training goes on
                    passes = []
            ranks.gather(_digest(passes))
            continue
        chosen = [passes[task["pass"]][k] for k in task["sets"]]
        try:
            computed_together(ranks, chosen, task["start"], task["end"], task["new"])
        except OtherRankEnded:
            raise
        except Exception:  # noqa: BLE001 - the first process knows it, and ends the measurement
            continue


def computed_together(
    ranks: "Ranks", sets: List[FeatureSet], start: int, end: int, in_turns: bool = False
) -> Dict[Key, np.ndarray]:
    """Return the features of images for sets of one source, each process having computed a part; all call it alike.

    Args:
        ranks: Ranks.
        sets: FeatureSets, the same in all processes.
        start, end: Number of the first image, a multiple of the batch; number of the last one, plus 1.
        in_turns: Compute with `leader_first`.

    Raises:
        UserError: Another process has failed. What this process's part raises, it raises after the others have had their say.
    """
    widths = {one.key: one.width for one in sets}
    step, width = step_of(sets), sum(widths.values())
    each = -(-(end - start) // (step * ranks.count)) * step  # images of a process
    first, last = (min(start + k * each, end) for k in (ranks.index, ranks.index + 1))
    own, problem = np.zeros([1 + each * width], np.float32), None
    with ExitStack() as turn:
        if in_turns:
            turn.enter_context(leader_first(ranks))
        try:
            for batch in batches_here(sets, first, last, lambda *ignored: sets):
                part = np.concatenate([batch.rows[key] for key in widths], axis=1)
                own[1 + (batch.start - first) * width :][: part.size] = part.reshape(-1)
            own[0] = 1
        except BaseException as error:  # the others wait for this one's part
            problem = error
    rows = ranks.gather(own)
    if problem is not None:
        raise problem
    failed = [str(index + 1) for index, row in enumerate(rows) if row[0] != 1]
    if failed:
        raise UserError(
            f"process {', '.join(failed)} could not compute its part of the features",
            "images and features that are finite, and enough memory for them on each GPU",
            "measure by hand with `sg2ada metrics`, which names the reason",
        )
    features_of_all = rows[:, 1:].reshape(ranks.count * each, width)[: end - start]
    return dict(zip(widths, np.split(features_of_all, np.cumsum(list(widths.values()))[:-1], axis=1)))


@contextmanager
def leader_first(ranks: "Ranks") -> Iterator[None]:
    """Let the first process of each machine do something before the others of it, which then find what it has compiled.

    Args:
        ranks: Ranks; all processes must come here, and raise nothing inside.
    """
    if not ranks.leads:
        ranks.gather([0.0])
    yield
    if ranks.leads:
        ranks.gather([0.0])


def _most_at_once(sets):
    """Return how many images a process is given at once: as many batches as a GPU is given before the first is waited for."""
    return step_of(sets) * (1 + features.batches_ahead())


def _digest(passes):
    """Return a digest of all sets as numbers that float32 holds exactly; zeros for none."""
    if not passes:
        return np.zeros([DIGEST_BYTES // 2], np.float32)
    identities = "\n".join(one.identity for sets in passes for one in sets)
    return np.frombuffer(hashlib.sha256(identities.encode()).digest()[:DIGEST_BYTES], "<u2").astype(np.float32)
