"""Keep what XLA compiled between processes: executables and the results of its autotuning; imports no TensorFlow.

Compiling a training step takes minutes on a GPU, half of it timing convolution algorithms. TensorFlow can save each
executable under a digest of its program, and XLA can save which algorithms won. Both are valid only for the same kind of
device and the same TensorFlow, so each combination has a folder of its own; another network simply adds its own entries.
"""

import os
import platform
import re
import subprocess
from typing import NamedTuple, Optional

ENVIRONMENT = "SG2ADA_COMPILE_CACHE"  # a folder; "off" keeps nothing
DEFAULT_FOLDER = os.path.join("~", ".cache", "sg2ada_colab", "compiled")
AUTOTUNE_FILE = "autotuning.pbtxt"
MAX_BYTES = 4 * 2**30  # of one combination's executables; beyond it the ones that were not used longest go


class CompileCache(NamedTuple):
    """Where this process keeps its compiled programs."""

    folder: str  # of this kind of device and this TensorFlow
    autotuning: Optional[str]  # file that XLA rewrites after autotuning a program; None on a processor, which has none

    def keep_autotuning(self):
        """Let later processes start with what was autotuned so far; call it when nothing is being compiled."""
        if self.autotuning and os.path.isfile(self.autotuning):
            os.replace(self.autotuning, os.path.join(self.folder, AUTOTUNE_FILE))


def use(root=None):
    """Let this process keep its compiled programs; call it before TensorFlow is imported.

    Args:
        root: Folder of all combinations; None asks the environment variable SG2ADA_COMPILE_CACHE, then the default.

    Returns:
        CompileCache, or None where nothing is kept: TensorFlow 1, "off", or a folder that cannot be made.
    """
    root = root or os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER
    version = _tensorflow_version()
    if root == "off" or version is None or version.startswith("1."):
        return None
    folder = os.path.join(os.path.expanduser(root), combination(version))
    try:
        os.makedirs(folder, exist_ok=True)
        prune(folder)
    except OSError:
        return None
    _add_flags("TF_XLA_FLAGS", ["--tf_xla_persistent_cache_directory=" + folder])
    if device_name() == _processor():
        return CompileCache(folder, None)
    cache = CompileCache(folder, os.path.join(folder, "{}.{}".format(AUTOTUNE_FILE, os.getpid())))
    flags = ["--xla_gpu_enable_llvm_module_compilation_parallelism=true"]
    flags.append("--xla_gpu_dump_autotune_results_to=" + cache.autotuning)
    kept = os.path.join(folder, AUTOTUNE_FILE)
    if os.path.isfile(kept):
        flags.append("--xla_gpu_load_autotune_results_from=" + kept)
    _add_flags("XLA_FLAGS", flags)
    return cache


def combination(version):
    """Return the name of the folder for this machine's device and a TensorFlow version, such as "Tesla-T4-tf2.20.0"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", "{}-tf{}".format(device_name(), version))


def device_name():
    """Return the name of the first GPU, or of the processor where there is none."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        names = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        names = ""
    return names.strip().splitlines()[0].strip() if names.strip() else _processor()


def prune(folder, max_bytes=MAX_BYTES):
    """Delete the executables that were not used longest until at most `max_bytes` are left."""
    entries = []
    for entry in os.scandir(folder):
        if entry.is_file() and not entry.name.startswith(AUTOTUNE_FILE):
            found = entry.stat()
            entries.append((max(found.st_atime, found.st_mtime), found.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= max_bytes:
            break
        os.unlink(path)
        total -= size


def _processor():
    """Return the processor's model; programs compiled for one may not run on another."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _tensorflow_version():
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7, which has TensorFlow 1.14 only
        return None
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _add_flags(variable, flags):
    """Add flags to an environment variable, before those that are there: the user's own win."""
    os.environ[variable] = " ".join(flags + os.environ.get(variable, "").split())
