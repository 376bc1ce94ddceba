"""Signs of life: what a process of a run on several devices writes into a pipe, and how long the launcher waits for them."""

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Optional

BEAT, JOINED, BEGUN, ASIDE, GROUP = b"b", b"j", b"s", b"a", b"g"
BEAT_EVERY_S = 1.0
FIRST_GROUPS = 5  # of minibatches: in them every kind of step is traced and compiled, as D's penalty comes every 16


@dataclass(frozen=True)
class Allowances:
    """Seconds without a sign after which a process counts as hanging."""

    beat_s: float = 45.0  # it does not run at all: stopped, or its machine is
    start_s: float = 3600.0  # until training begins: the others are waited for, programs compiled
    first_s: float = 1200.0  # for each of the first groups, in which what remains is compiled
    group_s: float = 50.0  # for a group of minibatches, if ten of the longest so far are not more
    times: float = 10.0
    aside_s: float = 7200.0  # for what is done between groups: metrics, grids, snapshots, and the end


class Sender:
    """A process's end of the pipe: it beats from a thread, and is told where the process stands."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        os.set_blocking(descriptor, False)  # a launcher that reads no more holds nobody up
        threading.Thread(target=self._beat, name="signs of life", daemon=True).start()

    def send(self, sign: bytes) -> None:
        with suppress(OSError):
            os.write(self.descriptor, sign)

    def _beat(self) -> None:
        while True:
            self.send(BEAT)
            time.sleep(BEAT_EVERY_S)


class Watch:
    """The launcher's end of one process's pipe.

    Args:
        descriptor: To read from; it is closed by `close`.
        allowances: `Allowances`.
        clock: Seconds that never go back.
    """

    def __init__(self, descriptor: int, allowances: Allowances, clock: Callable[[], float] = time.monotonic) -> None:
        self.descriptor, self.allowances, self.clock = descriptor, allowances, clock
        self.has_joined = self.has_begun = False
        self._beat: Optional[float] = None  # no sign yet: Python itself starts
        self._moved = clock()
        self._longest, self._groups, self._aside = 0.0, 0, False
        os.set_blocking(descriptor, False)

    @property
    def has_trained(self) -> bool:
        """Whether the first groups, in which all is compiled, are over."""
        return self._groups >= FIRST_GROUPS

    def look(self) -> None:
        """Take in what was written since the last look."""
        signs = b""
        with suppress(BlockingIOError):
            signs = os.read(self.descriptor, 1 << 16)
        now = self.clock()
        if signs:
            self._beat = now
        for sign in (bytes([number]) for number in signs if bytes([number]) != BEAT):
            self._take(sign, now)

    def _take(self, sign, now):
        self.has_joined = True
        if sign in (BEGUN, ASIDE, GROUP):
            self.has_begun = True
        if sign == GROUP:
            if self.has_trained and not self._aside:
                self._longest = max(self._longest, now - self._moved)
            self._groups += 1
        self._aside, self._moved = sign == ASIDE, now

    def forgive(self, seconds: float) -> None:
        """Add time in which the launcher itself stood still, as when its machine sleeps."""
        self._beat = None if self._beat is None else self._beat + seconds
        self._moved += seconds

    def no_beat(self, limit_s: float) -> Optional[str]:
        """Return, in words, that the process did not run at all for longer than some seconds, or None."""
        seconds = 0.0 if self._beat is None else self.clock() - self._beat
        return f"showed no sign of life for {seconds:.0f} s" if seconds > limit_s else None

    def silence(self) -> Optional[str]:
        """Return why the process counts as hanging, in words, or None."""
        now, allowed = self.clock(), self.allowances
        no_beat = self.no_beat(allowed.beat_s)
        if no_beat:
            return no_beat
        if self._aside:
            limit = allowed.aside_s
        elif not self.has_trained:
            limit = allowed.first_s if self.has_begun else allowed.start_s
        else:
            limit = max(allowed.group_s, allowed.times * self._longest)
        return f"did not go on for {now - self._moved:.0f} s" if now - self._moved > limit else None

    def close(self) -> None:
        os.close(self.descriptor)
