"""Trying again: how often, how long between, and what is not tried again."""
import pytest

from sg2ada_colab.snapshots.retry import with_retries


def failing(times, error, calls):
    def action():
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return action


def test_waits_twice_as_long_each_time_and_returns_the_result():
    calls, waits = [], []
    assert with_retries(failing(3, OSError(5, "EIO"), calls), attempts=4, first_wait_s=1, sleep=waits.append) == "done"
    assert waits == [1, 2, 4] and len(calls) == 4


def test_raises_the_last_error():
    calls, waits = [], []
    with pytest.raises(OSError, match="EIO"):
        with_retries(failing(9, OSError(5, "EIO"), calls), attempts=3, first_wait_s=1, sleep=waits.append)
    assert waits == [1, 2] and len(calls) == 3


@pytest.mark.parametrize("error", [FileNotFoundError(2, "absent"), ValueError("damaged")])
def test_an_answer_is_not_a_failure(error):
    calls = []
    with pytest.raises(type(error)):
        with_retries(failing(9, error, calls), sleep=None)
    assert len(calls) == 1
