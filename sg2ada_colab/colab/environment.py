"""Environments: other Pythons with another TensorFlow beside this one, where they lie, and how a process runs in them."""

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from typing import Dict, Optional

from ..errors import UserError
from ..files import write_text
from ..json_files import read_json
from ..machine import cache_folder, compute_capability, gpus
from ..processes import search_path

RECORD = "environment.json"  # in an environment's folder, written last: what it holds
MAKING = "being-made.json"  # in its place until then
NAMES = {"tf114": "TensorFlow 1.14 on Python 3.7, with CUDA 10.0"}
NEWEST_CAPABILITY = 7.5  # of the cards that CUDA 10.0, which TensorFlow 1.14 is built for, knows: Turing
# Where nvidia-smi does not tell: names of the cards that Colab and Kaggle lend, and of the generations after Turing.
NEWER_CARDS = re.compile(r"\b(L4|L40S?|A\d{1,2}|A\d00|H\d00|GH200|B\d00|RTX PRO|RTX A\d+|RTX [3-9]0\d\d|Ada|Ampere|Blackwell)\b")
SHAPE = {"name": str, "python": str, "tensorflow": str, "library": str}


@dataclass(frozen=True)
class Environment:
    """A Python with a TensorFlow of its own."""

    name: str
    python: str  # path of its interpreter
    tensorflow: str  # the package: "tensorflow-gpu", or "tensorflow" for the processor
    library: str  # digest of this library as it is installed there; "" where it comes from a checkout

    @property
    def uses_gpu(self) -> bool:
        return self.tensorflow.endswith("-gpu")

    @property
    def prefix(self) -> str:
        return os.path.dirname(os.path.dirname(self.python))

    def variables(self) -> Dict[str, Optional[str]]:
        """Return the environment variables of a process in it, for `ChildProcess`; what belongs to this Python is left out."""
        libraries = [os.path.join(self.prefix, "lib")] + [path for path in [os.environ.get("LD_LIBRARY_PATH")] if path]
        found = {
            "PYTHONPATH": search_path(others=False), "PYTHONHOME": None, "PYTHONNOUSERSITE": "1",
            "MPLBACKEND": "agg", "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        }  # fmt: skip
        return found if self.uses_gpu else dict(found, CUDA_VISIBLE_DEVICES="-1")

    def save(self) -> None:
        """Write down that it is complete."""
        write_text(os.path.join(environment_folder(self.name), RECORD), json.dumps(asdict(self), indent=1) + "\n")


def environment_folder(name: str) -> str:
    """Return where an environment lies, or would.

    Raises:
        UserError: There is no environment of this name to make.
    """
    if name not in NAMES:
        known = "; ".join(f"{key} ({what})" for key, what in NAMES.items())
        raise UserError(f"There is no environment {name!r}.", known, "sg2ada env create tf114")
    return os.path.join(cache_folder(), "envs", name)


def find_environment(name: str) -> Optional[Environment]:
    """Return the `Environment` of a name, or None where it is not there or not complete."""
    try:
        record = read_json(os.path.join(environment_folder(name), RECORD), SHAPE)
    except (OSError, ValueError):
        return None
    found = Environment(*[record[key] for key in SHAPE])
    return found if os.access(found.python, os.X_OK) else None


def remove_environment(name: str) -> bool:
    """Delete an environment, complete or not; return whether there was one.

    Raises:
        UserError: The folder holds something else.
    """
    folder = environment_folder(name)
    if not os.path.lexists(folder):
        return False
    if os.path.islink(folder) or not any(os.path.isfile(os.path.join(folder, mark)) for mark in (RECORD, MAKING)):
        raise UserError(
            f"{folder} is not an environment of this program.", f"a folder with {RECORD}", "look at it, and delete it by hand"
        )
    shutil.rmtree(folder)
    return True


def card_for_cuda_10() -> Optional[str]:
    """Return the name of the first GPU, or None without any.

    Raises:
        UserError: It is newer than CUDA 10.0.
    """
    cards = gpus()
    if not cards:
        return None
    name, capability = cards[0]["name"], compute_capability()
    if capability is None and not NEWER_CARDS.search(name):
        return name
    if capability is not None and capability <= NEWEST_CAPABILITY:
        return name
    number = f", of compute capability {capability}," if capability is not None else ""
    raise UserError(
        f"TensorFlow 1.14 cannot use this machine's GPU: the {name}{number} is newer than its CUDA 10.0.",
        "a T4, or an older card such as V100, P100 or RTX 2080: CUDA 10.0 knows none newer",
        "train with TensorFlow 2, which uses every card (leave runtime empty); or Runtime > Change runtime type > T4 GPU; or "
        "use the processor alone: sg2ada env create tf114 --cpu",
    )
