"""The headers of all images of a source, in parallel: sizes and kinds, without decoding."""

import functools
from typing import Any, Callable, List, Optional, Tuple

from .read import Header, ReadOptions, UnreadableImage, read_header
from .source import Source
from .workers import run_parallel

_JOB_FILES = 100


def _scan_some(shared, span):
    source, options = shared
    results: List[Tuple[Any, ...]] = []
    for index in range(*span):
        try:
            header = source.use(index, functools.partial(read_header, options=options, frame=source.frame(index)))
            results.append((header.width, header.height, header.mode, header.format, header.frames, header.notes))
        except UnreadableImage as problem:
            results.append((problem.kind, problem.text))
        except OSError as error:
            results.append(("unreadable", f"cannot be read: {error.strerror or error}"))
    return results


def scan(
    source: Source,
    options: ReadOptions,
    workers: Optional[int] = None,
    progress: Optional[Callable] = None,
    enough: Optional[int] = None,
) -> List[Any]:
    """Return for each image of a source its `Header`, or the `UnreadableImage` that says why it has none.

    Args:
        source: A `Source`.
        options: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
        enough: Stop, with a shorter list, once this many headers are valid; None = read all.
    """
    results: List[Any] = []
    good = 0
    while len(results) < len(source) and (enough is None or good < enough):
        count = len(source) if enough is None else max(_JOB_FILES, enough - good)
        results += _scan_range(source, options, workers, progress, len(results), min(len(results) + count, len(source)))
        good = sum(isinstance(result, Header) for result in results)
    return results


def _scan_range(source, options, workers, progress, begin, end):
    results: List[Any] = [None] * (end - begin)
    spans = [(start, min(start + _JOB_FILES, end)) for start in range(begin, end, _JOB_FILES)]
    for span, found in run_parallel(_scan_some, (source, options), spans, workers):
        for index, values in zip(range(*span), found):
            results[index - begin] = UnreadableImage(*values) if len(values) == 2 else Header(*values)
        if progress:
            progress(len(found))
    return results
