"""A run folder's snapshots: written atomically, manifest last, in the foreground or by a writer thread."""
import os
import threading
import time
from dataclasses import dataclass

from .atomic import Written, atomic_file
from .choose import newest_good
from .manifest import (
    FILE_NAME,
    SNAPSHOT_FILE,
    FileRecord,
    Manifest,
    SnapshotRecord,
    order_of,
    pickle_name,
    read_manifest,
    state_name,
    write_manifest,
)
from .retention import Entry, delete_files, what_to_delete
from .training_state import save_state


@dataclass(frozen=True)
class SnapshotPaths:
    """Where one snapshot lies."""

    name: str  # "000012"
    pickle: str
    state: str
    manifest: str


class RunStore:
    """The snapshots of one run folder, for the one process that writes them.

    Args:
        run_dir: The run folder.
        retention: Optional `Retention`. Given, each new snapshot is followed by deleting what may go; leave it out where a
            `Copier` decides, as then a snapshot must be safe on Drive before an older one is deleted.
        on_written: Optional callable without arguments, called after each snapshot by the thread that wrote it.
        make: Make the folder if it is missing, with its parents; False on Drive, where that would happen under a mount that
            has just gone.
    """

    def __init__(self, run_dir, retention=None, on_written=None, make=True):
        self.run_dir, self.retention, self.on_written = str(run_dir), retention, on_written
        if make:
            os.makedirs(self.run_dir, exist_ok=True)
        self.skipped = ()  # sentences of the last newest_good()
        self._lock = threading.Lock()  # over the manifest: the writer thread, the copier and training change it
        self._manifest = read_manifest(self.run_dir)
        self._writer, self._error = None, None

    # --- reading

    def snapshots(self):
        """Return the `SnapshotRecord`s of what was written to the end, old to new."""
        return list(self._manifest.snapshots)

    def record(self, name):
        """Return the `SnapshotRecord` of a name, or None."""
        return self._manifest.get(name)

    def best(self):
        """Return {metric: (value, snapshot name)}."""
        return dict(self._manifest.best)

    def path(self, file_name):
        return os.path.join(self.run_dir, file_name)

    def newest_good(self, read_pickle=None):
        """Return the newest snapshot that is complete and verifies as a `Candidate`, or None; see `skipped` for the rest."""
        choice = newest_good([self.run_dir], read_pickle)
        self.skipped = choice.skipped
        return choice.candidate

    # --- writing

    def write_snapshot(self, kimg, write_pickle, arrays, meta):
        """Write a snapshot: the pickle, the training state that names the pickle's digest, then the manifest.

        Each name is written once: a second snapshot within the same kimg is called NNNNNN-1, NNNNNN-2 ….

        Args:
            kimg: Thousands of images shown, for the name (images // 1000).
            write_pickle: Callable of a binary file that writes the network pickle into it.
            arrays: Dict of name -> np.ndarray, all that an exact resume needs.
            meta: Dict of counters; "nimg" (images shown) goes into the manifest too. Comes back from `load_state` with an
                additional key "snapshot" = {"name", "time", "pickle": {"bytes", "sha256"}}.

        Returns:
            SnapshotPaths.
        """
        self.wait()
        return self._write(kimg, write_pickle, arrays, meta)

    def write_snapshot_async(self, kimg, write_pickle, arrays, meta):
        """Hand a snapshot to a writer thread and return at once; wait first if the one before is still being written.

        The arrays, and what `write_pickle` refers to, must not change afterwards. An error of the writer is raised by the
        next call of `write_snapshot`, `write_snapshot_async`, `wait` or `close`.
        """
        self.wait()
        self._writer = threading.Thread(
            target=self._write_or_keep_error, args=(kimg, write_pickle, arrays, meta), name="snapshot-writer", daemon=True
        )
        self._writer.start()

    def wait(self):
        """Wait until no snapshot is being written; raise what its writing raised."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    close = wait

    def writing(self):
        """Return whether a snapshot is being written right now."""
        return self._writer is not None and self._writer.is_alive()

    def _write_or_keep_error(self, *job):
        try:
            self._write(*job)
        except BaseException as error:  # raised in the training thread by wait()
            self._error = error

    def _write(self, kimg, write_pickle, arrays, meta):
        name = self._free_name(kimg)
        paths = SnapshotPaths(name, self.path(pickle_name(name)), self.path(state_name(name)), self.path(FILE_NAME))
        now, of_pickle, of_state = time.time(), Written(), Written()
        # The state is written inside the pickle's block: both are on disk under temporary names before either gets its own.
        with atomic_file(paths.pickle, of_pickle) as file:
            write_pickle(file)
            file.flush()
            os.fsync(file.fileno())
            bound = {"name": name, "time": now, "pickle": {"bytes": file.raw.bytes, "sha256": file.raw.sha256}}
            save_state(paths.state, arrays, dict(meta, snapshot=bound), of_state)
        files = {
            pickle_name(name): FileRecord(of_pickle.bytes, of_pickle.sha256),
            state_name(name): FileRecord(of_state.bytes, of_state.sha256),
        }
        self.adopt(SnapshotRecord(name, int(kimg), meta.get("nimg"), now, files))
        if self.retention:
            self.prune(self.retention, lambda record: True)
        if self.on_written:
            self.on_written()
        return paths

    def _free_name(self, kimg):
        """Return a name that comes after all of the same kimg; a run fetched from Drive may begin with NNNNNN-1."""
        matches = [SNAPSHOT_FILE.match(file_name) for file_name in os.listdir(self.run_dir)]
        names = {match.group(2) for match in matches if match} | {record.name for record in self.snapshots()}
        parts = [part for number, part in map(order_of, names) if number == int(kimg)]
        return "{:06d}".format(int(kimg)) + ("-{}".format(max(parts) + 1) if parts else "")

    # --- the manifest

    def adopt(self, record):
        """Add a `SnapshotRecord` of files that lie in this folder and are known to be whole."""
        self._change(lambda manifest: manifest.with_snapshot(record))

    def forget(self, names):
        """Take snapshots whose files are gone off the manifest, and write it in any case."""
        self._change(lambda manifest: manifest.without(names))

    def note_metric(self, name, metric, value, lower_is_better=True):
        """Note a metric of a snapshot; return whether it is the best of this run so far, which retention then keeps."""
        known = self._manifest.best.get(metric)
        if known and (known[0] <= value if lower_is_better else known[0] >= value):
            return False
        self._change(lambda manifest: manifest.with_best(metric, float(value), name))
        return True

    def adopt_best(self, best):
        """Take over {metric: (value, snapshot name)}, in place of what this manifest notes for the same metrics."""
        if any(self._manifest.best.get(metric) != tuple(one) for metric, one in best.items()):
            self._change(lambda manifest: Manifest(manifest.snapshots, dict(manifest.best, **best)))

    def _change(self, change):
        with self._lock:
            changed = change(self._manifest)
            write_manifest(self.run_dir, changed)
            self._manifest = changed

    # --- making room

    def prune(self, retention, is_verified, truncate=False):
        """Delete what the policy lets go; return the names.

        Args:
            retention: `Retention`.
            is_verified: Callable of a `SnapshotRecord`: is it safe where it counts? Only such ones push out older ones.
            truncate: True on Drive.
        """
        entries = [Entry(record.name, is_verified(record)) for record in self.snapshots()]
        best = {name for _, name in self._manifest.best.values()}
        names = what_to_delete(entries, retention.keep_last, retention.keep_every_kimg, best)
        # Files first: killed in between, the manifest still names what is left, and the next pass takes it away.
        for name in names:
            delete_files(self.run_dir, name, truncate)
        if names:
            self._change(lambda manifest: manifest.without(names))
        return names
