"""One process of a run on several devices: `python -m sg2ada_colab.runs.rank FOLDER INDEX PIPE`, started by `launch`."""

import json
import os
import sys
from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from ..errors import UserError
from ..files import write_text
from ..native_log import filtered
from ..processes import end_with_parent
from ..system_errors import user_error
from .launch import JOB_FILE, LOST, OUT_OF_MEMORY, OUTCOME_FILE, REFUSED
from .signs import ASIDE, BEGUN, GROUP, JOINED, Sender

if TYPE_CHECKING:
    from ..training.loop import Callback

SAVE_S = 60.0  # to save and end, once the launcher is gone


def main(folder: str, index: str, descriptor: str) -> int:
    """Train what the job in a folder says; return the exit code."""
    signs = Sender(int(descriptor))
    end_with_parent(SAVE_S)
    with open(os.path.join(folder, JOB_FILE), encoding="utf-8") as file:
        job = json.load(file)
    outcome = os.path.join(folder, OUTCOME_FILE.format(index))
    try:
        with filtered(job["quiet"]):
            return train(job, int(index), signs)
    except UserError as error:
        return refuse(error, outcome)
    except OSError as error:
        return refuse(user_error(error), outcome)


def refuse(error: UserError, path: str) -> int:
    """Write down a UserError for the launcher, which shows it; return the exit code."""
    write_text(path, json.dumps({"what": error.what, "expected": error.expected, "next_step": error.next_step}))
    return OUT_OF_MEMORY if type(error.__cause__).__name__ == "ResourceExhaustedError" else REFUSED


def train(job: Mapping[str, Any], index: int, signs: Sender) -> int:
    """Join the other processes and train; the imports of TensorFlow happen here."""
    from ..compile.cache import use_for_run
    from ..config.train_config import TrainConfig
    from ..storage.choose import Candidate

    config = TrainConfig.from_dict(job["config"])
    cache = use_for_run(config.engine.xla, config.engine.deterministic, job["drive_dir"], leads=index in job["leaders"])
    from ..tf import tf
    from ..training.ranks import OtherRankEnded, join
    from .start import start

    candidate = Candidate.from_dict(job["resume"]) if job["resume"] else None
    try:
        ranks = join()
        signs.send(JOINED)
        return start(
            config, job["run_dir"], resume=candidate, quiet=job["quiet"] or index > 0, drive_dir=job["drive_dir"],
            extra_callbacks=callbacks(signs, job["pulse"] if index == 0 else None), cache=cache, ranks=ranks,
        )  # fmt: skip
    except (tf.errors.OpError, OtherRankEnded) as error:
        return lost(error)


def callbacks(signs: Sender, pulse: Optional[str]) -> "List[Callback]":
    """Return the Callbacks that tell the launcher, and a notebook, where this process stands."""
    from ..training.loop import Callback
    from .pulse import Pulse

    class Signs(Callback):
        def on_start(self, progress):
            signs.send(BEGUN)

        def on_group(self, progress):
            signs.send(GROUP)

        def on_tick(self, progress):
            signs.send(ASIDE)

        def on_end(self, progress):
            signs.send(ASIDE)

    return [Signs()] + ([Pulse(pulse)] if pulse else [])


def lost(error: Exception) -> int:
    """Say what TensorFlow says of a connection that failed; return the exit code.

    Raises:
        UserError: NCCL, by which GPUs exchange gradients, does not work here.
    """
    said = " ".join(str(error).split())[:500]
    if "nccl" in said.lower():
        raise UserError(
            f"NCCL, by which several GPUs exchange their gradients, fails: {said}",
            "a TensorFlow with NCCL, GPUs of one kind, and enough shared memory (/dev/shm)",
            "look for the reason with NCCL_DEBUG=INFO, or train on one GPU: --gpus=1",
        ) from error
    print(f"{type(error).__name__}: {said}", file=sys.stderr)
    return LOST


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
