"""Kaggle's notebooks: what is kept of them, what earlier versions and uploads left as inputs, when training must end."""

import os
from typing import Any, Callable, List, Optional

from ..files import FilePath
from ..machine import in_kaggle, input_folders

SPARE_S = 900.0  # before the session's end: to save a snapshot, and for Kaggle to store the output
KEPT = (
    "Only /kaggle/working is kept, and only once a version is saved.",
    "Save Version (top right) > Save & Run All runs this notebook again without you and keeps its output; training ends there in "
    "time by itself. To go on later: Add Input > Notebook Output of that version; the training cell finds the run under "
    "/kaggle/input and copies it to /kaggle/working. Within this notebook: Session options > Persistence > Files only.",
)


def input_path(name: FilePath) -> Optional[str]:
    """Return the path of an input by its name, such as photos for /kaggle/input/photos or …/datasets/OWNER/photos; else None."""
    name = str(name).strip("/")
    return next(iter(input_folders(name)), None) if name and name != os.curdir else None


def is_batch() -> bool:
    """Return whether this is a version that Kaggle runs by itself, which keeps nothing if it is cut off."""
    return in_kaggle() and os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Batch"


def ending_in_time(look: Callable[[], Any], left_s: Callable[[], Optional[float]]) -> Callable[[], Any]:
    """Return a callable that looks, and interrupts once when the session of a saved version is about to end.

    Args:
        look: Callable without arguments.
        left_s: Callable that returns the seconds that are left, or None.
    """
    interrupted: List[bool] = []

    def look_in_time():
        look()
        left = left_s() if is_batch() and not interrupted else None
        if left is not None and left < SPARE_S:
            interrupted.append(True)
            print("The session ends soon: training stops and saves, so that Kaggle keeps the output.")
            raise KeyboardInterrupt

    return look_in_time
