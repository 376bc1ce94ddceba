"""One table for bug reports: what this machine is, and what to do about each problem."""

import os
import sys
from dataclasses import dataclass
from typing import List, Optional, Sequence

from .. import __version__
from ..files import FilePath
from ..machine import disk_bytes, gpus, in_colab, in_kaggle, memory_bytes, package_version, python_version, tensorflow_version
from ..storage.workspace import FILE_NAME, workspace_root
from ..words import size_text, table
from .drive import choose_drive

TESTED_TENSORFLOW = ("1.14", "2.16", "2.17", "2.18", "2.19", "2.20", "2.21")
LEAST_RAM, LEAST_DISK, LEAST_DRIVE = 6e9, 10e9, 3e9  # bytes
CHANGE_RUNTIME = "Runtime > Change runtime type > T4 GPU"
CHANGE_ACCELERATOR = "Settings > Accelerator > GPU T4 x2 (your account needs a verified phone number)"


@dataclass(frozen=True)
class Finding:
    """One row of the table."""

    name: str
    value: str
    problem: str = ""  # what is wrong and what to do; empty when all is well


def examine(folder: Optional[FilePath] = None) -> List[Finding]:
    """Return the `Finding`s about this machine and the workspace; imports TensorFlow if there is one.

    Args:
        folder: Folder of the workspace; None for Drive in Colab, else the home folder.
    """
    drive = choose_drive(folder)
    found = _gpus() + [_drive(drive), _workspace(drive), _disk(), _memory()]
    found += [Finding("sg2ada_colab", __version__), _python(), _system(), _tensorflow()]
    return found + [Finding(name, package_version(name) or "-") for name in ("numpy", "pillow", "ipywidgets", "tqdm")]


def _python():
    problem = "" if sys.version_info >= (3, 7) else "too old: Python 3.7 or later is needed"
    return Finding("Python", python_version(), problem)


def _system():
    release = os.environ.get("COLAB_RELEASE_TAG")
    kaggle = "Kaggle {}".format(os.environ.get("KAGGLE_KERNEL_RUN_TYPE", ""))
    return Finding("System", "Colab {}".format(release or "") if in_colab() else kaggle if in_kaggle() else sys.platform)


def _tensorflow():
    installed = tensorflow_version()
    try:
        from ..tf import VERSION  # the module's own word counts, if it can be imported
    except Exception as error:  # a broken installation raises what it likes
        what = installed or "not installed"
        return Finding("TensorFlow", what, f"cannot be imported ({error}): pip install tensorflow")
    tested = any(VERSION.startswith(one + ".") for one in TESTED_TENSORFLOW)
    advice = "not tested with this release; if training fails: pip install tensorflow==2.20"
    return Finding("TensorFlow", VERSION, "" if tested else advice)


def _gpus():
    cards = gpus()
    rows = [Finding("GPU", "{name}, {memory_mib} MiB, driver {driver}".format(**card)) for card in cards]
    seen = _gpus_of_tensorflow()
    if not cards:
        elsewhere = "training on the processor is slow; use a machine with an NVIDIA GPU"
        advice = CHANGE_RUNTIME if in_colab() else CHANGE_ACCELERATOR if in_kaggle() else elsewhere
        rows = [Finding("GPU", "none", "no GPU: " + advice)]
    elif seen is not None and seen < len(cards):
        advice = "Runtime > Disconnect and delete runtime, then Run all" if in_colab() else "pip install tensorflow[and-cuda]"
        return rows + [Finding("GPUs of TensorFlow", str(seen), "TensorFlow does not see the GPU: " + advice)]
    return rows + [Finding("GPUs of TensorFlow", "-" if seen is None else str(seen))]


def _gpus_of_tensorflow():
    try:
        from ..tf import gpus as tensorflow_gpus

        return len(tensorflow_gpus())
    except Exception:  # said in the row about TensorFlow
        return None


def _memory():
    memory = memory_bytes()
    if memory is None:
        return Finding("Memory", "not known")
    value = f"{size_text(memory[0])}, {size_text(memory[1])} free, {os.cpu_count()} processors"
    return Finding("Memory", value, "short: close other notebooks of this machine" if memory[1] < LEAST_RAM else "")


def _disk():
    total, free = disk_bytes("/content" if in_colab() else os.getcwd())
    short = "short: delete what is not needed from this machine's disk" if free < LEAST_DISK else ""
    return Finding("Disk", f"{size_text(total)}, {size_text(free)} free", short)


def _drive(drive):
    state = drive.state()
    problem = {
        "alive": "",
        "absent": "not there yet: run the cell that connects Drive" if drive.is_remote else "not there yet: sg2ada init FOLDER",
        "dead": "its process has died (Errno 107): stop the training cell, which saves, and run the cell that connects Drive",
        "silent": "does not answer: wait a minute; if it stays so, see how many items My Drive holds at its top",
    }[state]
    free = drive.free_bytes() if state == "alive" else None
    if free is not None and free < LEAST_DRIVE:
        problem = "nearly full: delete old runs (sg2ada runs shows their sizes) and empty the trash"
    problem = problem or "; ".join(drive.complaints())
    room = "free space not known" if free is None else f"{size_text(free)} free"
    return Finding("Drive" if drive.is_remote else "Folder", f"{drive.root}: {state}, {room}", problem)


def _workspace(drive):
    root = workspace_root(drive.root)
    there = drive.state() == "alive" and os.path.isfile(os.path.join(root, FILE_NAME))
    return Finding("Workspace", root, "" if there else "not there yet: sg2ada init" + ("" if drive.is_remote else " FOLDER"))


def report(found: Sequence[Finding]) -> List[str]:
    """Return the lines of the table, with the problems and their remedies below it."""
    lines = table([[("!" if one.problem else " ") + one.name, one.value] for one in found])
    problems = [f"{one.name}: {one.problem}" for one in found if one.problem]
    return lines + [""] + (["To do:"] + ["  " + problem for problem in problems] if problems else ["No problems found."])
