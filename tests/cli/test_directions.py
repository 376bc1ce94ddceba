"""`sg2ada directions` as a person types it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import main

DATA = Path(__file__).parents[1] / "data"
NETWORK = str(DATA / "network_tf_uncond.pkl")
SOURCE = ["--network", NETWORK, "--no-xla"]


def test_find_name_and_apply(tmp_path, capsys):
    ways, look = str(tmp_path / "ways.npz"), str(tmp_path / "ways.png")
    assert main(["directions", "find", *SOURCE, "--count=3", "--layers=0-3", "--out", ways, "--look", look]) == 0
    assert Image.open(look).size == (5 * 32, 3 * 32)
    assert main(["directions", "find", *SOURCE, "--method=pca", "--count=1", "--out", ways]) == 0
    assert main(["directions", "between", *SOURCE, "--these=1,5", "--those=2", "--name=bright", "--out", ways]) == 0
    assert main(["directions", "rename", "--file", ways, "weights1", "more stripes"]) == 0
    capsys.readouterr()
    for source in ([], SOURCE):  # a file of directions can be read without its network
        assert main(["directions", "list", *source, "--file", ways]) == 0
        listed = [line.split("  ")[0].strip() for line in capsys.readouterr().out.splitlines()]
        assert listed == ["Name", "weights0", "more stripes", "weights2", "pca0", "bright"]
    out = tmp_path / "out"
    words = ["--file", ways, "--direction=more stripes,bright", "--strengths=-1,1", "--seeds=2", "--outdir", str(out)]
    assert main(["directions", "apply", *SOURCE, *words]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "grid.png",
        *[f"seed0002-{end}.png" for end in ("bright+1", "bright-1", "more_stripes+1", "more_stripes-1")],
    ]
    assert not np.array_equal(*(np.asarray(Image.open(str(out / f"seed0002-bright{end}.png"))) for end in ("+1", "-1")))
    words[1:2] = [ways]
    other = ["--network", str(DATA / "network_pt_uncond.pkl"), "--no-xla"]
    main(["directions", "list", *other, "--file", ways])
    assert "were found in another network" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["find", "--out=x.txt"], "Directions cannot be written to x.txt"),
        (["find", "--out=x.npz", "--method=magic"], "There is no method 'magic'"),
        (["find", "--out=x.npz", "--layers=9"], "The network has no layers '9'"),
        (["between", "--out=x.npz", "--these=1", "--those=1", "--name=a"], "The seeds 1 are in both groups"),
        (["apply", "--file=gone.npz", "--direction=a", "--outdir=o"], "There is no file gone.npz"),
        (["apply", "--file=a", "--direction=a", "--outdir=o", "--strengths=x"], "'x' is not a list of strengths"),
        (["apply", "--file=a", "--direction=a", "--outdir=o", "--seeds=1", "--projected-w=b"], "are given together"),
    ],
)
def test_bad_input(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["directions", words[0], *SOURCE, *words[1:]]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
