"""What processes tell each other: reports in the order of all rounds, wishes to stop, checksums, settings, the state."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.tf import tf
from sg2ada_colab.training.agreement import Agreement, Result, check_alike, checksum, in_global_order, share_state
from sg2ada_colab.training.ranks import Ranks
from sg2ada_colab.training.state import flat

from .test_steps import make


def gathering(*rows):
    """Return a process 0 whose gatherings give these rows after its own."""
    ranks = Ranks(0, 1 + len(rows), reduce=lambda vector: vector)
    ranks.gather = lambda vector: np.stack([np.asarray(vector)] + [row(np.asarray(vector)) for row in rows])
    return ranks


def test_results_are_merged_as_one_process_has_them():
    main, reg, valid = (SimpleNamespace(rounds=rounds) for rounds in (4, 4, 1))

    def of_rank(index):
        rounds = [2 * index, 2 * index + 1]
        trained = [Result(phase, r, True if r % 2 else None) for phase in (main, reg, main) for r in rounds]
        return trained + [Result(valid, f"of {index}", None)]

    merged = in_global_order([of_rank(0), of_rank(1)])
    expected = [Result(phase, r, True if r == 3 else None) for phase in (main, reg, main) for r in range(4)]
    assert merged == expected + [Result(valid, "of 0", None)]


def checksum_of_all():
    return checksum(flat(make()[0].variables()))


@pytest.mark.parametrize(
    "own, other, result",
    [(None, 0, None), ("interrupted", 0, "interrupted"), (None, 1, "interrupted"), ("interrupted", 2, "asked to end"),
     ("another reason", 0, "asked to end")],
)  # fmt: skip
def test_all_stop_where_one_wants_to(own, other, result):
    phase = SimpleNamespace(rounds=2, reports=("a",))

    def row(vector):
        return np.concatenate([[other], vector[1:5], [7.0, 1.0]])

    agreement = Agreement(gathering(row), checksum_of_all)
    read, reason = agreement.exchange([Result(phase, tf.constant([5.0]), tf.constant(True))], own)
    assert reason == result
    assert read == [Result(phase, {"a": 5}, None), Result(phase, {"a": 7}, True)]


def test_other_weights_end_the_run():
    def row(vector):
        return vector + np.eye(len(vector))[2]

    agreement = Agreement(gathering(lambda vector: vector, row), checksum_of_all)
    with pytest.raises(UserError, match="process 2 are no longer those of process 0") as info:
        agreement.exchange([Result(SimpleNamespace(rounds=3, reports=("a",)), tf.constant([5.0]), None)], None)
    assert "sg2ada resume" in info.value.next_step


def test_a_checksum_is_of_every_bit_and_of_the_place():
    variables = [tf.Variable([1.0, -2.0, np.inf]), tf.Variable(0.0), tf.Variable([[3.0]])]

    def now():
        parts = checksum(variables).numpy()
        assert parts.dtype == np.float32 and np.all(parts == np.int64(parts)) and np.all(np.abs(parts) < 65536)
        return sum(int(part) << 16 * k for k, part in enumerate(parts))

    total = sum((2 * k + 1) * int(v.numpy().view(np.int32).astype(np.int64).sum()) for k, v in enumerate(variables))
    sums = [now()]
    assert sums == [total % 2**64]
    changes = [
        (0, [1.0, np.nextafter(np.float32(-2), np.float32(0)), np.inf]),
        (1, np.array(-0.0, np.float32)),
        (1, 3.0),
        (2, [[0.0]]),
    ]
    for index, value in changes:  # a last bit, a sign of zero, and a value that two variables exchange
        variables[index].assign(value)
        sums.append(now())
    assert len(set(sums)) == 5


def refusal(settings, *others):
    """Return what process 0 says to processes of other settings; "" where they are alike."""

    def gather_bytes(data):
        name = next(name for name, value in settings.items() if value.encode() == data)
        return [one[name].encode() for one in (settings, *others)]

    ranks = Ranks(0, 1 + len(others), reduce=lambda vector: vector)
    ranks.gather_bytes = gather_bytes
    gathered = [hashlib.sha256(value.encode()).digest()[:8] for one in (settings, *others) for value in one.values()]
    ranks.gather = lambda vector: np.frombuffer(b"".join(gathered), "<u2").astype(np.float32).reshape(len(others) + 1, -1)
    try:
        check_alike(ranks, settings)
    except UserError as error:
        return error.what
    return ""


def test_processes_that_are_not_alike_refuse_each_other_and_name_what_differs():
    settings = {"the version": "1", "the dataset": "a" * 64, "the options": json.dumps({"gamma": 1.0, "seed": 3})}
    other_data, other_version = dict(settings, **{"the dataset": "b" * 64}), dict(settings, **{"the version": "2"})
    other_options = dict(settings, **{"the options": json.dumps({"gamma": 2.0, "seed": 3, "pipe": None})})
    many = dict(settings, **{"the options": json.dumps(dict.fromkeys("abcdefghij", 1))})
    assert refusal(settings, settings) == ""
    assert "differ from process 0 in: the dataset of process 2, 3." in refusal(settings, settings, other_data, other_data)
    assert "the version of process 1 (1 in process 0, 2 in process 1)." in refusal(settings, other_version)
    assert "the options of process 1 (gamma: 1.0 in process 0, 2.0 in process 1)." in refusal(settings, other_options)
    assert refusal(settings, many).count("in process 1") == 8 and refusal(settings, many).endswith("; 4 more).")


def test_a_state_is_shared_bit_for_bit():
    (first, _), (other, _) = make(), make(seed=5)
    first.pl_mean.assign(np.array(-0.0, np.float32))
    first.counters.nimg, first.counters.elapsed_s = 640, 0.1 + 0.2
    first.means.add("Loss/G/loss", 1 / 3)
    sent = []
    share_state(Ranks(0, 2, reduce=lambda vector: sent.append(vector) or vector), first)
    totals = iter(sent)
    share_state(Ranks(1, 2, reduce=lambda vector: vector + next(totals)), other)
    (networks, arrays, meta), (networks_b, arrays_b, meta_b) = first.save(), other.save()
    assert meta == meta_b and meta["counters"]["nimg"] == 640
    for part, named in dict(networks, rest=arrays).items():
        for name, array in named.items():
            assert array.tobytes() == dict(networks_b, rest=arrays_b)[part][name].tobytes(), name
