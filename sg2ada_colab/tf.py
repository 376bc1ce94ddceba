"""The only import of TensorFlow: version 2 semantics on 1.14, what is compiled, which device, which precision."""

import functools
import itertools
import os
import sys
import threading
import zlib
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterator, List, Optional, Sequence, Set

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels sum in other orders on other machines, and greet on the terminal; XLA's programs do not use them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Keras, which nothing here uses, is a third of TensorFlow's start: TensorFlow asks for its optimizers, and does without where
# they are not to be had. It comes at its first use all the same.
_KERAS = "keras.src.optimizers"
_hides_keras = sys.modules.setdefault(_KERAS, None) is None  # type: ignore[arg-type]
try:
    import tensorflow as _tensorflow  # noqa: E402
finally:
    if _hides_keras:
        del sys.modules[_KERAS]

IS_TF1 = _tensorflow.__version__.startswith("1.")
if IS_TF1:
    _tensorflow.compat.v1.enable_v2_behavior()
    _tensorflow.compat.v1.logging.set_verbosity(_tensorflow.compat.v1.logging.ERROR)
else:
    _tensorflow.get_logger().setLevel("ERROR")
tf = _tensorflow.compat.v2
tf1 = _tensorflow.compat.v1
VERSION = tf.version.VERSION


_tracing = threading.local()


@contextmanager
def compiling_for(target: str) -> Iterator[None]:
    """Trace the variants that XLA compiles best, for a "gpu" or for a "cpu"."""
    before = getattr(_tracing, "target", None)
    _tracing.target = target
    try:
        yield
    finally:
        _tracing.target = before


def for_gpu_compiler() -> bool:
    """Return whether what is traced now will be compiled by XLA for a GPU; for processors, other variants are faster."""
    return getattr(_tracing, "target", None) == "gpu"


def for_cpu_compiler() -> bool:
    """Return whether what is traced now will be compiled by XLA for processors."""
    return getattr(_tracing, "target", None) == "cpu"


def compiled(function: Callable, xla: bool = True, name: Optional[str] = None) -> Callable:
    """Return `function` as a graph, compiled by XLA where this TensorFlow can (2.x) and `xla` asks for it.

    Args:
        function: Callable of tensors and variables; Python control flow in it is run once, at trace time.
        xla: False leaves plain graph execution. TF 1.14 always runs plain graphs.
        name: Of what is traced at its first call: the same in every process that is to find the compiled program again. None for
            what `compile.warm_up` traces, which gives the names itself.
    """
    if xla and not IS_TF1:

        @functools.wraps(function)
        def traced(*inputs):
            with compiling_for("gpu" if gpus() else "cpu"):
                return function(*inputs)

        program = tf.function(traced, autograph=False, jit_compile=True)
        return program if name is None else _traced_by_name(program, name)
    return tf.function(function, autograph=False)


def _traced_by_name(program, name):
    """Return a function that calls a tf.function, which is traced under a name for each new set of shapes."""
    known = set()

    def run(*inputs):
        tensors = tf.nest.flatten(inputs)
        kinds = tuple((tensor.shape, tensor.dtype) for tensor in tensors)  # made cheaply: each call looks here
        if kinds not in known:
            with repeatable_names(f"{name} {[(tuple(tensor.shape), tensor.dtype.name) for tensor in tensors]}"):
                program.get_concrete_function(*inputs)
            known.add(kinds)
        return program(*inputs)

    return run


def shared_constant(value: Any, dtype: Any) -> Any:
    """Return a constant, the same for equal values in one graph: a step has thousands, and each takes a quarter millisecond."""
    if tf.executing_eagerly():
        return tf.constant(value, dtype)
    value, graph = np.asarray(value), tf1.get_default_graph()
    if not hasattr(graph, "sg2ada_constants"):
        graph.sg2ada_constants = {}
    key = (value.tobytes(), value.dtype.str, value.shape, dtype)
    if key not in graph.sg2ada_constants:
        graph.sg2ada_constants[key] = tf.constant(value, dtype)
    return graph.sg2ada_constants[key]


def gpus() -> List[Any]:
    """Return the GPUs that TensorFlow sees, as a list of physical devices."""
    return tf.config.experimental.list_physical_devices("GPU")


def grow_memory_as_needed() -> None:
    """Let TensorFlow take a GPU's memory as it is needed, rather than all of it; call it before the first operation."""
    for gpu in gpus():
        with suppress(RuntimeError, ValueError):  # already in use: the setting of before stays
            tf.config.experimental.set_memory_growth(gpu, True)


def placed(batches: Sequence[Any]) -> List[Any]:
    """Return a list of batches, tuples of NumPy arrays, as tuples of tensors on the first GPU, or on the processor without one.

    For threads that read ahead: an operation copies the values, and while it waits for the GPU Python runs on in other threads.
    It waits for all work that the GPU was given before, so several batches are copied together.
    """
    with tf.device("/CPU:0"):
        stacked = [tf.constant(np.stack(arrays)) for arrays in zip(*batches)]
    if gpus():
        with tf.device("/GPU:0"):
            stacked = [tf.identity(tensor) for tensor in stacked]
    return [tuple(tensor[i] for tensor in stacked) for i in range(len(batches))]


@contextmanager
def repeatable_names(program: str) -> Iterator[None]:
    """Give the functions traced inside, by this thread, the same names in every process, whatever else was or is done.

    TensorFlow numbers functions and gradients with one counter that all it does moves on, and keeps compiled programs under those
    names. Inside, this thread counts by itself, from a number that belongs to the name of what is traced, and that nothing else
    comes to; where one is traced again in this process, from another one.
    """
    try:
        from tensorflow.python.framework import ops

        everyones = ops.uid
    except (ImportError, AttributeError):  # nothing public counts; without it compiled programs are only found again less often
        yield
        return
    _trace_once()
    own, thread = itertools.count(_block_of_numbers(program)), threading.get_ident()
    ops.uid = lambda: next(own) if threading.get_ident() == thread else everyones()
    try:
        yield
    finally:
        ops.uid = everyones


@functools.lru_cache(maxsize=None)
def _trace_once():
    """Let TensorFlow do what it does at the first trace of a process alone, and numbers, too."""
    tf.function(lambda: tf.constant(0.0), autograph=False).get_concrete_function()


_blocks_used: Set[int] = set()


def _block_of_numbers(program):
    block = zlib.crc32(program.encode()) % (1 << 20)
    while block in _blocks_used:
        block += 1
    _blocks_used.add(block)
    return (1 << 40) + (block << 32)


def same_names_in_all_processes() -> None:
    """Let what is compiled from now on have the same names in all processes of a run; call it once they have joined.

    A name holds the settings that functions are called with. Among them TensorFlow sets which process this is, for sessions,
    which nothing here uses.
    """
    try:
        from tensorflow.python.eager import context as eager

        context = eager.context()
        assert context._collective_device_filters
    except (ImportError, AttributeError, AssertionError):  # nothing public does; without it each process compiles its own
        return
    context._collective_device_filters = None
    context.function_call_options = None  # made again from the settings as they are now


def empty_trace() -> Any:
    """Return an empty message of the format in which TensorFlow 2 writes profiles."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    return xplane_pb2.XSpace()
