"""Running values: moved at once by a round, or by all shared rounds afterwards, in order."""

import numpy as np
import pytest

from sg2ada_colab.tf import tf
from sg2ada_colab.training.running import RunningValues


@pytest.fixture
def values():
    running = RunningValues()
    running.add("mean", tf.Variable([1.0, 2.0]), lambda mean, seen: seen + 0.5 * (mean - seen))
    running.add("length", tf.Variable(8.0), lambda mean, seen: mean + 0.25 * (seen - mean))
    running.add("vector", tf.Variable([[0.0, 0.0]]), lambda vector, seen: seen)
    return running


def now(running):
    return {name: value.variable.numpy().tolist() for name, value in running.values.items()}


def test_a_round_moves_them_at_once(values):
    values.move("mean", lambda: tf.constant([3.0, 0.0]))
    values.move("length", lambda: pytest.fail("the value afterwards is given"), tf.constant(7.0))
    assert now(values) == {"mean": [2, 1], "length": 7, "vector": [[0, 0]]}
    assert values.latest({"vector": 5, "other": 6}) == {"vector": 5, "other": 6}


def test_shared_rounds_move_them_afterwards_in_order(values):
    rounds = []
    for mean, vector in (([3.0, 0.0], [[1.0, 2.0]]), ([5.0, 4.0], [[3.0, np.inf]])):
        with values.collecting() as seen:
            values.move("mean", lambda mean=mean: tf.constant(mean))
            values.move("vector", lambda vector=vector: tf.constant(vector))
            assert values.latest({"vector": 0, "other": 6})["other"] == 6
            assert values.latest({"vector": 0})["vector"].numpy().tolist() == vector
        assert list(seen) == ["mean", "vector"]
        rounds.append(values.pack(seen))
    assert now(values) == {"mean": [1, 2], "length": 8, "vector": [[0, 0]]}
    assert rounds[0].numpy().tolist() == [3, 0, 0, 1, 2] and values.sizes() == [2, 1, 2]
    values.follow(tf.stack(rounds), ["mean", "vector"])
    assert now(values) == {"mean": [3.5, 2.5], "length": 8, "vector": [[3, np.inf]]}
