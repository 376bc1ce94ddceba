"""A real training process for the crash test: the engine's loop, the run kept on this machine and on the fake Drive.

Run as a program: `python training_child.py CONFIG_JSON LOCAL_RESULTS DRIVE_RESULTS LEDGER`; DRIVE_RESULTS "-" trains without
Drive and notes the digest of the whole state after every four minibatches: the undisturbed run.
"""

import hashlib
import json
import os
import sys

import numpy as np

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import start as start_module
from sg2ada_colab.snapshots.choose import latest_run
from sg2ada_colab.snapshots.keeper import RunKeeper
from sg2ada_colab.snapshots.verified_copy import fetch_run
from sg2ada_colab.training.config import TrainConfig
from sg2ada_colab.training.loop import Callback

RUN = "00000-crash"


def digest_of(state):
    """Return the SHA-256 of everything that training changes but clock times."""
    digest = hashlib.sha256()
    for network in (state.G, state.D, state.Gs):
        for name, value in sorted(network.get_values().items()):
            digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    for name, value in sorted(state.arrays().items()):
        digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    meta = state.meta()
    counters = {name: value for name, value in meta["counters"].items() if name not in ("elapsed_s", "grid_kimg")}
    digest.update(json.dumps([counters, meta["controller"]], sort_keys=True).encode())
    return digest.hexdigest()


class Ledger(Callback):
    """Notes what this process does in a folder outside the machine that may be lost."""

    def __init__(self, folder, every_group):
        self.folder, self.every_group, self.running = folder, every_group, False
        self.progress = open(os.path.join(folder, "progress"), "wb", buffering=0)  # noqa: SIM115  as long as the process

    def write(self, **line):
        with open(os.path.join(self.folder, "ledger.jsonl"), "a") as file:
            file.write(json.dumps(line) + "\n")

    def on_start(self, progress):
        os.pwrite(self.progress.fileno(), b"%12d" % progress.state.counters.nimg, 0)
        self.write(event="begin", at=progress.state.counters.nimg, proof=digest_of(progress.state))

    def on_group(self, progress):
        if not self.running:
            self.write(event="running")
            self.running = True
        os.pwrite(self.progress.fileno(), b"%12d" % progress.state.counters.nimg, 0)
        if self.every_group:
            self.write(event="group", at=progress.state.counters.nimg, proof=digest_of(progress.state))


def main(config_path, local, drive, ledger_folder):
    with open(config_path) as file:
        config = TrainConfig.from_json(file.read())
    ledger = Ledger(ledger_folder, every_group=drive == "-")
    run_dir = os.path.join(local, RUN)
    if drive == "-":
        return start_module.start(config, run_dir, quiet=True, extra_callbacks=[ledger])
    choice = latest_run([local, drive])
    if choice.candidate:
        fetch_run(choice.candidate, local)
    ledger.write(event="chosen", name=choice.candidate and choice.candidate.name, skipped=choice.skipped)

    class Keeper(RunKeeper):
        """The run's keeper in a hurry, which notes what it does."""

        def __init__(self, *places, **options):
            hurry = {"settle_s": 2.0, "first_wait_s": 0.05, "longest_wait_s": 0.5, "logs_every_s": 2.0}
            options["say"] = lambda sentence: ledger.write(event="say", sentence=sentence)
            super().__init__(*places, **dict(options, **hurry))

        def _written(self):
            ledger.write(event="written", at=self.store.snapshots()[-1].nimg)
            super()._written()

    start_module.RunKeeper = Keeper
    resume = True if choice.candidate else None
    return start_module.start(
        config, run_dir, resume=resume, quiet=True, drive_dir=os.path.join(drive, RUN), extra_callbacks=[ledger]
    )


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except UserError as error:
        Ledger(sys.argv[4], False).write(event="refused", text=str(error))
        sys.exit(1)
