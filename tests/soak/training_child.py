"""A real training process for the crash test: the engine's loop, the run kept on this machine and on the fake Drive.

`main` is what a child process runs; with "-" in place of Drive's folder it trains without Drive and notes the digest of the
whole state after every four minibatches: the undisturbed run.
"""

import hashlib
import json
import os

import numpy as np
from ledger import Ledger
from telling_copier import let_copiers_tell

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


class Witness(Callback):
    """Notes in the ledger where training begins, and how far it is."""

    def __init__(self, ledger, every_group):
        self.ledger, self.every_group, self.running = ledger, every_group, False

    def on_start(self, progress):
        self.ledger.progress(progress.state.counters.nimg)
        self.ledger.write(event="begin", at=progress.state.counters.nimg, proof=digest_of(progress.state))

    def on_group(self, progress):
        if not self.running:
            self.ledger.write(event="running")
            self.running = True
        self.ledger.progress(progress.state.counters.nimg)
        proof = {"proof": digest_of(progress.state)} if self.every_group else {}
        self.ledger.write(event="group", at=progress.state.counters.nimg, **proof)


def keeper_that_tells(ledger):
    """Return a `RunKeeper` in a hurry, which notes what it does."""

    class Keeper(RunKeeper):
        def __init__(self, *places, **options):
            hurry = {"settle_s": 2.0, "first_wait_s": 0.05, "longest_wait_s": 0.5, "logs_every_s": 2.0}
            options["say"] = lambda sentence: ledger.write(event="say", sentence=sentence)
            super().__init__(*places, **dict(options, **hurry))
            self._write = self.store.write_snapshot_async
            self.store.write_snapshot_async = self._tell_and_write

        def _tell_and_write(self, kimg, write_pickle, arrays, meta):
            self.store.wait()
            ledger.write(event="copied", at=meta["nimg"])
            self._write(kimg, write_pickle, arrays, meta)

        def _written(self):
            ledger.write(event="written", at=self.store.snapshots()[-1].nimg)
            super()._written()

    return Keeper


def main(config_path, local, drive, ledger_folder):
    ledger = Ledger(ledger_folder)
    let_copiers_tell(ledger, lambda record: record.nimg)
    try:
        return train(config_path, local, drive, ledger)
    except UserError as error:
        ledger.write(event="refused", text=str(error))
        return 1


def train(config_path, local, drive, ledger):
    """Choose, fetch and go on, as the notebooks do; return the exit code."""
    with open(config_path) as file:
        config = TrainConfig.from_json(file.read())
    run_dir, witness = os.path.join(local, RUN), [Witness(ledger, every_group=drive == "-")]
    if drive == "-":
        return start_module.start(config, run_dir, quiet=True, extra_callbacks=witness)
    choice = latest_run([local, drive])
    if choice.candidate:
        fetch_run(choice.candidate, local)
    ledger.write(event="chosen", name=choice.candidate and choice.candidate.name, skipped=choice.skipped)
    start_module.RunKeeper = keeper_that_tells(ledger)
    resume, drive_dir = True if choice.candidate else None, os.path.join(drive, RUN)
    return start_module.start(config, run_dir, resume=resume, quiet=True, drive_dir=drive_dir, extra_callbacks=witness)
