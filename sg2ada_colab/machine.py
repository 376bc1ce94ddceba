"""The machine this runs on: is it Colab, which GPU, memory, disk, versions, cache folder; imports no TensorFlow."""

import glob
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import Any, Dict, List, Optional, Tuple

from .files import FilePath

CONFIG_VARIABLE = "SG2ADA_CONFIG_DIR"
CACHE_VARIABLE = "SG2ADA_CACHE_DIR"  # where downloads, statistics and programs are kept, instead of the user's cache folder
COLAB_MARK = "/var/colab/hostname"  # what google.colab's own drive.mount looks for
KAGGLE_WORKING = "/kaggle/working"  # what Kaggle keeps of a notebook
KAGGLE_INPUT = "/kaggle/input"  # read-only: datasets, and the outputs of saved versions of notebooks
KAGGLE_DEPTH = 5  # folders between it and what it holds: NAME, or datasets/OWNER/NAME, and some more


def in_colab() -> bool:
    """Return whether this is Colab's hosted runtime; true in its kernel and in the processes that it starts."""
    if in_kaggle():  # its image is made from Colab's
        return False
    try:
        return os.path.exists(COLAB_MARK) and importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):
        return False


def in_kaggle() -> bool:
    """Return whether this is a notebook of Kaggle's, or a process that it started."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ and os.path.isdir(KAGGLE_WORKING)


def input_folders(tail: str) -> List[str]:
    """Return the folders of the inputs whose path ends with `tail`, such as a workspace's, sorted; none outside Kaggle."""
    if not in_kaggle():
        return []
    found = []
    for folder, names, _ in os.walk(KAGGLE_INPUT):
        depth = os.path.relpath(folder, KAGGLE_INPUT).count(os.sep)
        names[:] = [] if depth >= KAGGLE_DEPTH else sorted(name for name in names if not name.startswith("."))
        if folder.endswith(os.sep + tail):
            found.append(folder)
            names[:] = []
    return found


def has_front_end() -> bool:
    """Return whether this process is a notebook's kernel, which can ask the browser for something."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def gpus() -> List[Dict[str, Any]]:
    """Return what nvidia-smi reports of each GPU: dicts of name, driver and memory_mib; an empty list without any."""
    rows = gpu_rows("name,driver_version,memory.total")
    return [{"name": row[0], "driver": row[1], "memory_mib": int(row[2])} for row in rows if len(row) == 3 and row[2].isdigit()]


def compute_capability() -> Optional[float]:
    """Return the compute capability of the first GPU, such as 7.5, or None where nvidia-smi does not report it (old drivers)."""
    rows = gpu_rows("compute_cap")
    return float(rows[0][0]) if rows and re.fullmatch(r"\d+\.\d+", rows[0][0]) else None


def nvidia_smi(*words: str) -> str:
    """Return what the program nvidia-smi prints when it is called with some words; "" where there is none."""
    command = ["nvidia-smi", *words]
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, text=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def gpu_rows(fields: str) -> List[List[str]]:
    """Return the values of fields such as "name,memory.total" that nvidia-smi reports, a row for each GPU."""
    text = nvidia_smi("--query-gpu=" + fields, "--format=csv,noheader,nounits")
    return [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]


def gpu_memory_bytes() -> Optional[int]:
    """Return the memory of the first GPU, or None without any."""
    cards = gpus()
    return cards[0]["memory_mib"] * 2**20 if cards else None


def device_name() -> str:
    """Return the name of the first GPU, or of the processor where there is none."""
    cards = gpus()
    return cards[0]["name"] if cards else processor_name()


def processor_name() -> str:
    """Return the processor's model and a digest of its features; programs compiled for others may not run."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in file)}
        return "{} {}".format(lines["model name"], hashlib.sha256(lines["flags"].encode()).hexdigest()[:8])
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> Optional[Tuple[int, int]]:
    """Return (total, available) bytes of main memory, or None where the system does not report it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
        return values["MemTotal"], values["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return None


def disk_bytes(path: FilePath) -> Tuple[int, int]:
    """Return (total, free) bytes of the disk that holds `path` or, if it does not exist yet, its nearest parent."""
    path = os.path.abspath(str(path))
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    usage = shutil.disk_usage(path)
    return usage.total, usage.free


def drive_free_bytes(folder: FilePath, here: FilePath) -> Optional[int]:
    """Return the free bytes of Drive, or None: for some accounts DriveFS shows the machine's disk in their place.

    Args:
        folder: On Drive.
        here: A folder on the machine's disk.
    """
    try:
        total, free = disk_bytes(folder)
        return None if total == disk_bytes(here)[0] else free
    except OSError:
        return None


def cache_folder(part: str = "") -> str:
    """Return the folder for what can be had again: $SG2ADA_CACHE_DIR, or `part` of this program's in the user's cache folder."""
    import platformdirs

    return os.environ.get(CACHE_VARIABLE) or os.path.join(platformdirs.user_cache_dir("sg2ada_colab", False), part)


def config_folder() -> str:
    """Return the folder for what this user alone decides: $SG2ADA_CONFIG_DIR, or this program's in the user's settings."""
    import platformdirs

    return os.environ.get(CONFIG_VARIABLE) or platformdirs.user_config_dir("sg2ada_colab", False)


def package_version(name: str) -> Optional[str]:
    """Return the installed version of a package without importing it, or None."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        import pkg_resources

        try:
            return pkg_resources.get_distribution(name).version
        except pkg_resources.DistributionNotFound:
            return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def python_version() -> str:
    return platform.python_version()


def tensorflow_version() -> Optional[str]:
    """Return TensorFlow's version without importing it, or None."""
    names = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu")
    return next((version for version in map(package_version, names) if version), None)


def cudnn_version() -> str:
    """Return the version of the cuDNN that TensorFlow loads, "" where there is none: programs name algorithms by its numbers.

    It is the one that the dynamic linker finds first: in LD_LIBRARY_PATH, in pip's package beside TensorFlow, where its libraries
    say to look, or among the system's. Where several are the system's, all are named, joined by "-".
    """
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    beside = [folder for folder in sys.path if os.path.isdir(os.path.join(folder, "tensorflow"))]
    folders += [os.path.join(folder, "nvidia", "cudnn", "lib") for folder in beside[:1]]
    paths = [path for folder in folders for path in sorted(glob.glob(os.path.join(glob.escape(folder), "libcudnn.so.[0-9]*")))]
    found = [version for version in map(_cudnn_of, paths) if version][:1]
    if not found:
        with suppress(OSError, subprocess.SubprocessError):
            listed = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30).stdout
            found = [_cudnn_of(path) for path in re.findall(r"libcudnn\.so\.\d+ .*=> (\S+)", listed.decode())]
    return "-".join(sorted({version for version in found if version}))


def _cudnn_of(path):
    """Return the version of cuDNN's library, "" where it is unknown: its file's name ends in it, or a header beside it has it."""
    library = os.path.realpath(path)
    named = os.path.basename(library).partition(".so.")[2]
    if "." in named:
        return named
    header = os.path.join(os.path.dirname(os.path.dirname(library)), "include", "cudnn_version.h")
    with suppress(OSError, KeyError):
        with open(header, encoding="utf-8", errors="replace") as file:
            numbers = dict(re.findall(r"#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) (\d+)", file.read()))
        return "{MAJOR}.{MINOR}.{PATCHLEVEL}".format(**numbers)
    return package_version("nvidia-cudnn-cu12") or package_version("nvidia-cudnn-cu13") or ""
