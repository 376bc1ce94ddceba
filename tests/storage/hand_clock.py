"""A clock that a test steps by hand: nothing waits, and a busy machine changes nothing."""

from sg2ada_colab.clock import Clock


class HandClock(Clock):
    """Time that goes on when the test says so, or when something sleeps.

    Args:
        during_sleep: Optional callable of the seconds, called at each sleep: what happens elsewhere meanwhile.
    """

    def __init__(self, during_sleep=None):
        self.now, self.wall, self.slept = 1000.0, 1_700_000_000.0, []
        self.during_sleep = during_sleep or (lambda seconds: None)

    def monotonic(self):
        return self.now

    def time(self):
        return self.wall

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.step(seconds)
        self.during_sleep(seconds)

    def step(self, seconds):
        self.now += seconds
        self.wall += seconds
