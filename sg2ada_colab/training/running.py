"""Running values: the mean of w, the mean path length, LeCam's means, singular vectors; each round observes, and updates them.

A round begins from what the one before has updated. Rounds that processes share out cannot: each of them begins from the values
at the start of its phase, and what it observed updates them afterwards, round by round in order, in every process alike.
"""

from collections import OrderedDict
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from ..tf import tf


class RunningValue(NamedTuple):
    """A variable, and how what a round observed updates it."""

    variable: Any
    follow: Callable  # (value, seen) → new value


class RunningValues:
    """The running values of a run by name; in a fixed order, in which they are packed into one vector."""

    def __init__(self) -> None:
        self.values: Dict[str, RunningValue] = OrderedDict()
        self._seen: Optional[Dict[str, tf.Tensor]] = None  # by the shared round that is being traced

    def add(self, name: str, variable: Any, follow: Callable) -> None:
        """Add a value that `move` updates by `follow`."""
        self.values[name] = RunningValue(variable, follow)

    def move(self, name: str, seen: Callable, moved: Optional[tf.Tensor] = None) -> None:
        """Update a value from what a round observed; in a shared round, keep the observation for `pack`.

        Args:
            name: Of the value.
            seen: Function without arguments that returns what the round observed, of the variable's shape.
            moved: The value afterwards, where it is known already.
        """
        variable, follow = self.values[name]
        if self._seen is None:
            variable.assign(follow(variable, seen()) if moved is None else moved)
        else:
            self._seen[name] = seen()

    def latest(self, variables: Dict[str, Any]) -> Dict[str, Any]:
        """Return variables by name; in a shared round, what it observed stands in the place of a variable."""
        return OrderedDict(variables, **{name: seen for name, seen in (self._seen or {}).items() if name in variables})

    # -- shared rounds -------------------------------------------------------------------------------------------------

    @contextmanager
    def collecting(self) -> Iterator[Dict[str, tf.Tensor]]:
        """Collect what is observed inside, by name, instead of updating the values."""
        self._seen = {}
        try:
            yield self._seen
        finally:
            self._seen = None

    def sizes(self) -> List[int]:
        """Return the number of elements of each value."""
        return [value.variable.shape.num_elements() for value in self.values.values()]

    def pack(self, seen: Dict[str, tf.Tensor]) -> tf.Tensor:
        """Return what a round observed as one vector with a place for each value; zeros where it observed nothing."""
        parts = []
        for name, size in zip(self.values, self.sizes()):
            parts.append(tf.reshape(seen[name], [size]) if name in seen else tf.zeros([size]))
        return tf.concat(parts + [tf.zeros([0])], axis=0)

    def follow(self, rounds: tf.Tensor, names: List[str]) -> None:
        """Update values from what the rounds of a phase observed, round by round.

        Args:
            rounds: float32 [rounds, sum of `sizes`], what `pack` gave in each round, in order.
            names: Of the values that these rounds observed.
        """
        parts = dict(zip(self.values, tf.split(rounds, self.sizes(), axis=1)))
        for name in names:
            variable, follow = self.values[name]
            value = tf.convert_to_tensor(variable)
            for seen in tf.unstack(parts[name]):
                value = follow(value, tf.reshape(seen, variable.shape))
            variable.assign(value)
