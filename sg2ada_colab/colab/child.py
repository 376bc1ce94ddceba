"""The training process that a notebook watches: `python -m sg2ada_colab.colab.child JOB`, told and heard through small files."""

import json
import os
import sys
from contextlib import suppress
from typing import Any, Mapping

from ..compile.cache import use_for_run
from ..config.train_config import TrainConfig
from ..errors import UserError
from ..files import write_text
from ..processes import end_with_parent
from ..runs.cluster import find_cluster
from ..runs.launch import Job, launch
from ..storage.choose import Candidate
from ..system_errors import user_error

JOB_FILE, PULSE_FILE, OUTCOME_FILE = "job.json", "pulse.json", "outcome.json"
USER_ERROR = 1


def main(folder: str) -> int:
    """Train what a job folder asks for; return the exit code as `sg2ada train` does."""
    end_with_parent()
    with open(os.path.join(folder, JOB_FILE), encoding="utf-8") as file:
        job = json.load(file)
    try:
        return train(job, folder)
    except UserError as error:
        return report(error, folder)
    except OSError as error:
        return report(user_error(error), folder)


def report(error: UserError, folder: str) -> int:
    """Tell the notebook of a UserError; return the exit code."""
    words = {"what": error.what, "expected": error.expected, "next_step": error.next_step}
    with suppress(OSError):  # the disk may be what is full
        write_text(os.path.join(folder, OUTCOME_FILE), json.dumps(words))
    print(f"Error: {error}", file=sys.stderr)
    return USER_ERROR


def train(job: Mapping[str, Any], folder: str) -> int:
    """Train, here or in a process a GPU; the imports of TensorFlow happen here."""
    config, pulse = TrainConfig.from_dict(job["config"]), os.path.join(folder, PULSE_FILE)
    candidate = Candidate.from_dict(job["resume"]) if job["resume"] else None
    cluster, _ = find_cluster(config, job.get("gpus", 1))
    if cluster is not None:
        return launch(Job(config, job["run_dir"], job["drive_dir"], candidate, quiet=True, pulse=pulse), cluster)
    cache = use_for_run(config.engine.xla, config.engine.deterministic, job["drive_dir"])
    from ..runs.pulse import Pulse
    from ..runs.start import start

    return start(
        config, job["run_dir"], resume=candidate, quiet=True, drive_dir=job["drive_dir"], extra_callbacks=[Pulse(pulse)],
        cache=cache,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
