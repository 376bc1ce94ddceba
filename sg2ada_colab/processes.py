"""A verb of the command line in a child process: started, polled, interrupted, ended; one way for all that need one."""

import glob
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Iterator, List, Mapping, Optional, Sequence

STOP_S = 60.0  # that a child is given to save what it has


class ChildProcess:
    """A command of this package in a separate process, so that its GPU memory is free again afterwards.

    Args:
        words: The verb and its arguments.
        log: Open binary file that takes what it prints; None gives it to `lines`.
        command: Words of the command before `words`; None for this package's.
        own_session: Start it in a separate session, where Ctrl-C and a notebook's stop button do not reach it; the parent passes
            them on once, with `interrupt`.
        ends_with_parent: Give it a pipe as its standard input, which closes when this process is gone.
        variables: Environment variables that have other values for it, as for another Python; with None as value it has none.
        same_terminal: Let it print where this process prints, in place of `log` and `lines`.
        descriptors: Of files that are open here and stay open, under the same numbers, in it.
    """

    def __init__(
        self,
        words: Sequence[str],
        log: Optional[IO[bytes]] = None,
        command: Optional[Sequence[str]] = None,
        own_session: bool = True,
        ends_with_parent: bool = False,
        variables: Optional[Mapping[str, Optional[str]]] = None,
        same_terminal: bool = False,
        descriptors: Sequence[int] = (),
    ) -> None:
        self._lines: List[str] = []
        self._interruptions, self._rest, self._own_session = 0, b"", own_session
        environment = dict(dict(os.environ, PYTHONUNBUFFERED="1", PYTHONPATH=search_path()), **(variables or {}))
        self._process = subprocess.Popen(
            list(command or [sys.executable, "-m", "sg2ada_colab"]) + [str(word) for word in words],
            stdin=subprocess.PIPE if ends_with_parent else subprocess.DEVNULL,
            stdout=None if same_terminal else subprocess.PIPE if log is None else log,
            stderr=None if same_terminal else subprocess.STDOUT, pass_fds=tuple(descriptors),
            start_new_session=own_session, env={name: value for name, value in environment.items() if value is not None},
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> Optional[int]:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    def lines(self) -> Iterator[str]:
        """Yield the lines that it prints, as it prints them; a carriage return ends a line, too.

        An interruption loses none of them: call it again.
        """
        output = self._process.stdout
        assert output is not None, "it writes into a log"
        while True:
            while self._lines:
                yield self._lines.pop(0)
            if output.closed:
                return
            block = os.read(output.fileno(), 1 << 16)
            *lines, self._rest = (self._rest + block).replace(b"\r", b"\n").split(b"\n")
            if not block:
                output.close()
                lines.append(self._rest)
            self._lines += [line.decode("utf-8", "replace") for line in lines]

    def interrupt(self) -> str:
        """Ask it to save and end: the first SIGINT saves, the second ends at once, the third time it is killed.

        Returns:
            What happens now, in words.
        """
        self._interruptions += 1
        if self._interruptions > 2:
            if self.poll() is None:
                self._kill()
            return "Killed. What was saved before stays; training continues from there next time."
        self._process.send_signal(signal.SIGINT)
        if self._interruptions == 2:
            return "Asked again; a third time kills it."
        return "Stopping: it finishes the minibatches in hand and saves. This takes seconds to a minute."

    def send(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        self._process.send_signal(number)

    def wait(self, timeout_s: Optional[float] = None) -> Optional[int]:
        """Wait until it has ended, and kill it where it does not in time; return the exit code."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def stop(self, timeout_s: float = STOP_S) -> Optional[int]:
        """Make sure that it has ended: ask it to save unless it was asked before, wait, and kill it; return the exit code."""
        if self.poll() is None and not self._interruptions:
            self.interrupt()
        return self.wait(timeout_s)

    def close(self, timeout_s: float = STOP_S) -> Optional[int]:
        """End one that ends with its parent: close its pipe, wait, and kill it where it does not end; return the exit code."""
        assert self._process.stdin is not None, "it does not end with its parent"
        self._process.stdin.close()
        return self.wait(timeout_s)

    def kill(self) -> Optional[int]:
        """Kill it, if it has not ended, with the processes that it has started in its session; return the exit code."""
        if self.poll() is None:
            self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.wait()

    def end_session(self, timeout_s: float = STOP_S) -> Optional[int]:
        """Do as `stop`, and kill what it has started in its own session and left behind; return the exit code."""
        if self.poll() is not None:  # its number may be another process's by now
            return self.wait()
        try:
            return self.stop(timeout_s)
        finally:
            with suppress(ProcessLookupError):
                self._kill()
            self._process.wait()

    def _kill(self) -> None:
        if self._own_session:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()


def end_with_parent(within_s: Optional[float] = None) -> None:
    """Ask this process to save and end when the one that started it is gone: then its end of the pipe closes.

    Args:
        within_s: Seconds after which it ends in any case; None leaves it the time that it takes.
    """

    def wait() -> None:
        try:
            while os.read(0, 1024):
                pass
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGTERM)
        if within_s is not None:
            time.sleep(within_s)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def kill_marked(name: str, value: str) -> None:
    """Kill every process whose environment has a variable with this value, as those that a child has left behind; Linux only."""
    for folder in glob.glob("/proc/[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            with open(os.path.join(folder, "environ"), "rb") as file:
                marked = f"{name}={value}".encode() in file.read().split(b"\0")
            if marked:
                os.kill(int(os.path.basename(folder)), signal.SIGKILL)


def search_path(others: bool = True) -> str:
    """Return PYTHONPATH so that a child imports this package too, where it is a checkout that was not installed.

    Args:
        others: Keep what PYTHONPATH names for this Python.
    """
    rest = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and others]
    return os.pathsep.join(([] if is_installed() else [package_parent()]) + rest)


def is_installed() -> bool:
    """Return whether this package was installed, and does not lie in a checkout."""
    return os.path.basename(package_parent()) in ("site-packages", "dist-packages")


def package_parent() -> str:
    """Return the folder that this package lies in."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
