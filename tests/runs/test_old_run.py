"""A run that an older version began is gone on with: its state comes back bit for bit, and the next steps are its own.

tests/data/run_d2344e7 was written by commit d2344e7: `run` stopped in the middle of a tick, `went_on` is what that version made
of it with three more groups of four minibatches (and of its statistics).
"""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.config.options_file import read_config, read_run_id
from sg2ada_colab.formats.network_pickle import read_network_pickle
from sg2ada_colab.runs.start import start
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.training.loop import Callback

OLD = Path(__file__).parents[1] / "data" / "run_d2344e7"
BEFORE, AFTER = "000000-2", "000000-3"
# On the TensorFlow that wrote it (2.21) the steps agree bit for bit; sums of another TensorFlow or processor end in other bits
# (1.14: 3e-6 after twelve steps). So what is restored or counted is compared exactly, and what is trained within this.
TOLERANCE = 3e-5  # of the largest value of each array


class StopAfter(Callback):
    """Keeps what was restored, and asks for a stop after so many groups, as Ctrl-C does."""

    def __init__(self, groups):
        self.left = groups

    def on_start(self, progress):
        self.networks, self.arrays, self.meta = progress.state.save()

    def on_group(self, progress):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def old_run(tmp_path, monkeypatch):
    """Return the folder of a copy of the old run, beside its dataset, which its options name relatively."""
    shutil.copytree(str(OLD), str(tmp_path / "old"))
    monkeypatch.chdir(tmp_path / "old")
    return tmp_path / "old" / "run"


def statistics(path):
    """Return the lines of stats.jsonl without clock times."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("Timing/") and k != "timestamp"} for line in lines]


def networks(path):
    snapshot = read_network_pickle(str(path))
    return {name: getattr(snapshot, name).variables for name in ("G", "D", "Gs")}


def assert_same_bits(got, expected):
    assert sorted(got) == sorted(expected)
    for name in expected:
        assert np.asarray(got[name]).tobytes() == np.asarray(expected[name]).tobytes(), name


def without_clock(meta):
    """Return a state's counters without what the clock and the identity of the run put there."""
    counters = {name: value for name, value in meta["counters"].items() if name != "elapsed_s"}
    return {"counters": counters, "nimg": meta["nimg"], "means": sorted(meta["means"])}


def test_an_old_run_goes_on_with_its_own_state_and_its_own_steps(old_run, relmax):
    arrays, meta = load_state(old_run / f"training-state-{BEFORE}.npz")
    watch = StopAfter(3)
    assert start(read_config(str(old_run)), str(old_run), resume=True, quiet=True, extra_callbacks=[watch]) == 130
    assert_same_bits(watch.arrays, arrays)
    assert watch.meta == {name: meta[name] for name in ("counters", "controller", "nimg", "means")}
    for name, variables in networks(old_run / f"network-snapshot-{BEFORE}.pkl").items():
        assert_same_bits(watch.networks[name], variables)

    expected, expected_meta = load_state(OLD / "went_on" / f"training-state-{AFTER}.npz")
    got, got_meta = load_state(old_run / f"training-state-{AFTER}.npz")
    assert without_clock(got_meta) == without_clock(expected_meta) and got_meta["nimg"] == 288
    assert sorted(got) == sorted(expected)
    differences = {name: relmax(got[name], expected[name]) for name in expected}
    before, went_on = (networks(place / f"network-snapshot-{AFTER}.pkl") for place in (old_run, OLD / "went_on"))
    for name, variables in went_on.items():
        differences.update({f"{name}/{key}": relmax(before[name][key], value) for key, value in variables.items()})
    assert max(differences.values()) <= TOLERANCE, max(differences.items(), key=lambda one: one[1])
    for line, other in zip(statistics(old_run / "stats.jsonl"), statistics(OLD / "went_on" / "stats.jsonl")):
        assert sorted(line) == sorted(other)
        for name, value in other.items():
            assert line[name] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), name
    assert len(statistics(old_run / "stats.jsonl")) == 3
    run_id = read_run_id(str(old_run))  # it has got an identity at this resume
    assert run_id and got_meta["snapshot"]["run_id"] == run_id == RunStore(old_run).run_id
    assert newest_good([old_run]).candidate.name == AFTER
