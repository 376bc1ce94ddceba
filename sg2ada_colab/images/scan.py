"""The headers of all images of a source, in parallel: sizes and kinds, without decoding."""

from .read import Header, UnreadableImage, read_header
from .workers import run_parallel

_JOB_FILES = 100


def _scan_some(shared, span):
    source, options = shared
    results = []
    for index in range(*span):
        try:
            with source.open(index) as file:
                header = read_header(file, options)
            results.append((header.width, header.height, header.mode, header.format, header.frames, header.notes))
        except UnreadableImage as problem:
            results.append((problem.kind, problem.text))
        except OSError as error:
            results.append(("unreadable", "cannot be read: {}".format(error.strerror or error)))
    return results


def scan(source, options, workers=None, progress=None):
    """Return for each image of a source its `Header`, or the `UnreadableImage` that says why it has none.

    Args:
        source: A `Source`.
        options: ReadOptions.
        workers: Processes; None = one per core.
        progress: Called with the number of files just done.
    """
    results = [None] * len(source)
    spans = [(start, min(start + _JOB_FILES, len(source))) for start in range(0, len(source), _JOB_FILES)]
    for span, found in run_parallel(_scan_some, (source, options), spans, workers):
        for index, values in zip(range(*span), found):
            results[index] = UnreadableImage(*values) if len(values) == 2 else Header(*values)
        if progress:
            progress(len(found))
    return results
