"""What lies on Drive, looked at by a thread: a Drive that hangs must not hold up the panel or the stop button."""

import threading
from contextlib import suppress
from typing import Callable, Dict

from ..files import FilePath
from ..previews.timeline import thinned
from ..storage import run_folder
from ..storage.manifest import SnapshotRecord, read_manifest

EVERY_S = 20.0


class DriveLook:
    """Reads a run's folder on Drive again and again, in a thread that ends with `stop` or with the process.

    Args:
        drive_dir: The run's folder on Drive.
        most_frames: At most this many pictures of earlier sessions, spread evenly.
        jpeg_of: Callable of the path of a grid that returns its JPEG.

    Attributes:
        records: {snapshot name: `SnapshotRecord`} of Drive's manifest.
        frames: {kimg: JPEG bytes} of the grids of fakes.
    """

    def __init__(self, drive_dir: FilePath, most_frames: int, jpeg_of: Callable[[str], bytes], every_s: float = EVERY_S) -> None:
        self.drive_dir, self.most_frames, self.jpeg_of, self.every_s = str(drive_dir), most_frames, jpeg_of, every_s
        self.records: Dict[str, SnapshotRecord] = {}
        self.frames: Dict[float, bytes] = {}
        self._stop = threading.Event()
        self._has_frames = False  # read once: later grids are this session's, and lie on the machine's disk too
        threading.Thread(target=self._run, name="drive-look", daemon=True).start()

    def stop(self) -> None:
        """Ask the thread to end; does not wait for a Drive that hangs."""
        self._stop.set()

    def _run(self):
        while not self._stop.is_set():
            with suppress(OSError):  # Drive fails at the moment; the copier's status tells the user
                self._look()
            self._stop.wait(self.every_s)

    def _look(self):
        self.records = {record.name: record for record in read_manifest(self.drive_dir).snapshots}
        if not self._has_frames:
            self._has_frames, grids = True, run_folder.grids(self.drive_dir)
            for kimg in thinned(sorted(grids), self.most_frames):
                if not self._stop.is_set():
                    self.frames = self._with_frame(kimg, grids[kimg])

    def _with_frame(self, kimg, path):
        try:
            return {**self.frames, kimg: self.jpeg_of(path)}
        except (OSError, ValueError):  # a grid that was cut short
            return self.frames
