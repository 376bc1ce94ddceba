"""A run folder's snapshots: written atomically by a writer thread, manifest last."""

import math
import os
import threading
import time
from dataclasses import replace
from typing import Any, BinaryIO, Callable, Container, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from ..files import FilePath, Written, atomic_file
from ..run_files import SNAPSHOT_PATTERN, order_of, pickle_name, state_name
from .choose import Candidate, newest_good
from .manifest import FileRecord, SnapshotRecord, read_manifest, write_manifest
from .retention import Entry, Retention, delete_files, what_to_delete
from .training_state import save_state


class RunStore:
    """The snapshots of one run folder, for the one process that writes them.

    Args:
        run_dir: The run folder.
        retention: Optional `Retention`. Given, each new snapshot is followed by deleting what may go; leave it out where a
            `Copier` decides, as then a snapshot must be safe on Drive before an older one is deleted.
        on_written: Optional callable without arguments, called after each snapshot by the thread that wrote it.
        make: Make the folder if it is missing, with its parents; False on Drive, where that would happen under a mount that
            has just gone.
        before_write: Optional callable without arguments, called before anything in the folder is changed; what it raises, such
            as `LeaseLostError`, prevents that.
    """

    def __init__(
        self,
        run_dir: FilePath,
        retention: Optional[Retention] = None,
        on_written: Optional[Callable[[], Any]] = None,
        make: bool = True,
        before_write: Optional[Callable[[], Any]] = None,
    ) -> None:
        self.run_dir, self.retention, self.on_written = str(run_dir), retention, on_written
        self.before_write = before_write or (lambda: None)
        if make:
            os.makedirs(self.run_dir, exist_ok=True)
        self.skipped: Tuple[str, ...] = ()  # sentences of the last newest_good()
        self._lock = threading.Lock()  # over the manifest: the writer thread, the copier and training change it
        self._manifest = read_manifest(self.run_dir)
        self._taken: Set[str] = set()  # names that another folder of this run has used
        self._writer: Optional[threading.Thread] = None
        self._error: Optional[BaseException] = None

    # --- reading

    @property
    def run_id(self) -> Optional[str]:
        """The run's identity as manifest.json has it; None: an older version wrote it, or nobody has yet."""
        return self._manifest.run_id

    def snapshots(self) -> List[SnapshotRecord]:
        """Return the `SnapshotRecord`s of what was written to the end, old to new."""
        return list(self._manifest.snapshots)

    def record(self, name: str) -> Optional[SnapshotRecord]:
        """Return the `SnapshotRecord` of a name, or None."""
        return self._manifest.get(name)

    def best(self) -> Dict[str, Tuple[float, str]]:
        """Return {metric: (value, snapshot name)}."""
        return dict(self._manifest.best)

    def path(self, file_name: str) -> str:
        """Return the path of a file of the folder."""
        return os.path.join(self.run_dir, file_name)

    def newest_good(self) -> Optional[Candidate]:
        """Return the newest snapshot that is complete and verifies as a `Candidate`, or None; see `skipped` for the rest."""
        choice = newest_good([self.run_dir])
        self.skipped = choice.skipped
        return choice.candidate

    # --- writing

    def write_snapshot_async(
        self, kimg: int, write_pickle: Callable[[BinaryIO], Any], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
    ) -> None:
        """Hand a snapshot to a writer thread and return at once; wait first if the one before is still being written.

        The pickle is written, the training state that names the pickle's digest, then the manifest. Each name is written once: a
        second snapshot within the same kimg is called NNNNNN-1, NNNNNN-2 …. The arrays, and what `write_pickle` refers to, must
        not change afterwards. An error of the writer is raised by the next call of `write_snapshot_async`, `wait` or `close`.

        Args:
            kimg: Thousands of images shown, for the name (images // 1000).
            write_pickle: Callable of a binary file that writes the network pickle into it.
            arrays: Dict of name -> np.ndarray, all that an exact resume needs.
            meta: Dict of counters; "nimg" (images shown) goes into the manifest too. Comes back from `load_state` with an
                additional key "snapshot" = {"name", "time", "pickle": {"bytes", "sha256"}}.
        """
        self.wait()
        self._writer = threading.Thread(
            target=self._write_or_keep_error, args=(kimg, write_pickle, arrays, meta), name="snapshot-writer", daemon=True
        )
        self._writer.start()

    def wait(self) -> None:
        """Wait until no snapshot is being written; raise what its writing raised."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    close = wait

    def _write_or_keep_error(self, *job):
        try:
            self._write(*job)
        except BaseException as error:  # raised in the training thread by wait()
            self._error = error

    def _write(self, kimg, write_pickle, arrays, meta):
        name = self._free_name(kimg)
        now, of_pickle, of_state = time.time(), Written(), Written()
        self.before_write()
        # The state is written inside the pickle's block: both are on disk under temporary names before either gets its own.
        with atomic_file(self.path(pickle_name(name)), of_pickle) as file:
            write_pickle(file)
            file.flush()
            os.fsync(file.fileno())
            bound = {"name": name, "time": now, "pickle": {"bytes": file.raw.bytes, "sha256": file.raw.sha256}}
            bound.update(run_id=self.run_id, run=os.path.basename(os.path.abspath(self.run_dir)))
            self.before_write()
            save_state(self.path(state_name(name)), arrays, dict(meta, snapshot=bound), of_state)
        files = {
            pickle_name(name): FileRecord(of_pickle.bytes, of_pickle.sha256),
            state_name(name): FileRecord(of_state.bytes, of_state.sha256),
        }
        self.adopt(SnapshotRecord(name, int(kimg), meta.get("nimg"), now, files))
        if self.retention:
            self.prune(self.retention, lambda record: True)
        if self.on_written:
            self.on_written()

    def _free_name(self, kimg):
        """Return a name that comes after all of the same kimg; a run fetched from Drive may begin with NNNNNN-1."""
        matches = [SNAPSHOT_PATTERN.match(file_name) for file_name in os.listdir(self.run_dir)]
        names = {match.group(2) for match in matches if match} | {record.name for record in self.snapshots()} | self._taken
        parts = [part for number, part in map(order_of, names) if number == int(kimg)]
        return f"{int(kimg):06d}" + (f"-{max(parts) + 1}" if parts else "")

    def reserve(self, names: Iterable[str]) -> None:
        """Never give a snapshot one of these names, which the run's folder on Drive has used: one name, one content."""
        self._taken.update(names)

    # --- the manifest

    def identify(self, run_id: str) -> None:
        """Note the run's identity, which every state and the manifest then carry."""
        if run_id != self.run_id:
            self._change(lambda manifest: replace(manifest, run_id=run_id))

    def adopt(self, record: SnapshotRecord) -> None:
        """Add a `SnapshotRecord` of files that lie in this folder and are known to be complete."""
        self._change(lambda manifest: manifest.with_snapshot(record))

    def forget(self, names: Container[str]) -> None:
        """Take snapshots whose files are gone off the manifest, and write it in any case."""
        self._change(lambda manifest: manifest.without(names))

    def note_metric(self, name: str, metric: str, value: float, lower_is_better: bool = True) -> bool:
        """Note a metric of a snapshot; return whether it is the best of this run so far, which retention then keeps."""
        if not math.isfinite(value):  # a measurement that failed is nobody's best
            return False
        known = self._manifest.best.get(metric)
        if known and (known[0] <= value if lower_is_better else known[0] >= value):
            return False
        self._change(lambda manifest: manifest.with_best(metric, float(value), name))
        return True

    def adopt_best(self, best: Mapping[str, Sequence[Any]]) -> None:
        """Take over {metric: (value, snapshot name)}, in place of what this manifest notes for the same metrics."""
        best = {metric: tuple(one) for metric, one in best.items() if math.isfinite(one[0])}
        if any(self._manifest.best.get(metric) != one for metric, one in best.items()):
            self._change(lambda manifest: replace(manifest, best=dict(manifest.best, **best)))

    def _change(self, change):
        with self._lock:
            changed = change(self._manifest)
            self.before_write()
            write_manifest(self.run_dir, changed)
            self._manifest = changed

    # --- making room

    def prune(self, retention: Retention, is_verified: Callable[[SnapshotRecord], bool], truncate: bool = False) -> List[str]:
        """Delete what the policy lets go; return the names.

        Args:
            retention: `Retention`.
            is_verified: Callable of a `SnapshotRecord`: is it safe where it counts? Only such ones push out older ones.
            truncate: True on Drive.
        """
        entries = [Entry(record.name, is_verified(record)) for record in self.snapshots()]
        best = {name for _, name in self._manifest.best.values()}
        names = what_to_delete(entries, retention.keep_last, retention.keep_every_kimg, best)
        # The manifest first, so that it never names what is gone. Killed in between, `tidy` lists again what is complete and
        # takes away what is not, and the next pass decides anew.
        if names:
            self._change(lambda manifest: manifest.without(names))
        for name in names:
            self.before_write()
            delete_files(self.run_dir, name, truncate)
        return names
