"""A wish to stop: the first signal is a wish, its echo is nothing, and a second one is obeyed at once."""

import os
import signal

import pytest

from sg2ada_colab.runs import stop
from sg2ada_colab.runs.stop import ECHO_S, StopFlag


@pytest.mark.parametrize("number, reason", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "asked to end")])
def test_a_signal_is_a_reason_and_the_handlers_come_back(number, reason):
    before = signal.getsignal(number)
    with StopFlag() as flag:
        assert flag() is None
        os.kill(os.getpid(), number)
        assert flag() == reason
    assert signal.getsignal(number) is before


def test_a_second_one_within_the_time_of_an_echo_is_the_same_and_a_later_one_is_obeyed_at_once(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(stop.time, "time", lambda: now[0])
    with StopFlag() as flag:
        os.kill(os.getpid(), signal.SIGINT)
        for seconds in (ECHO_S / 2, ECHO_S / 2):  # each echo may have one of its own
            now[0] += seconds
            os.kill(os.getpid(), signal.SIGINT)
        now[0] += ECHO_S + 0.1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert flag() == "interrupted"
