"""One writer for one run: a small file says who writes, is renewed while they do, and expires when they are gone."""

import errno
import json
import os
import socket
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Dict, List, Optional

from ..clock import Clock
from ..errors import UserError
from ..files import FilePath, with_retries, write_text
from ..json_files import read_json
from ..run_files import LEASE, LEASE_PATTERN
from ..words import shown

FORMAT_VERSION = 1
_HOLDER = {
    "token": str, "host": str, "boot": str, "pid": int, "started": int, "taken": float, "renewed": float, "ttl_s": float
}  # fmt: skip
_SHAPE = dict(_HOLDER, format_version=int)
TTL_S = 300.0  # how long a lease holds without a sign of life; a lost VM blocks its run for this long


MOST_TTL_S = 1200.0  # longer than any that a release has written; a file from outside must not be waited for without end


class LeaseLostError(UserError):
    """Another process has taken the run over; this one must not write to it any more."""


@dataclass(frozen=True)
class Holder:
    """Who holds a run, as its lease file says."""

    token: str  # unique to one `Lease` object
    host: str
    boot: str  # changes with the machine and with the container, which tells two of one name apart
    pid: int
    started: int  # clock ticks since boot; the pid may be given to another process
    taken: float  # seconds since 1970, by the holder's clock
    renewed: float
    ttl_s: float

    def describe(self) -> str:
        """Return in words which process holds it, where, and when it last gave a sign of life."""
        try:
            seen = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.renewed))
        except (OverflowError, ValueError, OSError):
            seen = "at no time that there is"
        return f"process {self.pid} on {shown(self.host[:100])} (last sign of life {seen})"


