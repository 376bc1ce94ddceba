"""What native code (TensorFlow, CUDA, XLA) writes to the terminal on its own: filtered by a separate process, crashes pass.

Such lines go to descriptor 2 past Python, some before TensorFlow reads how much it shall say. A filter in this process would
lose the last words of a crash with it; so a small Python reads them, for which this file is a program, too. It imports the
standard library only.
"""

import contextlib
import os
import re
import subprocess
import sys
from typing import Iterator

ENTRY = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d"  # absl
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "  # TensorFlow before it used absl
    rb"|WARNING: All log messages before absl"
    rb"|\[libprotobuf (?:INFO|WARNING|ERROR)"
)
# Entries that are of no use to a user, --quiet or not: greetings, and XLA's attempts to read autotuning results of other forms.
NOISE = re.compile(
    rb"All log messages before absl|Error parsing text-format|Could not find cuda drivers|cpu_feature_guard"
    rb"|oneDNN custom operations|Unable to register cu|computation placer already registered|TF-TRT Warning"
)
# What is never passed over: the last words of a crash, and the messages of child processes.
SERIOUS = re.compile(
    rb"F\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: F |terminate called|  what\(\):|Fatal |Check failed|Aborted|Segmentation"
    rb"|\*\*\* |Traceback |Error: |  Expected: |  Next: "
)


class Filter:
    """Says of one line after the other whether it is shown; a line that begins no entry belongs to the one before."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self.dropping = quiet, False

    def shows(self, line: bytes) -> bool:
        """Return whether a line of native code's log is to be shown."""
        if SERIOUS.match(line):
            self.dropping = False
        elif ENTRY.match(line):
            self.dropping = self.quiet or NOISE.search(line) is not None
        return not self.dropping


@contextlib.contextmanager
def filtered(quiet: bool) -> Iterator[None]:
    """Filter what native code writes to the terminal; Python's own `sys.stderr` goes past the filter.

    Args:
        quiet: Drop all entries of native logs but fatal ones; otherwise only those that are of no use to a user.
    """
    from .escape import TerminalStream

    try:
        terminal = os.dup(2)
    except OSError:  # there is none
        yield
        return
    words = [sys.executable, "-I", "-S", os.path.abspath(__file__)] + (["--quiet"] if quiet else [])
    try:
        # In a separate session: Ctrl-C is for the training, whose last words are still to come.
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=terminal, stderr=terminal, start_new_session=True)
    except OSError:
        os.close(terminal)
        yield
        return
    assert process.stdin is not None
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    python = open(terminal, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    before, stream = sys.stderr, TerminalStream(python)
    try:
        with contextlib.redirect_stderr(stream):
            yield
    finally:
        stream.turn_to(before)  # TensorFlow's own log keeps the stream that it found at its import
        python.close()
        os.dup2(terminal, 2)
        os.close(terminal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)  # a child that still runs may hold the other end


def main(quiet: bool) -> None:
    """Pass on what is read until its end."""
    shows, rest = Filter(quiet).shows, b""
    while True:
        data = os.read(0, 1 << 16)
        lines = (rest + data).split(b"\n")
        rest = lines.pop() if data else b""
        for line in lines:
            if shows(line) and (data or line):
                os.write(1, line + b"\n" if data else line)
        if not data:
            return


if __name__ == "__main__":
    main("--quiet" in sys.argv)
