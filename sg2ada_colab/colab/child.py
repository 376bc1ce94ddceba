"""The training process that a notebook watches: `python -m sg2ada_colab.colab.child JOB`, told and heard through small files."""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from ..errors import UserError
from ..snapshots.atomic import write_text

JOB_FILE, PULSE_FILE, OUTCOME_FILE = "job.json", "pulse.json", "outcome.json"
PULSE_EVERY_S = 1.0
USER_ERROR = 1


def main(folder):
    """Train what a job folder asks for; return the exit code as `sg2ada train` does."""
    end_with_parent()
    with open(os.path.join(folder, JOB_FILE), encoding="utf-8") as file:
        job = json.load(file)
    try:
        return train(job, folder)
    except UserError as error:
        words = {"what": error.what, "expected": error.expected, "next_step": error.next_step}
        write_text(os.path.join(folder, OUTCOME_FILE), json.dumps(words))
        print("Error: {}".format(error), file=sys.stderr)
        return USER_ERROR


def train(job, folder):
    """Train; the imports of TensorFlow happen here."""
    from ..runs import compile_cache

    if job["config"].get("xla", True):
        compile_cache.use(drive=os.path.join(os.path.dirname(job["drive_dir"]), "compiled") if job["drive_dir"] else None)
        if job["config"].get("deterministic"):
            compile_cache.prefer_fast_deterministic_scatters()
    from ..runs.start import start
    from ..training.config import TrainConfig

    pulse = pulse_callback(os.path.join(folder, PULSE_FILE))
    return start(
        TrainConfig.from_dict(job["config"]), job["run_dir"], resume=job["resume"] or None, quiet=True,
        drive_dir=job["drive_dir"], extra_callbacks=[pulse],
    )  # fmt: skip


def pulse_callback(path):
    """Return a Callback that tells where training stands, at most once a second."""
    from ..training.loop import Callback

    class Pulse(Callback):
        def __init__(self):
            self.written = 0.0

        def on_start(self, progress):
            self.write(progress)

        def on_group(self, progress):
            if progress.done or time.time() - self.written >= PULSE_EVERY_S:
                self.write(progress)

        def write(self, progress):
            self.written = time.time()
            kimg, speed = progress.state.counters.nimg / 1000, progress.images_per_second
            pulse = {"kimg": kimg, "images_per_second": speed, "session_s": progress.session_s, "time": self.written}
            with suppress(OSError):  # a full disk: the run itself says so
                write_text(path, json.dumps(pulse))

    return Pulse()


def end_with_parent():
    """Ask this process to save and end when the notebook's kernel is gone: then its end of the pipe closes."""

    def wait():
        try:
            while os.read(0, 1024):
                pass
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
