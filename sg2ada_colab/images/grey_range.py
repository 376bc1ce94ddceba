"""The range of values that a collection of 16-bit and floating-point grey images uses, and how it is converted."""

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Sequence, Tuple, Union

from ..errors import UserError
from ..words import counted
from .read import ReadOptions, UnreadableImage, decode
from .source import Source
from .wide import full_range, is_wide
from .workers import run_parallel

FULL, USED = "full", "used"
_FEW = 0.25  # of the full range: what uses less looks nearly black, or has hardly any contrast
_JOB_FILES = 16


@dataclass(frozen=True)
class GreyValues:
    """What the wide images of a collection hold: `kind` is "I" or "F", "" where both are among them."""

    count: int
    lowest: float
    highest: float
    kind: str

    def full(self) -> Optional[Tuple[float, float]]:
        """Return the (black, white) that these images are meant in, None where they are of two kinds."""
        return full_range(self.kind, self.highest) if self.kind else None

    def use_little(self) -> bool:
        """Return whether they use so small a part of their range that stretching them may help."""
        full = self.full()
        return full is not None and self.lowest < self.highest < full[1] and self.highest - self.lowest < _FEW * full[1]

    def advice(self) -> str:
        """Return the sentence for collections that `use_little`."""
        images = counted(self.count, "image of grey in more than 8 bits uses", "images of grey in more than 8 bits use")
        white = (self.full() or (0.0, 0.0))[1]
        look = "nearly black" if self.highest < _FEW * white else "nearly without contrast"
        return (
            f"{images} the values {self.lowest:g} to {self.highest:g} of 0 to {white:g}, which is {look}; "
            f"--grey-range=used, or --grey-range={self.lowest:g}:{self.highest:g}, stretches them."
        )


def joined_values(modes: Iterable[str], values: Iterable[Optional[Tuple[float, float]]]) -> Optional[GreyValues]:
    """Return the `GreyValues` of images from their modes and (lowest, highest) values; None where none is wide."""
    wide = [(mode, pair) for mode, pair in zip(modes, values) if pair is not None]
    if not wide:
        return None
    kinds = {mode[:1] for mode, _ in wide}
    lowest, highest = min(low for _, (low, _) in wide), max(high for _, (_, high) in wide)
    return GreyValues(len(wide), lowest, highest, kinds.pop() if len(kinds) == 1 else "")


def measure(
    source: Source,
    headers: Sequence[Any],
    options: ReadOptions,
    workers: Optional[int] = None,
    progress: Optional[Callable] = None,
) -> Optional[GreyValues]:
    """Return the `GreyValues` of a source's wide images, decoding all of these; None without any.

    Args:
        source: A `Source`.
        headers: What `scan` returned for it.
        options: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    wide = [i for i, header in enumerate(headers) if not isinstance(header, UnreadableImage) and is_wide(header.mode)]
    jobs = [tuple(wide[start : start + _JOB_FILES]) for start in range(0, len(wide), _JOB_FILES)]
    modes, values = [], []
    for job, found in run_parallel(_measure_some, (source, options), jobs, workers):
        modes += [headers[i].mode for i in job]
        values += found
        if progress:
            progress(len(job))
    return joined_values(modes, values)


def _measure_some(shared, indices):
    source, options = shared
    found = []
    for index in indices:
        try:
            image = source.use(index, lambda file: decode(file, options))
            found.append(image.info.get("values"))
        except (UnreadableImage, OSError):
            found.append(None)  # reported when it is converted
    return found


def parse_grey_range(text: str) -> Union[str, Tuple[float, float]]:
    """Return FULL, USED, or the (low, high) of a text such as "0:4095"; raises UserError."""
    if text in (FULL, USED):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
        if not -1e300 < low < high < 1e300:
            raise ValueError
    except (ValueError, AttributeError):
        raise UserError(
            f"--grey-range is {text!r}", "full, used, or two numbers such as 0:4095, the lower one first", "choose one of these"
        ) from None
    return low, high


def range_for_all(how: Any, values: Optional[GreyValues]) -> Optional[Tuple[float, float]]:
    """Return the (black, white) with which all wide images of a collection are converted; None where each has its own.

    Args:
        how: What `parse_grey_range` returned.
        values: `GreyValues`, or None.
    """
    if isinstance(how, tuple) or values is None:
        return how if isinstance(how, tuple) else None
    if how == USED and values.lowest < values.highest:
        return values.lowest, values.highest
    return values.full()
