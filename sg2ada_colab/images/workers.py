"""Many small jobs on all cores, with bounded memory, and a clear end when a worker dies."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from ..errors import UserError

_function = _shared = None


def _start_worker(function, shared, parent):
    """Set a worker process up: what to run, no part in Ctrl-C, and an end when the parent is gone."""
    global _function, _shared
    _function, _shared = function, shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()


def _leave_with_parent(parent):
    creator = os.getppid()  # the parent itself or its fork server, which ends with it
    while os.getppid() == creator:
        time.sleep(1)
    os._exit(1)


def _run(job):
    return _function(_shared, job)


def _context():
    """Return how worker processes are started: by fork where that is safe, which is quick and shares memory."""
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods and sys.platform != "darwin" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def run_parallel(function, shared, jobs, workers=None):
    """Yield (job, function(shared, job)) for every job, in the order in which they finish.

    Args:
        function: A module-level function.
        shared: One object that all jobs need; sent to each worker once.
        jobs: Sequence of small objects.
        workers: Processes; None = one per core; 1 = run here, in order.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        for job in jobs:
            yield job, function(shared, job)
        return
    pool = ProcessPoolExecutor(workers, _context(), _start_worker, (function, shared, os.getpid()))
    try:
        running, waiting = {}, iter(jobs)
        while True:
            for job in waiting:
                running[pool.submit(_run, job)] = job
                if len(running) >= 4 * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process died, most likely because memory ran out",
            "enough memory for {} images at a time".format(workers),
            "run the same command again with --workers 1; it goes on where it stopped",
        ) from None
    finally:
        pool.shutdown()
