"""Which programs are being compiled, for how long, and how long it took before: for the log, the bar and the notebook's panel."""

from collections import OrderedDict
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ..json_files import is_number
from ..words import duration

TRACING, WAITING, COMPILING, LOADING, READY = "tracing", "waiting to compile", "compiling", "loading", "ready"
EVENT = "program"  # kind of the events that Steps become
MOST_NAMED = 3


class Step(NamedTuple):
    """Where one program stands."""

    name: str
    doing: str  # TRACING, WAITING (for another's algorithms to be timed), COMPILING, LOADING (from the cache) or READY
    since: float  # seconds since 1970
    of: int  # programs in all
    last_s: Optional[float] = None  # how long this took the last time, where that is known

    def words(self, now: float) -> str:
        """Return what is done, for how long, and how long it took the last time; `now` in seconds since 1970."""
        last = "" if self.last_s is None else f", {duration(self.last_s)} the last time"
        return f"{self.doing} {self.name} ({duration(max(0.0, now - self.since))} so far{last})"

    def event(self) -> Dict[str, Any]:
        """Return what an event has beside its kind and the time."""
        return {"text": self.name, "doing": self.doing, "of": self.of, "last_s": self.last_s}


def read_step(event: Mapping[str, Any]) -> Optional[Step]:
    """Return the Step of an event, None where it is not one."""
    doing, of, since, last_s = (event.get(name) for name in ("doing", "of", "time", "last_s"))
    if not (isinstance(doing, str) and is_number(of) and is_number(since)):
        return None
    return Step(event["text"], doing, since, of, last_s if is_number(last_s) else None)  # type: ignore[arg-type]


class Compiling:
    """What is under way, from the Steps so far."""

    def __init__(self) -> None:
        self.steps: Dict[str, Step] = OrderedDict()

    def take(self, step: Step) -> None:
        """Take over where a program stands now."""
        self.steps[step.name] = step

    def under_way(self) -> List[Step]:
        """Return the Steps of the programs that are not ready, those that are being compiled first."""
        order = (COMPILING, LOADING, TRACING)
        left = [step for step in self.steps.values() if step.doing != READY]
        return sorted(left, key=lambda step: (order.index(step.doing) if step.doing in order else len(order), step.since))

    @property
    def ready(self) -> int:
        """Number of the programs that are ready."""
        return len(self.steps) - len(self.under_way())

    def words(self, now: float) -> str:
        """Return what is done, for how long, and how long it took the last time; "" where nothing is under way.

        Args:
            now: Seconds since 1970.
        """
        under_way = self.under_way()
        if not under_way:
            return ""
        named = [step.words(now) for step in under_way[:MOST_NAMED]]
        if len(under_way) > MOST_NAMED:
            named.append(f"and {len(under_way) - MOST_NAMED} more")
        return f"{', '.join(named)}; {self.ready} of {under_way[0].of} programs are ready"
