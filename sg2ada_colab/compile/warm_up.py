"""Compile a run's programs side by side before its first step."""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence

from ..tf import gpus, repeatable_names, tf
from .cache import CompileCache
from .compiling import COMPILING, LOADING, READY, TRACING, WAITING


class Program(NamedTuple):
    """A compiled function with inputs of the shapes that training will call it with."""

    name: str
    function: Any  # of tf.function
    inputs: tuple


def warm_up(
    programs: Sequence[Program],
    variables: Sequence[tf.Variable],
    cache: Optional[CompileCache] = None,
    tell: Callable[[str, str, int], Any] = lambda name, doing, of: None,
    wait: Optional[Callable[[], Any]] = None,
) -> Dict[str, float]:
    """Compile programs by running each once, side by side, and put the variables back as they were.

    A program is compiled, or found in the cache, at its first call, outside Python's lock and, while it compiles, outside the
    locks of the variables it uses; so several calls at once compile at once. Tracing holds Python's lock: one program after
    another, in a fixed order, which gives the names under which compiled programs are kept.

    Args:
        programs: List of Program, the one that takes longest first.
        variables: Every tf.Variable that the programs change.
        cache: CompileCache that keeps them, or None.
        tell: Called from several threads with the name of a program, what is done with it from now on, as in `compiling`, and the
            number of programs.
        wait: Where another process compiles the same programs: function that returns once that one has kept them. It is called
            when all are traced, before the first is run.

    Returns:
        dict name → seconds until the program was ready, and "tracing" → seconds until all were traced.
    """
    began, ready = time.time(), {}
    values = [variable.numpy() for variable in variables]

    def run(program, kept):
        tell(program.name, LOADING if kept else COMPILING, len(programs))
        # Where memory is short it is compiled all the same; alone it may fit, and if not its own step will say so.
        with suppress(tf.errors.ResourceExhaustedError):
            program.function(*program.inputs)
        ready[program.name] = time.time() - began
        tell(program.name, READY, len(programs))

    def trace(program):
        tell(program.name, TRACING, len(programs))
        with repeatable_names(program.name):  # a program that only another run has does not rename the others
            traced = program.function.get_concrete_function(*program.inputs)
        ready["tracing"] = time.time() - began
        return traced.graph if cache is not None else None

    started, turns = [], _TimingTurns(cache.autotuning if cache else None)
    graphs = {program.name: trace(program) for program in programs} if wait else {}
    if wait:
        wait()
    with ThreadPoolExecutor(len(programs)) as pool:
        for program in programs:
            graph = graphs[program.name] if wait else trace(program)
            kept = cache is not None and cache.has_program(graph.as_graph_def().SerializeToString(deterministic=True))
            if turns.latest is not None and not kept:
                tell(program.name, WAITING, len(programs))
                turns.wait()
            started.append(turns.start(partial(pool.submit, run, program, kept), bool(gpus()) and not kept))
        for future in started:
            future.result()
    for variable, value in zip(variables, values):
        variable.assign(value)
    return ready


class _TimingTurns:
    """Whose turn it is to time algorithms: one program after another.

    On a GPU, XLA first times convolution algorithms, which two programs must not do at once: each would wait for the other's
    kernels a hundred milliseconds at a time. So a program that is not in the cache starts when the one before has done that.

    Args:
        path: File that XLA rewrites once it has timed a program's algorithms; None where there is none.
    """

    def __init__(self, path: Optional[str]) -> None:
        self.path, self._written_before = path, None
        self.latest: Optional[Future] = None  # of the program that times its algorithms, or was the last to do so

    def wait(self) -> None:
        """Wait until the latest program has timed its algorithms."""
        while self.latest is not None and not self.latest.done() and _written(self.path) == self._written_before:
            time.sleep(0.05)

    def start(self, submit: Callable[[], Future], times_algorithms: bool) -> Future:
        """Start a program with a function that returns its future, and return that."""
        before = _written(self.path)
        future = submit()
        if times_algorithms:
            self.latest, self._written_before = future, before
        return future


def warm_up_together(
    programs: Sequence[Program],
    variables: Sequence[tf.Variable],
    cache: Optional[CompileCache],
    leads: bool,
    meet: Callable[[], Any],
    tell: Callable[[str, str, int], Any] = lambda name, doing, of: None,
) -> Dict[str, float]:
    """Let several processes have their programs ready: one of each machine compiles, and the others find them in the cache.

    Args:
        programs, variables, cache, tell: As of `warm_up`.
        leads: Whether this is the first process of its machine.
        meet: Function that returns once all processes have called it as often.

    Returns:
        What `warm_up` returns, once all are ready.
    """
    waits = cache is not None and not leads
    ready = warm_up(programs, variables, cache, tell, meet if waits else None)
    if not waits:
        if cache is not None:
            cache.keep()
        meet()  # the others may look for them
    meet()
    return ready


def _written(path):
    """Return when a file was last written, or None without one."""
    try:
        return os.stat(path).st_mtime_ns if path else None
    except OSError:
        return None
