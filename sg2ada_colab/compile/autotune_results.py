"""Algorithms that XLA timed on GPUs like this one, shipped with the package; imports no TensorFlow.

A first start spends most of its time on them: each convolution is tried with all that cuDNN offers. The results that XLA writes
name the GPU (clock, cores, memory), the operation and its shapes and, from TensorFlow 2.21 on, the version of cuDNN, and XLA uses
a result only where all of these agree; everything else it times as if there were no results. For those that name no cuDNN the
file's name does, and they are taken where TensorFlow loads that one. The files are `benchmarks/keep_algorithms.py`'s.
"""

import gzip
import os
import re
from typing import Dict, Tuple

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "timed_algorithms")


def file_name(device: str, version: str, cudnn: str = "") -> str:
    """Return the name of the file for a GPU, as nvidia-smi calls it, and a TensorFlow; the format may change with 2.x.

    Args:
        device: Name of the GPU from nvidia-smi.
        version: Of TensorFlow.
        cudnn: Of results that do not name theirs, as those of TensorFlow 2.20; "" for results that do.
    """
    name = "{}-tf{}".format(re.sub(r"[^A-Za-z0-9.]+", "-", device), ".".join(version.split(".")[:2]))
    return name + ("-cudnn" + three_numbers(cudnn) if cudnn else "") + ".pbtxt.gz"


def three_numbers(cudnn: str) -> str:
    """Return a version of cuDNN as XLA names it: "9.19.0.56" is "9.19.0"."""
    return ".".join(cudnn.split(".")[:3])


def shipped(device: str, version: str, cudnn: str = "") -> str:
    """Return the results for a GPU, a TensorFlow and a cuDNN as text, "" where there are none.

    Args:
        device: Name of the GPU from nvidia-smi, such as "NVIDIA H100 80GB HBM3".
        version: Of TensorFlow, such as "2.21.0".
        cudnn: Of cuDNN, such as "9.19.0.56", or several joined by "-", of which one is used: XLA takes those results that name
            it, and results that name none are returned only where all are one version. "" returns those that name theirs.
    """
    there = sorted({three_numbers(one) for one in cudnn.split("-") if one})
    text = shipped_text(file_name(device, version))
    if there:
        text = of_device(text, "DNN version: (?:{})".format("|".join(map(re.escape, there))))
    unnamed = shipped_text(file_name(device, version, there[0])) if len(there) == 1 else ""
    found = merged(text, unnamed)
    return found if count(found) else ""


def shipped_text(name: str) -> str:
    """Return the text of a file that is shipped, "" where there is none of this name."""
    path = os.path.join(FOLDER, name)
    if not os.path.isfile(path):
        return ""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read()


def merged(*texts: str) -> str:
    """Return several files of results as one: of two results for one operation the first, which XLA demands.

    Args:
        texts: In XLA's text format, or empty; what has another version of the format than the first is left out.
    """
    split = [_split(text) for text in texts if text]
    entries: Dict[Tuple[str, ...], str] = {}
    for head, parts in split:
        for part in parts if head == split[0][0] else ():
            entries.setdefault(tuple(re.findall(r"(?m)^  (?:device|hlo|version): .*$", part)), part.rstrip() + "\n")
    return "".join([split[0][0] if split else ""] + list(entries.values()))


def count(text: str) -> int:
    """Return how many results a text holds."""
    return len(_split(text)[1])


def of_device(text: str, pattern: str) -> str:
    """Return the results of a text whose device matches a regular expression, such as "3352 GB/s"."""
    head, parts = _split(text)
    return head + "".join(part for part in parts if re.search(rf'(?m)^  device: ".*(?:{pattern})(?!\d).*"$', part))


def _split(text):
    """Return what stands before the first result, such as "version: 3", and the results."""
    parts = re.split(r"(?m)^(?=results \{$)", text)
    return parts[0], parts[1:]
