"""What the training loop holds: snapshots of one run, kept on this machine and, where there is one, on Drive."""

import os
import threading
from typing import Any, Callable, Optional

from ..config.options_file import new_run_id, read_run_id
from ..errors import UserError
from ..files import FilePath
from ..words import counted, size_text
from .check_files import of_another_run
from .choose import Candidate, RunFolder
from .copier import FULL, Copier
from .disk_space import largest_runs
from .lease import TTL_S, Lease, LeaseLostError
from .retention import Retention
from .store import RunStore
from .tidy import tidy
from .verified_copy import make_drive_folder


class RunKeeper:
    """Keep one run: write its snapshots, copy them to Drive, delete the old ones, let nobody else write.

    Use it as a context manager, or call `finish` at the end.

    Args:
        store: `RunStore` of the run's folder on this machine.
        drive_dir: The same run's folder on Drive; None when the store's folder is where the run stays.
        retention: `Retention`.
        lease_ttl_s: How long another process must wait for this run when this one vanishes.
        say: Callable that gets sentences for the user.
        known: Optional `Candidate` of the store's folder that this process has verified, there or on Drive.
        copying: What else `Copier` takes, such as `settle_s`.

    Raises:
        UserError: Another process writes this run, or the folder on Drive is another run's; the text says which.
    """

    def __init__(
        self,
        store: RunStore,
        drive_dir: Optional[FilePath] = None,
        retention: Optional[Retention] = None,
        lease_ttl_s: float = TTL_S,
        say: Callable[[str], Any] = print,
        known: Optional[Candidate] = None,
        **copying: Any,
    ) -> None:
        retention, self.say = retention or Retention(), say
        self.drive_dir = str(drive_dir) if drive_dir else None
        self.store = store
        self.copier: Optional[Copier] = None
        store.retention, store.on_written = None if drive_dir else retention, self._written
        self.lease = Lease(drive_dir or store.run_dir, lease_ttl_s)
        self._take_lease(say)
        try:
            self._open_folders(known)
        except BaseException:
            self.lease.release()
            raise
        self._ended, self._breath = threading.Event(), None
        if drive_dir:
            self.copier = Copier(self.store, drive_dir, retention, self.lease, say, known=known, **copying).start()
        else:
            self._breath = threading.Thread(target=self._stay_alive, name="lease", daemon=True)
            self._breath.start()

    def _stay_alive(self):
        """Renew the lease of a run without a copier, whose snapshots may be further apart than the lease lasts."""
        while not self._ended.wait(self.lease.ttl_s / 3):
            try:
                self.lease.renew_if_due()
            except LeaseLostError:
                return  # `before_write` says it
            except OSError:
                continue

    def _open_folders(self, known):
        there = RunFolder(self.drive_dir) if self.drive_dir else None
        if there:
            if there.run_id and self._here() not in (None, there.run_id):
                raise UserError(
                    f"{self.drive_dir} {of_another_run(there.run_id, self._here())}.",
                    f"the folder of the run in {self.store.run_dir}, or none yet",
                    "move one of the two folders away or give it another number; then run this again",
                )
            self.store.reserve(there.names())
        else:
            self.store.before_write = self.lease.check
        # A run of an older version gets its identity here, at its first resume.
        of_candidate = known.run_id if known else None
        self.store.identify(self._here() or (there.run_id if there else None) or of_candidate or new_run_id())
        tidy(self.store, known)

    def _here(self):
        """Return the identity of the run on this machine as far as its files say it."""
        return read_run_id(self.store.run_dir) or self.store.run_id

    def _take_lease(self, say):
        try:
            if self.drive_dir:
                make_drive_folder(self.drive_dir)
            self.lease.acquire(say=say)
        except OSError as error:
            if error.errno in FULL:
                raise UserError(
                    f"The disk of {self.lease.run_dir} is full.",
                    "disk space for a few snapshots before training starts",
                    "free some space: " + largest_runs(os.path.dirname(self.lease.run_dir)),
                ) from error
            raise UserError(
                f"The run's folder {self.lease.run_dir} does not answer: {error.strerror or error}",
                "a Drive that is mounted",
                "run the cell that connects Drive again, then this one",
            ) from error

    def _written(self):
        if self.copier:
            self.copier.notify()

    def finish(self, timeout_s: float = 600.0) -> bool:
        """Wait for the last snapshot and its copy, and release the lease. Return whether all copies are verified.

        Args:
            timeout_s: As for `Copier.finish`.
        """
        try:
            self.store.close()
        finally:
            done = self._finish_copies(self.copier, timeout_s) if self.copier else True
            self._ended.set()
            if self._breath:
                self._breath.join(5.0)
            self.lease.release()
        return done

    def _finish_copies(self, copier, timeout_s):
        before = copier.status()
        if before.waiting:
            sentence = "Drive is given what it lacks before this process ends: {} ({})."
            self.say(sentence.format(counted(before.waiting, "snapshot", "snapshots"), size_text(before.waiting_bytes)))
        done, after = copier.finish(timeout_s), copier.status()
        if not done and after.state != "lost":
            sentence = (
                "Drive does not have everything: on this machine's disk only, in "
                f"{self.store.run_dir}: {counted(after.waiting, 'snapshot', 'snapshots')}. "
            )
            self.say(sentence + "Keep this session; run all cells again, which connects Drive and goes on from there.")
        return done

    def __enter__(self) -> "RunKeeper":
        return self

    def __exit__(self, *ignored: Any) -> None:
        self.finish()
