"""What a run tells while its programs are compiled, which takes minutes: lines of the log, a bar that moves, events."""

import sys
import threading
import time
from types import TracebackType
from typing import Callable, Dict, Optional, Type

from tqdm import tqdm

from ..compile.compiling import COMPILING, EVENT, LOADING, READY, Compiling, Step
from ..compile.durations import Durations
from ..words import duration
from .log_file import Log

MOVE_EVERY_S, SAY_EVERY_S = 1.0, 30.0


class CompileLog:
    """Tells which program is being compiled, for how long, and how long it took the last time; a context manager.

    It is called by `warm_up` with the name of a program, what is being done with it, and the number of programs.

    Args:
        log: `Log`.
        durations: `Durations`, which learns how long each program took.
        form: Words for what the programs depend on most, such as "256 px".
        hide_bar: Show no bar.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, log: Log, durations: Durations, form: str, hide_bar: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self.log, self.durations, self.form, self.clock = log, durations, form, clock
        self.compiling = Compiling()
        self.taken: Dict[str, float] = {}  # name for `durations` → seconds
        self.bar = tqdm(
            unit="program", disable=hide_bar, dynamic_ncols=True, file=sys.stderr,
            bar_format="{desc}: {n_fmt}/{total_fmt} programs |{bar}| {elapsed}", desc="Compiling",
        )  # fmt: skip
        self._lock, self._over, self._said = threading.Lock(), threading.Event(), clock()

    def __enter__(self) -> "CompileLog":
        threading.Thread(target=self._move, name="compile log", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        trace: Optional[TracebackType] = None,
    ) -> None:
        self._over.set()
        with self._lock:
            self.bar.close()
        self.durations.keep(self.taken)

    def __call__(self, name: str, doing: str, of: int) -> None:
        with self._lock:
            before, now = self.compiling.steps.get(name), self.clock()
            last_s = self.durations.last_s(self._key(name, doing)) if doing in (COMPILING, LOADING) else None
            step = Step(name, doing, now, of, last_s)
            self.compiling.take(step)
            self.log.event(EVENT, **step.event())
            if doing == COMPILING:
                self._say(f"Compiling {name}" + ("." if last_s is None else f", which took {duration(last_s)} the last time."))
            if doing == READY and before is not None and before.doing in (COMPILING, LOADING):
                self.taken[self._key(name, before.doing)] = now - before.since
                if before.doing == COMPILING:
                    took = duration(now - before.since)
                    self._say(f"{name} is compiled after {took}: {self.compiling.ready} of {of} programs are ready.")
            self._show(now)

    def _key(self, name, doing):
        return f"{doing} {name}, {self.form}"

    def _say(self, sentence):
        self._said = self.clock()
        self.log(sentence)

    def _move(self):
        """Show the time that goes by, every second, and in the log every half minute."""
        while not self._over.wait(MOVE_EVERY_S):
            with self._lock:
                now = self.clock()
                words = self.compiling.words(now)
                if words and now - self._said >= SAY_EVERY_S:
                    self._say(_sentence(words) + ".")
                if not self._over.is_set():
                    self._show(now)

    def _show(self, now):
        under_way = self.compiling.under_way()
        if self.bar.disable or not under_way:
            return
        self.bar.total, self.bar.n = under_way[0].of, self.compiling.ready
        self.bar.set_description_str(_sentence(under_way[0].words(now)))


def _sentence(words):
    return words[0].upper() + words[1:]
