"""The processes that train together: their place among each other, and what they send."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.tf import IS_TF1
from sg2ada_colab.tf_config import tf_config_text
from sg2ada_colab.training.ranks import ALONE, PIECE, Ranks, join

from .rank_pair import RankPair


def test_a_tf_config_that_cannot_be_used_is_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config_text(["a:1", "a:1"], 0))
    with pytest.raises(UserError, match="TF_CONFIG names a:1 twice"):
        join()


@pytest.mark.parametrize("text", ["", tf_config_text(["a:1"], 0)])
def test_one_process_is_alone_and_sends_nothing(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert join() is ALONE and (ALONE.index, ALONE.count, ALONE.leads) == (0, 1, True)
    vector = np.float32([1, 2])
    assert ALONE.sum(vector) is vector and ALONE.share(b"data") == b"data"
    np.testing.assert_array_equal(ALONE.gather(vector), [vector])


def test_bytes_are_sent_in_pieces():
    data = np.random.RandomState(0).bytes(2 * PIECE + 2 * PIECE // 3 + 1)
    sent = []
    first = Ranks(0, 2, reduce=lambda vector: sent.append(vector) or vector)
    assert first.share(data) == data
    totals = iter(sent)
    assert Ranks(1, 2, reduce=lambda vector: vector + next(totals)).share(b"of another") == data
    assert [int(vector.shape[0]) for vector in sent] == [256, PIECE, PIECE]


@pytest.fixture(scope="module")
def pair():
    with RankPair() as processes:
        yield processes


def test_two_processes_sum_gather_and_share(pair):
    data = [b"", b"odd", bytes(range(256)) * 40]
    results = pair.call("tests.training.shared_work.primitives", data)
    for total, rows, shared, _, gathered in results:
        np.testing.assert_array_equal(total, np.float32([3, 2]))
        np.testing.assert_array_equal(rows, np.float32([[1, 1e-30, -2.5], [2, 1e-30, np.inf]]))
        assert shared == data and gathered == [b"abc", b"bc"]
    assert [leads for _, _, _, leads, _ in results] == [True, False]


@pytest.mark.skipif(IS_TF1, reason="TF 1.14 waits for a process that has ended: what started it has to end the others")
def test_the_end_of_one_process_is_seen_by_the_other(pair):
    """The last test here: it ends the pair."""
    pair.start("tests.training.shared_work.end", (), ())
    pair.processes[1].wait(60)
    name, seconds = pair.results_of(0)
    assert name == "OtherRankEnded" and seconds < 60
