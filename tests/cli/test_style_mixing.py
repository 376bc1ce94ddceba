"""The verb `style-mixing` as a person types it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import main

DATA = Path(__file__).parents[1] / "data"
COMMAND = ["style-mixing", "--network", str(DATA / "network_pt_uncond.pkl"), "--rows=85,100", "--cols=55,821", "--styles=0-2"]


def test_nvidias_grid_under_nvidias_flags(tmp_path, reference, capsys):
    assert main(COMMAND + ["--trunc=0.7", "--outdir", str(tmp_path)]) == 0
    grid = np.asarray(Image.open(str(tmp_path / "grid.png")), int)
    assert np.abs(grid - reference("generate")["pt_uncond.mix_grid"]).max() <= 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Wrote 8 pictures to {tmp_path} (truncation 0.7, noise const)", f"Wrote {tmp_path}/grid.png"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--rows=a"], "'a' is not a list of seeds"),
        (["--styles=0-30"], "The network has no layers '0-30'"),
        (["--noise-mode=tf"], "The noise mode tf is for pictures of single seeds"),
        (["--class=0"], "was trained without classes"),
    ],
)
def test_bad_input(tmp_path, capsys, words, message):
    assert main(COMMAND + ["--outdir", str(tmp_path / "out")] + words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[0] and lines[1].strip().startswith("Expected:") and lines[2].strip().startswith("Next:")
    assert not (tmp_path / "out").exists()
