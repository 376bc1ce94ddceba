"""The machine this runs on: is it Colab, which GPU, how much memory and disk; imports no TensorFlow."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys

COLAB_MARK = "/var/colab/hostname"  # what google.colab's own drive.mount looks for


def in_colab():
    """Return whether this is Colab's hosted runtime; true in its kernel and in the processes that it starts."""
    try:
        return os.path.exists(COLAB_MARK) and importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):
        return False


def has_front_end():
    """Return whether this process is a notebook's kernel, which can ask the browser for something."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def gpus():
    """Return what nvidia-smi tells of each GPU: dicts of name, driver and memory_mib; an empty list without any."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, text=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    return [{"name": row[0], "driver": row[1], "memory_mib": int(row[2])} for row in rows if len(row) == 3 and row[2].isdigit()]


def gpu_memory_bytes():
    """Return the memory of the first GPU, or None without any."""
    cards = gpus()
    return cards[0]["memory_mib"] * 2**20 if cards else None


def memory_bytes():
    """Return (total, available) bytes of main memory, or None where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
        return values["MemTotal"], values["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return None


def disk_bytes(path):
    """Return (total, free) bytes of the disk that holds `path` or, if it does not exist yet, its nearest parent."""
    path = os.path.abspath(str(path))
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    usage = shutil.disk_usage(path)
    return usage.total, usage.free


def package_version(name):
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


def python_version():
    return platform.python_version()
