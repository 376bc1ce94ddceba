"""Compile a run's programs side by side before its first step."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from ..tf import gpus, restart_names, tf


class Program(NamedTuple):
    """A compiled function with inputs of the shapes that training will call it with."""

    name: str
    function: object  # of tf.function
    inputs: tuple


def warm_up(programs, variables, autotuning=None):
    """Compile programs by running each once, side by side, and put the variables back as they were.

    A program is compiled at its first call, outside Python's lock and, while it compiles, outside the locks of the variables
    it uses; so several calls at once compile at once. Tracing comes before, one program after another: it holds Python's lock,
    and only in a fixed order, with nothing else going on, does it give the names under which compiled programs are kept.

    On a GPU, XLA first times convolution algorithms, which two programs must not do at once: each would wait for the other's
    kernels a hundred milliseconds at a time. So the next program starts when that part of the one before is over.

    Args:
        programs: List of Program, the one that takes longest first.
        variables: Every tf.Variable that the programs change.
        autotuning: File that XLA rewrites after the autotuning of a program; None: one at a time on a GPU, all at once without.

    Returns:
        dict name → seconds until the program was ready, and "tracing" → seconds.
    """
    began = time.time()
    restart_names()
    for program in programs:
        program.function.get_concrete_function(*program.inputs)
    ready = {"tracing": time.time() - began}
    values = [variable.numpy() for variable in variables]

    def run(program):
        # Without room for all it is compiled all the same; alone it may fit, and if not its own step will say so.
        with suppress(tf.errors.ResourceExhaustedError):
            program.function(*program.inputs)
        ready[program.name] = time.time() - began

    with ThreadPoolExecutor(len(programs)) as pool:
        started = []
        for program in programs:
            before = _written(autotuning)
            started.append(pool.submit(run, program))
            while gpus() and not started[-1].done() and _written(autotuning) == before:
                time.sleep(0.05)
        for future in started:
            future.result()
    for variable, value in zip(variables, values):
        variable.assign(value)
    return ready


def _written(path):
    """Return when a file was last written, or None without one."""
    try:
        return os.stat(path).st_mtime_ns if path else None
    except OSError:
        return None
