"""One writer for one run: a small file says who writes, is renewed while they do, and expires when they are gone."""

import errno
import json
import os
import re
import socket
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from ..errors import UserError
from .atomic import write_text
from .choose import read_text
from .retry import with_retries

FORMAT_VERSION = 1
FILE_NAME = "lease.json"
LEASE_FILE = re.compile(r"lease( \(\d+\))?\.json$")  # Drive may show two writers' files as twins
TTL_S = 300.0  # how long a lease holds without a sign of life; a lost VM blocks its run for this long


class LeaseLostError(Exception):
    """Another process has taken the run over; this one must not write to it any more."""


@dataclass(frozen=True)
class Holder:
    """Who holds a run, as its lease file says."""

    token: str  # unique to one `Lease` object
    host: str
    boot: str  # changes when the machine does, which tells two VMs of one name apart
    pid: int
    started: int  # clock ticks since boot; the pid may be given to another process
    taken: float  # seconds since 1970, by the holder's clock
    renewed: float
    ttl_s: float

    def describe(self):
        seen = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.renewed))
        return "process {} on {} (last sign of life {})".format(self.pid, self.host, seen)


class Lease:
    """The right to write to one run folder.

    Between processes of one machine the process itself is looked at, and time plays no part.

    Args:
        run_dir: The run folder that several writers could reach: the one on Drive.
        ttl_s: How long the lease holds without renewal; the holder renews it three times as often.
    """

    def __init__(self, run_dir, ttl_s=TTL_S):
        self.run_dir, self.ttl_s, self.held = str(run_dir), ttl_s, False
        now, pid = time.time(), os.getpid()
        self._me = Holder(uuid.uuid4().hex, socket.gethostname(), _boot_id(), pid, _started(pid) or 0, now, now, ttl_s)
        self._renewed = None  # monotonic

    def acquire(self, wait_s=None, say=None, sleep=time.sleep):
        """Take the lease; wait for another holder's to expire, which one that is still alive prevents by renewing it.

        Expiry is judged by watching: a lease that did not change for its whole time on our clock has expired, whatever the
        holder's clock says.

        Args:
            wait_s: Longest wait; None waits as long as the lease needs to expire, 0 not at all.
            say: Optional callable that gets a sentence before waiting.

        Raises:
            UserError: Another process holds the run; the text says which.
        """
        started, watched, said = time.monotonic(), {}, False
        while True:
            with _alone_on_this_machine(self.run_dir):
                blocking = [holder for holder in self.holders() if self._blocks(holder, watched)]
                if not blocking:
                    return self._take()
            if wait_s is not None and time.monotonic() - started >= wait_s:
                raise self._refusal(blocking[0], "its claim has not expired")
            if say and not said:
                sentence = "This run was being written by {}. Waiting up to {:.0f} s to be sure that it has ended."
                say(sentence.format(blocking[0].describe(), blocking[0].ttl_s))
                said = True
            sleep(min(1.0, self.ttl_s / 10))

    def _blocks(self, holder, watched):
        """Return whether a claim still stands; `watched` notes when each was seen first, and with which sign of life."""
        # A claim that ran out long ago by both clocks needs no watching; twice its time allows for clocks that differ.
        if self._is_me(holder):
            return False
        if (holder.host, holder.boot) == (self._me.host, self._me.boot):
            if _started(holder.pid) == holder.started:
                raise self._refusal(holder, "that process runs on this machine")
            return False
        if time.time() - holder.renewed > 2 * holder.ttl_s:
            return False
        renewed, since = watched.setdefault(holder.token, (holder.renewed, time.monotonic()))
        if renewed != holder.renewed:
            raise self._refusal(holder, "it is alive: it renewed its claim while this process waited")
        return time.monotonic() - since <= holder.ttl_s

    def _take(self):
        with_retries(self._write_and_read_back)
        # Of two machines that took it in the same moment the later file stands, and the other one learns it here.
        time.sleep(min(0.2, self.ttl_s / 20))
        self.held = True
        try:
            self.check()
        except LeaseLostError:
            raise self._refusal(self._current() or self._me, "it took the run in the same moment") from None

    def _write_and_read_back(self):
        self._write()
        if self._current() is None:
            raise OSError(errno.EIO, "the lease did not read back as it was written")

    def renew_if_due(self):
        """Renew the lease when a third of its time has passed; costs nothing before.

        Raises:
            LeaseLostError: Another process holds it now.
            OSError: Drive does not answer.
        """
        if time.monotonic() - self._renewed >= self.ttl_s / 3:
            self.check()
            self._write()

    def check(self):
        """Raise LeaseLostError when another process has taken the run over."""
        holder = self._current()
        if holder is not None and not self._is_me(holder):
            self.held = False
            sentence = "The run {} is now written by {}; this process stops copying to it."
            raise LeaseLostError(sentence.format(self.run_dir, holder.describe()))

    def release(self):
        """Give the lease up; a later `acquire`, here or elsewhere, need not wait."""
        with suppress(OSError):
            holder = self._current()
            if holder is not None and self._is_me(holder):
                os.unlink(os.path.join(self.run_dir, FILE_NAME))
        self.held = False

    def holders(self):
        """Return the `Holder`s of all lease files in the folder; damaged ones are passed over."""
        try:
            names = [name for name in with_retries(lambda: os.listdir(self.run_dir)) if LEASE_FILE.match(name)]
        except FileNotFoundError:
            return []
        found = [read_holder(os.path.join(self.run_dir, name)) for name in sorted(names)]
        return [holder for holder in found if holder]

    def _current(self):
        return read_holder(os.path.join(self.run_dir, FILE_NAME))

    def _write(self):
        content = dict(asdict(replace(self._me, renewed=time.time())), format_version=FORMAT_VERSION)
        with_retries(lambda: write_text(os.path.join(self.run_dir, FILE_NAME), json.dumps(content)))
        self._renewed = time.monotonic()

    def _is_me(self, holder):
        return holder.token == self._me.token

    def _refusal(self, holder, why):
        return UserError(
            "The run {} is being written by {}; {}.".format(self.run_dir, holder.describe(), why),
            "one notebook or process for one run",
            "stop the other one (in Colab: Runtime > Manage sessions > Terminate), or start a new run; then run this again",
        )


def read_holder(path):
    """Return the `Holder` in a lease file, or None when the file is absent or damaged. Raises OSError when Drive fails."""
    try:
        content = json.loads(with_retries(lambda: read_text(path)))
        if content.pop("format_version") != FORMAT_VERSION:
            return None
        return Holder(**content)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


@contextmanager
def _alone_on_this_machine(folder):
    """Keep other processes of this machine out of the block; where the file system knows no locks, do nothing."""
    descriptor = None
    with suppress(OSError, ImportError):  # no such folder yet, no fcntl on Windows
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _boot_id():
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _started(pid):
    """Return when a process of this machine started, in clock ticks since boot; None when it does not run.

    The pid alone could meanwhile belong to another process.
    """
    try:
        with open("/proc/{}/stat".format(pid), encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
