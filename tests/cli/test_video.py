"""The verb `video` as a person types it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import main

DATA = Path(__file__).parents[1] / "data"
NETWORK = str(DATA / "network_pt_uncond.pkl")


def test_a_loop(tmp_path, capsys):
    path = str(tmp_path / "a.webp")
    command = ["video", "--network", NETWORK, "--seeds=0-3", "--w-frames=4", "--grid=2x1", "--fps=10", "--output", path]
    assert main(command) == 0
    assert capsys.readouterr().out == f"Wrote {path}: 16 frames, 1.6 s\n".replace("16 frames, 1.6", "8 frames, 0.8")
    with Image.open(path) as image:
        assert image.n_frames == 8 and image.size == (64, 32)


def test_between_files_of_w_and_a_noise_loop(tmp_path, reference, capsys):
    files = []
    for number, w in enumerate(reference("generate")["pt_uncond.projected_w"]):
        files.append(str(tmp_path / f"{number}.npz"))
        np.savez(files[-1], w=w[None])
    common = ["video", "--network", NETWORK, "--seconds=1", "--fps=8", "--output", str(tmp_path / "a.gif")]
    assert main(common + ["--projected-w"] + files) == 0
    assert main(common + ["--seeds=3", "--interpolation=noise-loop"]) == 0
    assert capsys.readouterr().out.count("8 frames, 1 s") == 2


def test_along_a_direction_of_a_file(tmp_path, capsys):
    path = str(tmp_path / "found.npz")
    assert main(["directions", "find", "--network", NETWORK, "--count=2", "--out", path]) == 0
    output = str(tmp_path / "a.gif")
    words = ["video", "--network", NETWORK, "--seeds=3", "--w-frames=6", "--file", path, "--output", output, "--scale=2"]
    assert main(words + ["--direction=weights1", "--sweep=-2,2"]) == 0
    assert "6 frames" in capsys.readouterr().out
    with Image.open(output) as image:
        assert image.n_frames == 6 and image.size == (64, 64)
    assert main(words + ["--direction=smile"]) == 1 and "has no direction 'smile'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--output=a.avi"], "a.avi is not a video"),
        (["--seconds=1", "--w-frames=2"], "--seconds and --w-frames are given together"),
        (["--projected-w", "a.npz", "--seeds=1"], "--projected-w is given with --seeds"),
        (["--projected-w", "gone.npz"], "There is no file gone.npz"),
        (["--sweep=1"], "--sweep is '1'"),
        (["--class-path=0,1"], "was trained without classes"),
        (["--noise-mode=tf"], "The noise mode tf is for pictures of single seeds"),
        (["--interpolation=circular", "--space=w"], "The interpolation circular works in z alone"),
        (["--seeds=1"], "There is one keyframe"),
        (["--direction=smile"], "--file and --direction go together"),
        (["--interpolation=direction"], "no direction is named"),
        (["--grid=0x1"], "The grid '0x1' does not hold 1 pictures"),
    ],
)
def test_bad_input(tmp_path, capsys, words, message):
    assert main(["video", "--network", NETWORK, "--output", str(tmp_path / "a.webp")] + words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[0] and lines[1].strip().startswith("Expected:") and lines[2].strip().startswith("Next:")
    assert not list(tmp_path.iterdir())
