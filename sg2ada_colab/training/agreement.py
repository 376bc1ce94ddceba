"""What the processes of a run tell each other: at its start the settings and the state, after each group what it gave."""

import hashlib
import itertools
import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from ..errors import UserError
from ..tf import tf
from .ranks import Ranks
from .state import REST, TrainState

STOP_REASONS = ("interrupted", "asked to end")  # a wish to stop is sent as its number from 1; the largest of all counts
LONGEST_SHOWN, MOST_NAMED = 40, 8  # of a value that differs between processes; of options that do
PARTS, PART_BITS = 4, 16  # of a checksum: float32 holds each exactly


class Result(NamedTuple):
    """What one call of a phase gave: tensors on the device, or what was read of them."""

    phase: Any  # Phase
    reports: Any  # float32 vector in the order of `phase.reports`; once read, dict name → float
    finite: Any  # whether the optimiser's step was finite; None where there was none


def read_reports(results: List[Result]) -> List[Result]:
    """Return a group's results with plain numbers, by one copy from the device."""
    return unpacked(results, packed(results).numpy())


def packed(results: List[Result]) -> tf.Tensor:
    """Return the reports and flags of a group as one vector on the device."""
    parts = []
    for _, reports, finite in results:
        parts += [reports] + ([] if finite is None else [tf.reshape(tf.cast(finite, tf.float32), [1])])
    return tf.concat(parts, axis=0)


def unpacked(results: List[Result], vector: np.ndarray) -> List[Result]:
    """Return the results whose `packed` vector was read; of the tensors in `results` only their places count."""
    numbers, read = iter(vector.astype(np.float64)), []
    for phase, _, finite in results:
        values = {name: next(numbers) for name in phase.reports}
        read.append(Result(phase, values, None if finite is None else bool(next(numbers))))
    return read


def in_global_order(of_ranks: Sequence[List[Result]]) -> List[Result]:
    """Return the results of all processes as one process that ran all rounds has them.

    Args:
        of_ranks: Of each process, in order; all have run the same phases, each its own rounds.
    """
    merged: List[Result] = []
    blocks = [[list(block) for _, block in itertools.groupby(results, lambda one: id(one.phase))] for results in of_ranks]
    for of_phase in zip(*blocks):
        if of_phase[0][0].phase.rounds == len(of_phase[0]):  # each process ran all of them
            merged += of_phase[0]
        else:  # the step, which all took alike, comes after the last round
            merged += [one._replace(finite=None) for block in of_phase[:-1] for one in block] + of_phase[-1]
    return merged


class Agreement:
    """Lets the processes of a run go on alike after each group, by one message.

    Args:
        ranks: Ranks.
        checksum: Function that returns the `checksum` of the variables that must be the same in all of them.
    """

    def __init__(self, ranks: Ranks, checksum: Callable) -> None:
        self.ranks, self._checksum = ranks, checksum

    def exchange(self, results: List[Result], reason: Optional[str]) -> "tuple[List[Result], Optional[str]]":
        """Return (the results of all processes, read and in order; why all of them stop now, or None).

        Args:
            results: Of this process's rounds, on the device.
            reason: Why this process wants to stop, or None.

        Raises:
            UserError: The variables of the processes are no longer the same.
        """
        wish = 0 if reason is None else 1 + STOP_REASONS.index(reason) if reason in STOP_REASONS else len(STOP_REASONS)
        own = packed(results)
        rows = self.ranks.gather(tf.concat([[float(wish)], self._checksum(), own], axis=0))
        self._check(rows[:, 1 : 1 + PARTS])
        wish = int(rows[:, 0].max())
        read = in_global_order([unpacked(results, row[1 + PARTS :]) for row in rows])
        return read, STOP_REASONS[wish - 1] if wish else None

    def _check(self, sums):
        others = [index for index, row in enumerate(sums) if not np.array_equal(row, sums[0])]
        if others:
            raise UserError(
                f"The weights or optimiser variables of process {_listed(others)} are no longer those of process 0.",
                "the same bits in every process after every step",
                "Go on from the newest snapshot, which was written before: sg2ada resume. If it happens again, train on cards of "
                "one kind, or on one: a card, its memory or the network between them may be at fault.",
            )