class Lease:
    """The right to write to one run folder.

    Between processes of one machine (and of one container on it) the process itself is looked at, and time plays no part.

    Args:
        run_dir: The run folder that several writers could reach: the one on Drive.
        ttl_s: How long the lease holds without renewal; the holder renews it three times as often.
        clock: `Clock`.
    """

    def __init__(self, run_dir: FilePath, ttl_s: float = TTL_S, clock: Optional[Clock] = None) -> None:
        self.run_dir, self.ttl_s, self.held, self.clock = str(run_dir), ttl_s, False, clock or Clock()
        now, pid = self.clock.time(), os.getpid()
        self._me = Holder(uuid.uuid4().hex, socket.gethostname(), boot_id(), pid, _started(pid) or 0, now, now, ttl_s)
        self._renewed: Any = None  # (monotonic, wall clock), once the lease is held

    def acquire(self, wait_s: Optional[float] = None, say: Optional[Callable[[str], Any]] = None) -> None:
        """Take the lease; wait for another holder's to expire, which one that is still alive prevents by renewing it.

        Expiry is judged by watching: a lease that did not change for its whole time on our clock has expired, whatever the
        holder's clock says. Half of that time, in which a holder that lives renews it, is enough where both clocks say that it
        expired long ago; as one of them may be wrong, that alone is never believed.

        Args:
            wait_s: Longest wait; None waits as long as the lease needs to expire, 0 not at all.
            say: Optional callable that gets a sentence before waiting.

        Raises:
            UserError: Another process holds the run; the text says which.
        """
        watched: Dict[str, Any] = {}
        started, said = self.clock.monotonic(), False
        while True:
            with _alone_on_this_machine(self.run_dir):
                blocking = [holder for holder in self.holders() if self._blocks(holder, watched)]
                if not blocking:
                    return self._take()
            if wait_s is not None and self.clock.monotonic() - started >= wait_s:
                raise self._refusal(blocking[0], "its claim has not expired")
            if say and not said:
                sentence = "This run was being written by {}. Waiting up to {:.0f} s to be sure that it has ended."
                say(sentence.format(blocking[0].describe(), self._watch_s(blocking[0])))
                said = True
            self.clock.sleep(min(1.0, self.ttl_s / 10))

    def _blocks(self, holder, watched):
        """Return whether a claim still stands; `watched` notes when each was seen first, and with which sign of life."""
        if self._is_me(holder):
            return False
        if (holder.host, holder.boot) == (self._me.host, self._me.boot):
            if _started(holder.pid) == holder.started:
                raise self._refusal(holder, "that process runs on this machine")
            return False
        renewed, since = watched.setdefault(holder.token, (holder.renewed, self.clock.monotonic()))
        if renewed != holder.renewed:
            raise self._refusal(holder, "it is alive: it renewed its claim while this process waited")
        return self.clock.monotonic() - since <= self._watch_s(holder)

    def _watch_s(self, holder):
        """Return how long a claim must not change before it counts as expired."""
        ttl_s = min(max(holder.ttl_s, 0.0), MOST_TTL_S)
        return ttl_s / 2 if self.clock.time() - holder.renewed > 2 * ttl_s else ttl_s

    def _take(self):
        with_retries(self._write_and_read_back)
        # Of two machines that took it in the same moment the later file stands, and the other one learns it here.
        self.clock.sleep(min(0.2, self.ttl_s / 20))
        self.held = True
        try:
            self.check()
        except LeaseLostError:
            raise self._refusal(self._current() or self._me, "it took the run in the same moment") from None

    def _write_and_read_back(self):
        self._write()
        if self._current() is None:
            raise OSError(errno.EIO, "the lease did not read back as it was written")

    def renew_if_due(self) -> None:
        """Renew the lease when a third of its time has passed by either clock; costs nothing before.

        A machine that was frozen may find that only its wall clock has gone on.

        Raises:
            LeaseLostError: Another process holds it now.
            OSError: Drive does not answer.
        """
        monotonic, wall = self._renewed
        if max(self.clock.monotonic() - monotonic, abs(self.clock.time() - wall)) >= self.ttl_s / 3:
            self.check()
            self._write()

    def check(self) -> None:
        """Raise LeaseLostError when another process has taken the run over."""
        holder = self._current()
        if holder is not None and not self._is_me(holder):
            self.held = False
            raise LeaseLostError(
                f"The run {self.run_dir} is now written by {holder.describe()}; this process stops writing to it.",
                "one notebook or process for one run",
                "go on in the other one; to take the run back, stop the other one first: sg2ada resume",
            )

    def release(self) -> None:
        """Give the lease up; a later `acquire`, here or elsewhere, need not wait."""
        with suppress(OSError):
            holder = self._current()
            if holder is not None and self._is_me(holder):
                os.unlink(os.path.join(self.run_dir, LEASE))
        self.held = False

    def holders(self) -> List[Holder]:
        """Return the `Holder`s of all lease files in the folder; damaged ones are passed over."""
        try:
            names = [name for name in with_retries(lambda: os.listdir(self.run_dir)) if LEASE_PATTERN.match(name)]
        except FileNotFoundError:
            return []
        found = [read_holder(os.path.join(self.run_dir, name)) for name in sorted(names)]
        return [holder for holder in found if holder]

    def _current(self):
        return read_holder(os.path.join(self.run_dir, LEASE))

    def _write(self):
        content = dict(asdict(replace(self._me, renewed=self.clock.time())), format_version=FORMAT_VERSION)
        with_retries(lambda: write_text(os.path.join(self.run_dir, LEASE), json.dumps(content)))
        self._renewed = self.clock.monotonic(), self.clock.time()

    def _is_me(self, holder):
        return holder.token == self._me.token

    def _refusal(self, holder, why):
        return UserError(
            f"The run {self.run_dir} is being written by {holder.describe()}; {why}.",
            "one notebook or process for one run",
            "stop the other one (in Colab: Runtime > Manage sessions > Terminate), or start a new run; then run this again",
        )


def read_holder(path: FilePath) -> Optional[Holder]:
    """Return the `Holder` in a lease file, or None when the file is absent or damaged. Raises OSError when Drive fails."""
    try:
        content = with_retries(lambda: read_json(path, _SHAPE))
    except (FileNotFoundError, ValueError):
        return None
    return Holder(**{name: content[name] for name in _HOLDER}) if content["format_version"] == FORMAT_VERSION else None


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


def boot_id() -> str:
    """Return what tells this machine, since its start, and this container on it from others, whose process numbers are others."""
    parts = []
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        parts.append(file.read().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(pid):
    """Return when a process of this machine started, in clock ticks since boot; None when it does not run.

    The pid alone could meanwhile belong to another process.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
