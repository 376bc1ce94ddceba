"""Start child processes fast: a server that has imported everything forks each of them; they can be killed like any other.

Run as a program: `python fork_server.py MODULE…`. It reads lines of JSON, {"module", "args", "output"}, forks a process that
calls `module.main(*args)` with its output appended to a file, and answers {"pid"}; and {"pid", "code"} when it has ended.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

LOOK_S = 0.02


class Child:
    """A forked process, with the names of `subprocess.Popen`."""

    def __init__(self, pid):
        self.pid, self.returncode, self._ended = pid, None, threading.Event()

    def end(self, code):
        self.returncode = code
        self._ended.set()

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"child {self.pid}", timeout)
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The server as the test sees it; a context manager.

    Args:
        modules: Names of the modules to import before the first fork; they may not have started threads.
        environment: Of the server and its children.
    """

    def __init__(self, modules, environment):
        command = [sys.executable, "-W", "ignore", str(Path(__file__))] + list(modules)
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._children, self._born = {}, []
        threading.Thread(target=self._listen, name="fork-server", daemon=True).start()

    def _listen(self):
        for line in self._server.stdout:
            answer = json.loads(line.decode())
            if "code" in answer:
                self._children[answer["pid"]].end(answer["code"])
            else:
                self._children[answer["pid"]] = Child(answer["pid"])
                self._born.append(self._children[answer["pid"]])

    def start(self, module, args, output, timeout_s=120):
        """Return a new `Child` that runs `module.main(*args)`."""
        request = {"module": module, "args": [str(arg) for arg in args], "output": str(output)}
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        deadline = time.monotonic() + timeout_s
        while not self._born:
            assert self._server.poll() is None and time.monotonic() < deadline, "the fork server does not answer"
            time.sleep(0.005)
        return self._born.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()


def serve(modules):
    """Fork until the input ends; then kill what still runs."""
    for name in modules:
        importlib.import_module(name)
    running, pending = set(), b""
    while True:
        if select.select([0], [], [], LOOK_S)[0]:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                running.add(fork(json.loads(line.decode())))
        running -= set(reap())
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def fork(request):
    pid = os.fork()
    if pid:
        say(pid=pid)
        return pid
    code = 1
    try:
        with open(os.devnull) as nothing, open(request["output"], "ab") as output:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        code = importlib.import_module(request["module"]).main(*request["args"]) or 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def reap():
    """Yield the processes that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        say(pid=pid, code=-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        yield pid


def say(**answer):
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    serve(sys.argv[1:])
