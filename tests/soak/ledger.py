"""What a child process notes outside the machine that it may lose: events as lines of JSON, and a counter."""

import json
import os
import time


class Ledger:
    """The writing side.

    Args:
        folder: Of the ledger; `Crashes` reads it.
    """

    def __init__(self, folder):
        self.folder = str(folder)
        self._progress = os.open(os.path.join(self.folder, "progress"), os.O_WRONLY | os.O_CREAT)

    def write(self, **line):
        """Add an event with the moment that it happened."""
        with open(os.path.join(self.folder, "ledger.jsonl"), "ab", buffering=0) as file:
            file.write(json.dumps(dict(line, time=time.time())).encode() + b"\n")

    def progress(self, count):
        """Note the counter of what is done; survives a kill at any moment."""
        os.pwrite(self._progress, b"%12d" % count, 0)
