"""Many small jobs on all cores, with bounded memory, and a clear error when a worker dies."""

import functools
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple

from ..errors import UserError

_function: Any = None
_shared: Any = None


def _start_worker(function, shared, parent):
    """Set up a worker process: what to run, ignore Ctrl-C, end with the parent."""
    global _function, _shared
    _function, _shared = function, shared
    gc.freeze()  # garbage collection would touch, and so copy, the memory shared with the parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()


def _leave_with_parent(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _run(job):
    return _function(_shared, job)


def _pool(function, shared, workers):
    """Return a pool and what to submit to it: forked processes, or threads where forking is unsafe or unavailable.

    Forked processes start at once, share memory, and need no guard in the user's script. TensorFlow's threads do not survive a
    fork, so where it is loaded threads do the work; Pillow and NumPy release the interpreter lock for most of it.
    """
    if sys.platform.startswith("linux") and "tensorflow" not in sys.modules:
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(workers, context, _start_worker, (function, shared, os.getpid())), _run
    return ThreadPoolExecutor(workers), functools.partial(function, shared)


def run_parallel(
    function: Callable, shared: Any, jobs: Sequence[Any], workers: Optional[int] = None
) -> Iterator[Tuple[Any, Any]]:
    """Yield (job, function(shared, job)) for every job, in the order in which they finish.

    Args:
        function: A module-level function.
        shared: One object that all jobs need; sent to each worker once.
        jobs: Sequence of small objects.
        workers: Processes; None = one per core; 1 = run here, in order.

    Raises:
        UserError: A worker died, as where memory runs out.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        for job in jobs:
            yield job, function(shared, job)
        return
    pool, run = _pool(function, shared, workers)
    try:
        running, waiting = {}, iter(jobs)
        while True:
            for job in waiting:
                running[pool.submit(run, job)] = job
                if len(running) >= 4 * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process died, most likely because memory ran out",
            f"enough memory for {workers} images at a time",
            "run the same command again with --workers 1; it continues where it stopped",
        ) from None
    finally:
        pool.shutdown()
