"""Real processes that train together on this machine's processors and are given work; run as a program it is one of them."""

import faulthandler
import importlib
import json
import os
import pickle
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STUCK_S = 240  # of one call, after which a process prints where its threads are


class RemoteError(Exception):
    """What a process raised: the name of the exception's class and its text."""


def free_ports(count):
    """Return ports of this machine that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class RankPair:
    """Two processes that have joined; a context manager. `call` runs a function of (ranks, *args) in both, by its dotted name."""

    def __init__(self, count=2, **environment):
        workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
        self.processes = []
        for index in range(count):
            task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            environ = dict(os.environ, TF_CONFIG=json.dumps(task), CUDA_VISIBLE_DEVICES="-1", PYTHONPATH=str(ROOT), **environment)
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-m", "tests.training.rank_pair"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environ,
                    cwd=str(ROOT),
                )
            )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def start(self, function, *args_of_each):
        """Begin a call with each process's own arguments."""
        for process, args in zip(self.processes, args_of_each):
            pickle.dump((function, args), process.stdin)
            process.stdin.flush()

    def results(self):
        """Return what each process returned, or the RemoteError of what it raised."""
        return [self.results_of(index) for index in range(len(self.processes))]

    def results_of(self, index):
        """Return what one process returned, or the RemoteError of what it raised."""
        return pickle.load(self.processes[index].stdout)

    def call(self, function, *args):
        """Return what each process returned for the same arguments.

        Raises:
            RemoteError: One of them raised an exception.
        """
        self.start(function, *[args] * len(self.processes))
        results = self.results()
        for result in results:
            if isinstance(result, RemoteError):
                raise result
        return results


def main():
    # What the program prints must not come between the results.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from sg2ada_colab.training.ranks import join

    ranks = join()
    while True:
        try:
            function, args = pickle.load(sys.stdin.buffer)
        except EOFError:
            os._exit(0)  # TensorFlow's own end takes seconds
        module, _, name = function.rpartition(".")
        faulthandler.dump_traceback_later(STUCK_S)
        try:
            result = getattr(importlib.import_module(module), name)(ranks, *args)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            result = RemoteError(type(error).__name__, str(error))
        faulthandler.cancel_dump_traceback_later()
        pickle.dump(result, out)
        out.flush()


if __name__ == "__main__":
    from tests.training import rank_pair  # not __main__: what is pickled here is read there

    rank_pair.main()
