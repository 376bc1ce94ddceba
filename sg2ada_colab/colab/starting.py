"""What a training process does before its first images: said with the time so far and the time that it took before."""

import time
from contextlib import suppress
from typing import Any, Callable, Mapping, Optional, Tuple, Union

from ..machine import gpus
from ..storage.workspace import Workspace
from ..words import duration

CHOICE = "start_seconds"  # of the workspace: {kind of machine and size of images: seconds}
FIRST_STAGE = "loading TensorFlow"
NOT_KNOWN = "Usually this takes three to ten minutes the first time, and about one minute once everything has been compiled."


class StartTimes:
    """How long a start took the last time on this kind of machine, kept in the workspace.

    Args:
        workspace: `Workspace`, or None: nothing is known and nothing is kept.
        resolution: Pixels of one image, as a number or in words such as "768x512".
        device: Name of the GPU; None asks the machine.
    """

    def __init__(self, workspace: Optional[Workspace], resolution: Union[int, str], device: Optional[str] = None) -> None:
        self.workspace, self.device = workspace, device or _gpu_name()
        self.key = f"{self.device}, {resolution} px"

    def _kept(self):
        kept = self.workspace.choices.get(CHOICE) if self.workspace else None
        return kept if isinstance(kept, dict) else {}

    def last_s(self) -> Optional[float]:
        """Return the seconds of the last start, or None."""
        seconds = self._kept().get(self.key)
        return seconds if isinstance(seconds, (int, float)) else None

    def keep(self, seconds: float) -> None:
        """Remember how long a start took; a Drive that fails at the moment costs only this."""
        if self.workspace is None:
            return
        with suppress(OSError):
            self.workspace.choose(**{CHOICE: dict(self._kept(), **{self.key: round(seconds, 1)})})


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
