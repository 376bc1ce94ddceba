"""Rounds that processes share give what one process with all rounds gives: weights, means, counters, statistics, stops."""

import numpy as np
import pytest

from sg2ada_colab.tf import tf
from sg2ada_colab.training import phase
from sg2ada_colab.training.optimizer import Accumulator
from sg2ada_colab.training.ranks import ALONE

from .rank_pair import RankPair
from .shared_work import MINIBATCHES, trained

WORK = "tests.training.shared_work."
# Labels, held-out images, path length, and a method whose vectors in D follow as the means do.
COMPARED = {"batch_gpu": 4, "aug": "adarv", "cmethod": "spectralnorm", "initstrength": 0.3}


@pytest.fixture(scope="module")
def pair():
    with RankPair() as processes:
        yield processes


def assert_same_in_both(one, other):
    assert one[1:] == other[1:]
    for name, value in one[0].items():
        np.testing.assert_array_equal(value, other[0][name], err_msg=name)


def test_two_processes_with_a_round_equal_one_with_two(pair):
    """The sum of two rounds is the same in either order: so not a bit may differ."""
    expected = trained(ALONE, COMPARED)
    of_ranks = pair.call(WORK + "trained", COMPARED)
    assert_same_in_both(*of_ranks)
    assert_same_in_both(of_ranks[0], expected)
    values, means, meta = expected
    assert meta["counters"]["minibatch"] == MINIBATCHES and len(means) > 1
    assert values["rest/pl_mean"] != 0 and np.any(values["G/dlatent_avg"] != 0) and meta["controller"]["p"] != 0.3
    assert {"Loss/scores/valid", "Loss/pl_penalty", "Loss/r1_penalty", "TrainG/overflow_frequency"} <= set(means[0])


def distances(values, expected):
    """Return the relative L2 distance of each variable."""
    norms = {name: max(np.linalg.norm(value), 1e-30) for name, value in expected.items()}
    return {name: np.linalg.norm(values[name] - value) / norms[name] for name, value in expected.items()}


class PairwiseAccumulator(Accumulator):
    """Adds four rounds in another order: (1 + 2) + (3 + 4)."""

    def __init__(self, trainable, rounds):
        super().__init__(trainable, rounds)
        self.second, self.done = Accumulator(trainable, rounds), tf.Variable(0.0)

    def add(self, gradients):
        for half, accumulator in enumerate((super(), self.second)):
            here = tf.cast(tf.equal(self.done // 2, half), tf.float32)
            accumulator.add([gradient * here for gradient in gradients])
        self.done.assign_add(1.0)

    def take(self):
        self.done.assign(0.0)
        return [a + b for a, b in zip(super().take(), self.second.take())]


@pytest.mark.slow
def test_with_two_rounds_each_they_are_as_near_as_another_order_of_summation(pair, monkeypatch):
    """Without XLA, which compiles the programs of several processes apart from those of one, so that any sum may round otherwise:
    with it all distances together are as large as those of another order (2.3e-6 and 3.0e-6 at most), not those of each variable.
    """
    options = {"batch_gpu": 2, "aug": "ada-apa", "initstrength": 0.3, "lecam": 0.1, "no_xla": True}
    expected, _, meta = trained(ALONE, options)
    monkeypatch.setattr(phase, "Accumulator", PairwiseAccumulator)
    another_order = distances(trained(ALONE, options)[0], expected)
    of_ranks = pair.call(WORK + "trained", options)
    assert_same_in_both(*of_ranks)
    shared = distances(of_ranks[0][0], expected)
    assert max(another_order.values()) > 0 and {n: d for n, d in shared.items() if d > another_order[n]} == {}
    assert of_ranks[0][2]["counters"] == meta["counters"]


def test_all_stop_after_the_same_group_where_one_wants_to(pair):
    first, second = pair.call(WORK + "stopped_by_one", {"batch_gpu": 4})
    assert first == second and first["minibatch"] == 3 * 4


def test_a_weight_that_differs_ends_the_run_in_every_process(pair):
    for groups, text in pair.call(WORK + "with_a_changed_weight", {"batch_gpu": 4}):
        assert groups == [4, 8]
        assert "process 1 are no longer those of process 0" in text and "Expected:" in text and "Next: Go on from" in text
