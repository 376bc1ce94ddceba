"""The time, as one object, so that a test can be its own clock and step it by hand."""

import time


class Clock:
    """The machine's clocks."""

    def time(self) -> float:
        """Return seconds since 1970, as the machine believes."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever go on."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
