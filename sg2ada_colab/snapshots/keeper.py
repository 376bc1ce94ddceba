"""What the training loop holds: snapshots of one run, kept on this machine and, where there is one, on Drive."""

import os

from ..errors import UserError
from .copier import FULL, Copier
from .lease import TTL_S, Lease
from .retention import Retention
from .room import what_takes_room
from .store import RunStore
from .tidy import tidy
from .verified_copy import make_drive_folder


def _snapshots(count):
    return "{} snapshot{}".format(count, "" if count == 1 else "s")


class RunKeeper:
    """Keep one run: write its snapshots, copy them to Drive, delete the old ones, let nobody else write.

    Use it as a context manager, or call `finish` at the end.

    Args:
        run_dir: The run folder on this machine.
        drive_dir: The same run's folder on Drive; None when `run_dir` is where the run stays.
        retention: `Retention`.
        lease_ttl_s: How long another process must wait for this run when this one vanishes.
        say: Callable that gets sentences for the user.
        read_pickle: As for `choose.newest_good`.
        copying: What else `Copier` takes, such as `settle_s`.

    Raises:
        UserError: Another process writes this run; the text says which.
    """

    def __init__(
        self, run_dir, drive_dir=None, retention=None, lease_ttl_s=TTL_S, say=print, read_pickle=None, **copying
    ):
        retention, self.say = retention or Retention(), say
        self.drive_dir = str(drive_dir) if drive_dir else None
        self.store = RunStore(run_dir, None if drive_dir else retention, on_written=self._written)
        self.lease = Lease(drive_dir or run_dir, lease_ttl_s)
        self._take_lease(say)
        tidy(self.store, read_pickle)
        self.copier = None
        if drive_dir:
            self.copier = Copier(self.store, drive_dir, retention, self.lease, say, **copying).start()

    def _take_lease(self, say):
        try:
            if self.drive_dir:
                make_drive_folder(self.drive_dir)
            self.lease.acquire(say=say)
        except OSError as error:
            if error.errno in FULL:
                raise UserError(
                    "There is no room at all in {}.".format(self.lease.run_dir),
                    "room for a few snapshots before training starts",
                    "make room: " + what_takes_room(os.path.dirname(self.lease.run_dir)),
                ) from error
            raise UserError(
                "The run's folder {} does not answer: {}".format(self.lease.run_dir, error.strerror or error),
                "a Drive that is mounted",
                "run the cell that connects Drive again, then this one",
            ) from error

    def _written(self):
        if self.copier:
            self.copier.notify()
        else:
            self.lease.renew_if_due()

    def snapshot(self, kimg, write_pickle, arrays, meta):
        """Write a snapshot in the background; see `RunStore.write_snapshot_async`."""
        self.store.write_snapshot_async(kimg, write_pickle, arrays, meta)

    def finish(self, timeout_s=600.0):
        """Wait for the last snapshot and its copy; give the run up. Return whether all of it is where it belongs.

        Args:
            timeout_s: As for `Copier.finish`.
        """
        try:
            self.store.close()
        finally:
            done = self._finish_copies(timeout_s) if self.copier else True
            self.lease.release()
        return done

    def _finish_copies(self, timeout_s):
        before = self.copier.status()
        if before.waiting:
            sentence = "Drive is given what it lacks before this process ends: {} ({:.1f} GB)."
            self.say(sentence.format(_snapshots(before.waiting), before.waiting_bytes / 1e9))
        done, after = self.copier.finish(timeout_s), self.copier.status()
        if not done and after.state != "lost":
            sentence = "Drive does not have everything: on this machine's disk only, in {}: {}. ".format(
                self.store.run_dir, _snapshots(after.waiting)
            )
            self.say(sentence + "Keep this session; run all cells again, which connects Drive and goes on from there.")
        return done

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.finish()