def checksum(variables: List[Any]) -> tf.Tensor:
    """Return a checksum of all bits of float32 variables, as whole numbers below 65536: float32 [4].

    The bits of each value as an integer, added up with wrapping, each variable times an odd number of its own.
    """
    totals = [tf.reduce_sum(tf.cast(tf.bitcast(variable, tf.int32), tf.int64)) for variable in variables]
    total = tf.reduce_sum(tf.stack(totals) * tf.constant(2 * np.arange(len(totals), dtype=np.int64) + 1))
    parts = [tf.bitwise.right_shift(total, tf.constant(PART_BITS * k, tf.int64)) for k in range(PARTS)]
    return tf.cast(tf.bitwise.bitwise_and(tf.stack(parts), tf.constant((1 << PART_BITS) - 1, tf.int64)), tf.float32)


def check_alike(ranks: Ranks, settings: Mapping[str, str]) -> None:
    """Let all processes refuse to train together where a setting differs.

    Args:
        ranks: Ranks.
        settings: What must be the same everywhere: its name in words → its value; of several values together a JSON object. All
            processes have the same names.

    Raises:
        UserError: Names what differs and both values, in every process.
    """
    digests = [hashlib.sha256(value.encode()).digest()[:8] for value in settings.values()]
    rows = ranks.gather(np.frombuffer(b"".join(digests), "<u2").astype(np.float32)).reshape(ranks.count, len(settings), -1)
    different = {
        name: [index for index in range(ranks.count) if not np.array_equal(rows[index, k], rows[0, k])]
        for k, name in enumerate(settings)
    }
    problems = [
        f"{name} of process {_listed(others)}{_in_words(ranks.gather_bytes(settings[name].encode()), others[0])}"
        for name, others in different.items()
        if others
    ]
    if problems:
        raise UserError(
            f"The processes of this run differ from process 0 in: {', '.join(problems)}.",
            "the same program, options and dataset in every process, on every machine",
            "Install the same versions, give the same options and a copy of the same dataset; then begin again.",
        )


def _in_words(values, other):
    """Return how a value of process 0 and that of another process differ, in brackets; "" where it is a digest."""
    one, another = values[0].decode(), values[other].decode()
    if not one.startswith("{"):
        return f" ({one} in process 0, {another} in process {other})" if max(len(one), len(another)) <= LONGEST_SHOWN else ""
    before, after = json.loads(one), json.loads(another)
    names = [name for name in sorted(set(before) | set(after)) if before.get(name) != after.get(name)]
    told = [f"{name}: {before.get(name)} in process 0, {after.get(name)} in process {other}" for name in names[:MOST_NAMED]]
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return " ({})".format("; ".join(told + more))


def share_state(ranks: Ranks, state: TrainState) -> None:
    """Give the state of process 0 to every process, bit for bit; those of the others are overwritten."""
    if ranks.count == 1:
        return
    networks, arrays, meta = state.save()
    parts: Dict[str, Dict[str, np.ndarray]] = dict(networks, **{REST: arrays})
    meta = json.loads(ranks.share(json.dumps(meta).encode()).decode())
    received = {name: _shared_arrays(ranks, part) for name, part in parts.items()}
    rest = received.pop(REST)
    if ranks.index:
        state.load(rest, meta, received)


def _shared_arrays(ranks, arrays):
    data, start, received = ranks.share(b"".join(array.tobytes() for array in arrays.values())), 0, {}
    for name, array in arrays.items():
        received[name] = np.frombuffer(data[start : start + array.nbytes], array.dtype).reshape(array.shape)
        start += array.nbytes
    assert start == len(data), "the state of process 0 is that of other networks"
    return received


def _listed(indices):
    return ", ".join(map(str, indices))
