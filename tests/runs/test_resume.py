"""A run that is killed and resumed equals one that was not, bit for bit: networks, optimisers, counters, statistics."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs.start import find_snapshot, start
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.tf import IS_TF1
from sg2ada_colab.training.loop import Callback

# One transform alone: its graph is made in half the time, and the draws of all come from the same place.
ADA = {"augpipe": "noise"}
TWO_ROUNDS = {"batch_gpu": 8, "aug": "fixed", "p": 0.4}

# A training process of its own, which kills itself after so many groups of four minibatches (0: never); where a second folder is
# given, it goes on instead, and that folder gets what the kill would have left.
CHILD = """
import os, signal, subprocess, sys
from sg2ada_colab.runs.start import start
from sg2ada_colab.config.train_config import TrainConfig
from sg2ada_colab.training.loop import Callback

class Kill(Callback):
    groups = 0
    def on_group(self, progress):
        self.groups += 1
        if self.groups == int(sys.argv[3]) and len(sys.argv) > 4:
            subprocess.call(["cp", "-r", sys.argv[2], sys.argv[4]])
        elif self.groups == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

config = TrainConfig.from_json(open(sys.argv[1]).read())
resume = bool(os.path.exists(sys.argv[2]) and [n for n in os.listdir(sys.argv[2]) if n.endswith(".pkl")])
sys.exit(start(config, sys.argv[2], resume=resume or None, quiet=True, extra_callbacks=[Kill()]))
"""


class StopAfter(Callback):
    """Asks for a stop after so many groups, as Ctrl-C does, or as a system that shuts down."""

    def __init__(self, groups, number=signal.SIGINT):
        self.left, self.number = groups, number

    def on_group(self, progress):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def child(config, run_dir, tmp_path, kill_after, *left):
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    words = [str(word) for word in (path, run_dir, kill_after, *left)]
    return subprocess.call([sys.executable, "-W", "ignore", "-c", CHILD] + words)


def newest(run_dir):
    """Return the bytes of the newest network pickle, the arrays and the counters of its training state."""
    candidate, _ = find_snapshot(RunStore(run_dir))
    arrays, meta = load_state(candidate.state)
    with open(candidate.pickle, "rb") as file:
        pickle_bytes = file.read()
    return pickle_bytes, arrays, meta


def assert_equal_runs(one, other):
    (pickle_a, arrays_a, meta_a), (pickle_b, arrays_b, meta_b) = newest(one), newest(other)
    assert pickle_a == pickle_b, "the network pickles differ"
    assert sorted(arrays_a) == sorted(arrays_b)
    for name, array in arrays_a.items():
        np.testing.assert_array_equal(array, arrays_b[name], err_msg=name)
    for meta in (meta_a, meta_b):
        meta["counters"].pop("elapsed_s")
        meta.pop("snapshot")
    assert meta_a == meta_b


def statistics(run_dir):
    """Return the lines of stats.jsonl without clock times."""
    with open(str(run_dir / "stats.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    return [{k: v for k, v in line.items() if not k.startswith("Timing/") and k != "timestamp"} for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, kept_programs):
    """Return a function that trains a config once without a disturbance and keeps the folder."""
    done = {}

    def run(config):
        key = config.to_json()
        if key not in done:
            done[key] = tmp_path_factory.mktemp("undisturbed") / "run"
            assert start(config, str(done[key]), quiet=True) == 0
        return done[key]

    return run


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(ADA, id="ada"),
        pytest.param(dict(ADA, **TWO_ROUNDS), id="two rounds, fixed p"),
        pytest.param({"aug": "apa", "initstrength": 0.5, "lecam": 0.1}, id="apa and lecam", marks=pytest.mark.once),
        pytest.param(TWO_ROUNDS, id="whole pipe", marks=pytest.mark.slow),
    ],
)
def test_stopped_and_resumed_equals_undisturbed(options, tiny_config, undisturbed, tmp_path):
    config = tiny_config(**options)
    run = tmp_path / "run"
    assert start(config, str(run), quiet=True, extra_callbacks=[StopAfter(3)]) == 130
    assert newest(run)[2]["nimg"] == 3 * 4 * 16, "the stop did not save the minibatches that were done"
    assert start(config, str(run), resume=True, quiet=True, extra_callbacks=[StopAfter(6, signal.SIGTERM)]) == 130
    assert newest(run)[2]["nimg"] == 9 * 4 * 16
    assert start(config, str(run), resume=True, quiet=True) == 0
    assert_equal_runs(run, undisturbed(config))
    assert statistics(run) == statistics(undisturbed(config))


@pytest.mark.once
def test_sigkilled_and_resumed_equals_undisturbed(tiny_config, undisturbed, tmp_path):
    config = tiny_config(**ADA)
    run = tmp_path / "run"
    assert child(config, run, tmp_path, kill_after=5) == -signal.SIGKILL
    assert child(config, run, tmp_path, kill_after=7) == -signal.SIGKILL
    assert child(config, run, tmp_path, kill_after=0) == 0
    assert_equal_runs(run, undisturbed(config))
    assert statistics(run) == statistics(undisturbed(config))


@pytest.mark.slow
@pytest.mark.skipif(IS_TF1, reason="TF 1.14 has no XLA to switch on")
def test_what_a_kill_leaves_ends_as_undisturbed_under_xla(tiny_config, tmp_path):
    """Each process compiles, which takes long: the one that is not disturbed also stands for the one that is killed."""
    config = tiny_config(no_xla=False, deterministic=True, kimg=1, augpipe="noise")
    run, other = tmp_path / "run", tmp_path / "other"
    assert child(config, other, tmp_path, 9, run) == 0
    assert child(config, run, tmp_path, 0) == 0
    assert "Going on from network-snapshot-000000" in (run / "log.txt").read_text(encoding="utf-8")
    assert_equal_runs(run, other)


@pytest.mark.once
def test_the_seed_changes_the_run(tiny_config, undisturbed, tmp_path):
    other = tiny_config(seed=77, **ADA)
    assert newest(undisturbed(other))[0] != newest(undisturbed(tiny_config(**ADA)))[0]


def test_run_folder_holds_what_it_should(tiny_config, undisturbed):
    run = undisturbed(tiny_config(**ADA))
    names = sorted(os.path.basename(path) for path in glob.glob(str(run / "*")))
    for expected in (
        "fakes000000.png",
        "fakes000001.png",
        "fakes_init.png",
        "log.txt",
        "manifest.json",
        "network-snapshot-000001.pkl",
        "reals.png",
        "stats.jsonl",
        "training-state-000001.npz",
        "training_options.json",
    ):
        assert expected in names
    assert any(name.startswith("events.out.tfevents.") for name in names)
    ticks = [line for line in (run / "log.txt").read_text().splitlines() if line.startswith("tick ")]
    assert ticks[0].startswith("tick 0     kimg 0.1      time ") and " augment 0." in ticks[0]
    assert [line.split()[1] for line in ticks] == ["0", "1", "2", "3", "4"]


def test_a_finished_run_is_left_as_it_is(tiny_config, undisturbed, tmp_path):
    config, run = tiny_config(**ADA), tmp_path / "run"
    shutil.copytree(str(undisturbed(config)), str(run))
    names = sorted(os.listdir(run))
    assert start(config, run, resume=True, quiet=True) == 0
    assert sorted(os.listdir(run)) == names
    assert "The run has trained for its 1 kimg" in (run / "log.txt").read_text(encoding="utf-8")


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(UserError, match="no snapshot to go on from") as info:
        find_snapshot(RunStore(tmp_path))
    assert "sg2ada train" in info.value.next_step
