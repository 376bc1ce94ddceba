"""A run that is kept on Drive: what is told about room, training that goes on while Drive is gone, what is there at the end."""

import os
import re

import pytest

from sg2ada_colab.runs import start as start_module
from sg2ada_colab.runs.start import start
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.training.loop import Callback


class Hurried(RunKeeper):
    """The run's keeper with the patience of a test."""

    def __init__(self, *places, **options):
        super().__init__(*places, **dict(options, settle_s=0, first_wait_s=0.05, longest_wait_s=0.2))


class Outage(Callback):
    """Takes Drive away after so many groups, as a mount that dies, and brings it back after some more."""

    def __init__(self, results, gone, back):
        self.results, self.behind, self.gone, self.back, self.groups = results, str(results) + "-gone", gone, back, 0

    def on_group(self, progress):
        self.groups += 1
        if self.groups == self.gone:
            os.rename(str(self.results), self.behind)
        if self.groups == self.back:
            assert not self.results.exists(), "something was written where the mount was"
            os.rename(self.behind, str(self.results))


@pytest.mark.slow
def test_training_goes_on_while_drive_is_gone_and_the_run_is_whole_there_at_the_end(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(start_module, "RunKeeper", Hurried)
    here, there = tmp_path / "here" / "00000-run", tmp_path / "drive" / "results" / "00000-run"
    there.parent.mkdir(parents=True)
    config = tiny_config(snap_minutes=0.001, aug="noaug")
    outage = Outage(there.parent, gone=4, back=14)
    assert start(config, str(here), quiet=True, drive_dir=str(there), extra_callbacks=[outage]) == 0
    log = (here / "log.txt").read_text()
    assert re.search(r"This run will take about \d+\.\d MB more on Drive; how much is free there cannot be read\.", log)
    assert "Drive is not mounted. Training goes on" in log and "Drive works again" in log
    assert newest_good([there]).candidate.name == newest_good([here]).candidate.name
    assert newest_good([there]).candidate.verified_by == "digest" and newest_good([there]).candidate.kimg == 1
    for name in ("stats.jsonl", "training_options.json", "reals.png", "fakes_init.png"):
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    assert not (there / "lease.json").exists() and len(RunStore(there).snapshots()) <= 3
