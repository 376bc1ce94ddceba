"""A real training process for the crash test: the engine's loop, the run kept on this machine and on the fake Drive.

`main` is what a child process runs; with "-" in place of Drive's folder it trains without Drive and notes the digest of the
whole state after every four minibatches: the undisturbed run.
"""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
from ledger import Ledger
from telling_copier import let_copiers_tell

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.train_config import TrainConfig
from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import start as start_module
from sg2ada_colab.runs.plan import bring_here, plan_run
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.places import Places
from sg2ada_colab.training.loop import Callback

RUN = "00000-crash"


def digest_of(state):
    """Return the SHA-256 of everything that training changes but clock times."""
    digest = hashlib.sha256()
    networks, arrays, meta = state.save()
    for values in list(networks.values()) + [arrays]:
        for name, value in sorted(values.items()):
            digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
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
    witness = [Witness(ledger, every_group=drive == "-")]
    if drive == "-":
        return start_module.start(config, os.path.join(local, RUN), quiet=True, extra_callbacks=witness)
    plan = bring_here(plan_in(local, drive, replace(TrainOptions(**config.options), outdir=local)))
    ledger.write(event="chosen", name=plan.candidate and plan.candidate.name, skipped=plan.sentences)
    start_module.RunKeeper = keeper_that_tells(ledger)
    return start_module.start(
        plan.config, plan.run_dir, plan.candidate, quiet=True, drive_dir=plan.drive_dir, extra_callbacks=witness, store=plan.store
    )


def plan_in(local, drive, options):
    """Return the plan of the run, which begins again where nothing that is left of it is complete; the test judges whether so."""
    places = Places((local, drive), RUN, drive)
    try:
        return plan_run(options, places)
    except UserError as error:
        if "has no snapshot to go on from" not in error.what:
            raise
        return plan_run(options, places, new_run=True)
