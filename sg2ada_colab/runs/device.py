"""The device that training runs on: memory, determinism, precision, peak use."""

import ctypes

from ..tf import IS_TF1, gpus, grow_memory_as_needed, tf

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def prepare_device(deterministic: bool = False, seed: int = 0) -> None:
    """Let TensorFlow take memory in the way that suits training, and use operations that repeat bit for bit where asked.

    Args:
        deterministic: TensorFlow then takes operations whose results are the same in every run on the same kind of device, for
            the rest of the process. TF 1.14 has no such switch.
        seed: TensorFlow's global seed, which it asks for then; no draw of ours depends on it.
    """
    if not gpus():
        keep_freed_memory()
    grow_memory_as_needed()
    if deterministic and not IS_TF1:
        tf.random.set_seed(seed)
        tf.config.experimental.enable_op_determinism()


def keep_freed_memory(largest: int = 1 << 30) -> bool:
    """Let the C library keep what is freed, up to blocks of `largest` bytes; return whether it does (glibc only).

    A compiled step takes its temporary memory anew at each call. By default glibc gives such blocks back to the system, and
    every page of them is then cleared again: a tenth of the processor time of a step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, largest) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def half_precision_resolutions(precision: str, num_fp16_res: int) -> int:
    """Return how many resolutions run in float16: those of the network for `fp16`, none for `fp32`; `auto` asks for a GPU."""
    if precision == "fp32" or (precision == "auto" and not gpus()):
        return 0
    return num_fp16_res


def peak_gpu_memory_gb(reset: bool = False) -> float:
    """Return the peak of GPU 0's memory in GiB so far, or since it was last `reset`; 0.0 without a GPU or on TF 1.14."""
    if IS_TF1 or not gpus():
        return 0.0
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    if reset:
        tf.config.experimental.reset_memory_stats("GPU:0")
    return peak


def describe_device() -> str:
    """Return the name of the device in words."""
    found = gpus()
    if not found:
        return "CPU"
    try:
        return tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU")
    except AttributeError:  # TF 1.14
        return "GPU"
