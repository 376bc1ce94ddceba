"""One line of plain text that is written over again and again: what remains to be read when a tab has lost its widgets."""

import sys
import time
from typing import Callable, Optional, TextIO


class StatusLine:
    """A line in the cell's text output, with the time at which it was written.

    Text is what every front end shows again when a page is loaded anew, while widgets may stay at "Loading widget…". It is
    written with a carriage return, as progress bars are.

    Args:
        stream: Where to write; None is sys.stdout at the time of writing.
        now: Callable that returns the time of day as text.
    """

    def __init__(
        self, stream: Optional[TextIO] = None, now: Callable[[], str] = lambda: time.strftime("%H:%M %Z").strip()
    ) -> None:
        self.stream, self.now, self._length = stream, now, 0

    def write(self, sentence: str, end: str = "") -> None:
        """Write a sentence over the one before."""
        line = f"{self.now()}  {sentence}"
        stream = self.stream or sys.stdout
        stream.write("\r" + line.ljust(self._length) + end)
        stream.flush()
        self._length = 0 if end else len(line)

    def finish(self, sentence: str) -> None:
        """Write the last sentence; what is printed later stands below it."""
        self.write(sentence, "\n")
