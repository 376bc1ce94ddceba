"""The verbs init, runs and doctor."""

import argparse
import json

import numpy as np
import pytest

from sg2ada_colab.cli import workspace
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.store import RunStore


def run(*words):
    parser = argparse.ArgumentParser()
    workspace.register(parser.add_subparsers())
    args = parser.parse_args([str(word) for word in words])
    return args.run(args)


def test_init_makes_the_tree_and_says_where(tmp_path, capsys):
    assert not run("init", tmp_path)
    root = tmp_path / "colab-sg2-ada" / "stylegan2-ada"
    assert (root / "datasets").is_dir() and (root / "workspace.json").is_file()
    assert str(root / "results") in capsys.readouterr().out


def fill(results):
    store = RunStore(results / "00000-faces-auto1")
    for kimg in (4, 8):
        store.write_snapshot_async(kimg, lambda file: file.write(b"x" * 5_000_000), {"w": np.zeros(3)}, {"nimg": kimg * 1000})
        store.wait()
    store.note_metric("000004", "fid50k_full", 31.256)
    (results / "00000-faces-auto1" / "training_options.json").write_text(json.dumps({"total_kimg": 25000}))
    (results / "00001-faces-auto1").mkdir()
    metric = "network-snapshot-000004 time 1m 02s fid5k 77.5\nnetwork-snapshot-000008 time 1m 02s fid5k 70.1234\n"
    (results / "00001-faces-auto1" / "metric-fid5k.txt").write_text(metric)


def test_runs_shows_one_line_a_run(tmp_path, capsys):
    run("init", tmp_path)
    results = tmp_path / "colab-sg2-ada" / "stylegan2-ada" / "results"
    run("runs", tmp_path)
    assert "There are no runs yet" in capsys.readouterr().out
    fill(results)
    for folder in (tmp_path, results):  # the workspace, or a folder of runs
        run("runs", folder)
        head, first, second = capsys.readouterr().out.splitlines()
        assert head.split() == ["run", "snapshots", "kimg", "best", "here", "Drive", "state"]
        words = "00000-faces-auto1 2 8 of 25000 fid50k_full 31.26 10.0 MB - can go on"
        assert first.split() == words.split()
        assert second.split()[:5] == ["00001-faces-auto1", "0", "-", "fid5k", "70.12"] and second.endswith("no snapshot")


def test_runs_without_a_workspace(tmp_path):
    with pytest.raises(UserError, match="no workspace") as error:
        run("runs", tmp_path)
    assert "sg2ada init" in error.value.next_step


def test_doctor_prints_its_table(tmp_path, capsys, monkeypatch):
    from sg2ada_colab.colab import doctor

    monkeypatch.setattr(doctor, "_tensorflow", lambda: doctor.Finding("TensorFlow", "2.20.0"))
    monkeypatch.setattr(doctor, "_gpus_of_tensorflow", lambda: 0)
    run("init", tmp_path)
    run("doctor", tmp_path)
    out = capsys.readouterr().out
    assert "TensorFlow" in out and "Workspace" in out
