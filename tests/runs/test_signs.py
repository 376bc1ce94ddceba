"""Signs of life: they arrive through a pipe, and each stage has its own allowance; the clock is the test's."""

import os
import time

import pytest

from sg2ada_colab.runs.signs import ASIDE, BEAT, BEGUN, FIRST_GROUPS, GROUP, JOINED, Allowances, Sender, Watch

ALLOWED = Allowances(beat_s=10, start_s=100, first_s=60, group_s=20, times=3, aside_s=1000)


class Signs:
    """A watch, the other end of its pipe, and the time."""

    def __init__(self):
        self.now = 0.0
        reading, self.writing = os.pipe()
        self.watch = Watch(reading, ALLOWED, lambda: self.now)

    def after(self, seconds, signs=b""):
        """Let seconds pass, in which it beats; what it says then arrives; return why it counts as hanging, or None."""
        self.now += seconds
        os.write(self.writing, BEAT + signs)
        self.watch.look()
        return self.watch.silence()

    def close(self):
        self.watch.close()
        os.close(self.writing)


@pytest.fixture
def signs():
    made = Signs()
    yield made
    made.close()


def test_one_that_does_not_run_at_all_is_found_in_every_stage(signs):
    for said in (b"", JOINED, ASIDE, GROUP):
        assert signs.after(1, said) is None
        signs.now += 9
        assert signs.watch.silence() is None
        signs.now += 2
        assert signs.watch.silence() == "showed no sign of life for 11 s"


def test_the_start_has_time_to_compile_and_to_wait(signs):
    assert signs.after(99) is None and not signs.watch.has_joined
    assert signs.after(0, JOINED) is None and signs.watch.has_joined and not signs.watch.has_begun
    assert signs.after(99) is None
    assert signs.after(2) == "did not go on for 101 s"


def test_training_has_a_multiple_of_its_longest_group(signs):
    signs.after(0, JOINED + ASIDE)
    assert signs.watch.has_begun and not signs.watch.has_trained
    for _ in range(FIRST_GROUPS):
        assert signs.after(55, GROUP) is None  # compiling: no measure of what a group takes
    assert signs.watch.has_trained
    assert signs.after(19) is None and signs.after(2) == "did not go on for 21 s"
    signs.after(0, GROUP)  # it took 21 s
    assert signs.after(62) is None and signs.after(2) is not None


def test_the_first_groups_have_time_to_compile_what_remains(signs):
    signs.after(0, JOINED + BEGUN)
    assert signs.after(59) is None and signs.after(2) == "did not go on for 61 s"


def test_what_is_done_between_groups_has_longer_and_measures_nothing(signs):
    signs.after(0, GROUP * FIRST_GROUPS)
    signs.after(1, ASIDE)
    assert signs.after(999) is None
    assert signs.after(0, GROUP) is None  # the group behind a tick
    assert signs.after(21) is not None  # not three times 999


def test_time_in_which_the_launcher_itself_stood_still_does_not_count(signs):
    signs.after(0, GROUP * FIRST_GROUPS)
    signs.now += 5000
    signs.watch.forgive(5000)
    assert signs.watch.silence() is None
    signs.now += 11
    assert signs.watch.silence() is not None


def test_a_sender_beats_and_is_held_up_by_nobody():
    reading, writing = os.pipe()
    sender = Sender(writing)
    for _ in range(100):
        sender.send(b"x" * 4096)  # more than the pipe holds; nobody reads
    os.set_blocking(reading, False)
    while True:
        try:
            os.read(reading, 1 << 20)
        except BlockingIOError:
            break
    until = time.monotonic() + 30
    seen = b""
    while BEAT not in seen and time.monotonic() < until:
        time.sleep(0.1)
        try:
            seen += os.read(reading, 1 << 16)
        except BlockingIOError:
            continue
    assert BEAT in seen
    os.close(reading)  # a launcher that is gone does no harm: it would be SIGPIPE or an error
    sender.send(GROUP)
