"""What a run says: on the terminal, in log.txt and in events.jsonl; imports no TensorFlow."""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Optional

from tqdm import tqdm

from .. import run_files
from ..files import FilePath
from ..words import shown


class Log:
    """Prints to the terminal and, line by line, to log.txt of the run folder, for people; appends events to events.jsonl.

    A resume appends to both. The thread that copies to Drive reports, too: hence the lock.

    Args:
        run_dir: The run's folder, or None for the terminal only.
        quiet: Write to the files only.
    """

    def __init__(self, run_dir: Optional[FilePath], quiet: bool = False) -> None:
        self.run_dir, self.quiet, self._lock = run_dir, quiet, threading.Lock()
        path = run_dir and os.path.join(str(run_dir), run_files.LOG)
        self.file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115 - closed in close()

    def __call__(self, text: str = "") -> None:
        """Print a line, or several, and append it to log.txt."""
        text = shown(text, "\n\t")  # names, settings and hosts from outside steer no terminal that shows the file
        if not self.quiet:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        if self.file:
            self.file.write(text + "\n")
            self.file.flush()

    def event(self, kind: str, text: str, **more: Any) -> None:
        """Append an event to events.jsonl: its kind ("device", "stage", "program", "warning", "storage"), text, time and more."""
        if self.run_dir is None:
            return
        path = os.path.join(str(self.run_dir), run_files.EVENTS)
        line = json.dumps(dict(more, kind=kind, text=shown(text, "\n\t"), time=time.time()))
        with self._lock, suppress(OSError), open(path, "a", encoding="utf-8") as file:  # on a full disk the log's line is all
            file.write(line + "\n")

    def note(self, kind: str, text: str) -> None:
        """Log a sentence that a person should read, and append it as an event."""
        self(text)
        self.event(kind, text)

    def close(self) -> None:
        if self.file:
            self.file.close()
            self.file = None
