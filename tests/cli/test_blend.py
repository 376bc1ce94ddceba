"""The verbs `blend` and `average` as a person types them."""

import os

import numpy as np
import pytest

from sg2ada_colab.__main__ import main
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture
def files(tmp_path):
    run = tmp_path / "00000-cats"
    run.mkdir()
    for seed, kimg in enumerate((4, 8, 12)):
        write_network_pickle(str(run / f"network-snapshot-{kimg:06d}.pkl"), small_snapshot(seed))
    return run


def test_blend_writes_a_network_that_reads(files, tmp_path, capsys):
    out = str(tmp_path / "blended.pkl")
    lower, higher = str(files / "network-snapshot-000004.pkl"), str(files / "network-snapshot-000008.pkl")
    assert main(["blend", lower, higher, "--split=8", "--width=0.5", "--out", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Wrote {out}"
    made, mapping = read_snapshot(out), "mapping/Dense0/weight"
    assert np.array_equal(made.Gs.variables[mapping], small_snapshot(0).Gs.variables[mapping])
    assert main(["blend", lower, higher, "--split=8", "--out", out]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["blend", lower, higher, "--split=7", "--out", out, "--force"]) == 1
    assert "The split is at 7" in capsys.readouterr().err and read_snapshot(out)


def test_average_of_the_newest_of_a_run_and_of_files_in_any_order(files, tmp_path, capsys):
    name = "synthesis/8x8/Conv1/weight"
    assert main(["average", str(files), "--last=2", "--out", str(tmp_path / "a.pkl")]) == 0
    mean = (small_snapshot(1).Gs.variables[name] + small_snapshot(2).Gs.variables[name]) / 2
    assert np.abs(read_snapshot(tmp_path / "a.pkl").Gs.variables[name] - mean).max() < 1e-6
    pickles = sorted(os.path.join(str(files), one) for one in os.listdir(str(files)))
    assert main(["average", pickles[2], pickles[1], "--out", str(tmp_path / "b.pkl")]) == 0
    assert np.array_equal(
        read_snapshot(tmp_path / "b.pkl").D.variables["Output/bias"], small_snapshot(2).D.variables["Output/bias"]
    )
    assert "D of " + pickles[2] in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["--last=1"], "--last=1 is given with"),
        (["--out=x.onnx"], "The name x.onnx does not say in which format to write"),
        (["--out=nowhere/x.pkl", "--last=2"], "There is no folder"),
    ],
)
def test_bad_input(files, tmp_path, capsys, words, message):
    words = words if any("--out" in word for word in words) else words + ["--out", str(tmp_path / "x.pkl")]
    assert main(["average", str(files)] + words) == 1
    assert message in capsys.readouterr().err
