"""What a training process does before its first images: said with the time so far and the time that it took before."""

import time
from typing import Any, Callable, Mapping, Optional, Tuple, Union

from ..compile.durations import Durations
from ..machine import gpus
from ..words import duration

FIRST_STAGE = "loading TensorFlow"
NOT_KNOWN = "Usually this takes three to ten minutes the first time, and about one minute once everything has been compiled."


class StartTimes:
    """How long a start took the last time on this kind of machine.

    Args:
        durations: `Durations` of the machine.
        resolution: Pixels of one image, as a number or in words such as "768x512".
        device: Name of the GPU; None asks the machine.
    """

    def __init__(self, durations: Durations, resolution: Union[int, str], device: Optional[str] = None) -> None:
        self.durations, self.device = durations, device or _gpu_name()
        self.name = f"start, {resolution} px"

    def last_s(self) -> Optional[float]:
        """Return the seconds of the last start, or None."""
        return self.durations.last_s(self.name)

    def keep(self, seconds: float) -> None:
        """Remember how long a start took."""
        self.durations.keep({self.name: seconds})


def _gpu_name():
    cards = gpus()
    return cards[0]["name"] if cards else "no GPU"


class Starting:
    """The time between the start of a training process and its first images.

    Args:
        times: `StartTimes`, or None.
        clock: Callable that returns seconds.
    """

    def __init__(self, times: Optional[StartTimes] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.times, self.clock, self.began = times, clock, clock()
        self.last_s = times.last_s() if times else None
        self.is_over = False

    def update(self, pulse: Optional[Mapping[str, Any]]) -> bool:
        """Take over the child's newest pulse; return whether training has begun."""
        if not self.is_over and pulse and pulse["images_per_second"] > 0:
            self.is_over = True
            if self.times:
                self.times.keep(self.clock() - self.began)
        return self.is_over

    def in_short(self, stage: str) -> str:
        """Return what is being done, and for how long training has been starting."""
        return f"Starting: {stage or FIRST_STAGE}, {duration(self.clock() - self.began)} so far."

    def sentences(self, stage: str) -> Tuple[str, str]:
        """Return (what is being done, how long it has taken and usually takes)."""
        so_far = f"{duration(self.clock() - self.began)} so far. "
        if self.last_s is None:
            return f"Starting: {stage or FIRST_STAGE}.", so_far + NOT_KNOWN
        device = self.times.device  # type: ignore[union-attr]  # `last_s` is theirs
        last = f"The last start on this kind of machine ({device}) took {duration(self.last_s)}."
        return f"Starting: {stage or FIRST_STAGE}.", so_far + last
