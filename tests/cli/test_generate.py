"""The verb `generate` as a person types it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import main

DATA = Path(__file__).parents[1] / "data"
NETWORK, CONDITIONAL = str(DATA / "network_tf_uncond.pkl"), str(DATA / "network_pt_cond.pkl")


def test_seeds_grid_zip_and_again(tmp_path, capsys):
    command = ["generate", "--network", NETWORK, "--seeds", "0,1,4-6", "--trunc", "0.7", "--outdir", str(tmp_path / "out")]
    assert main(command + ["--grid", "--zip"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote 5 pictures to {tmp_path}/out (truncation 0.7, noise const)",
        f"Wrote {tmp_path}/out/grid.png",
        f"Wrote {tmp_path}/out.zip",
    ]
    assert Image.open(str(tmp_path / "out" / "grid.png")).size == (96, 64)
    assert main(command) == 0
    assert "Wrote 0 pictures" in capsys.readouterr().out
    assert main(command[:-1] + [str(tmp_path / "out"), "--trunc=0.5"]) == 1
    assert "holds other pictures" in capsys.readouterr().err


def test_that_all_pictures_are_there_is_seen_without_tensorflow(tmp_path):
    command = ["generate", "--network", NETWORK, "--seeds=0-2", "--trunc=0.7", "--outdir", str(tmp_path / "out"), "--quiet"]
    code = "import sys; from sg2ada_colab.__main__ import main; main(sys.argv[1:]); print('tensorflow' in sys.modules)"
    imported = []
    for more in ([], [], ["--grid"], ["--seeds=0-3"]):
        done = subprocess.run([sys.executable, "-c", code] + command + more, check=True, stdout=subprocess.PIPE)
        imported.append(done.stdout.split()[-1].decode())
    assert imported == ["True", "False", "False", "True"]


def test_nvidias_pictures_under_nvidias_flags(tmp_path, reference):
    data, out = reference("generate"), str(tmp_path)
    assert main(["generate", "--network", NETWORK, "--seeds=0,85,265", "--trunc=0.5", "--noise-mode=tf", "--outdir", out]) == 0
    theirs = data["tf_uncond.uint8"][0]
    for seed, picture in zip((0, 85, 265), theirs):
        ours = np.asarray(Image.open(str(tmp_path / f"seed{seed:04d}.png")), int)
        assert np.abs(ours - picture).max() <= 1


@pytest.mark.parametrize("flag, key, name", [("--dlatents", "dlatents", "dlatent02"), ("--projected-w", "w", "proj02")])
def test_files_of_w(tmp_path, reference, flag, key, name):
    data = reference("generate")
    np.savez(str(tmp_path / "w.npz"), **{key: data["tf_uncond.dlatents"]})
    assert main(["generate", "--network", NETWORK, flag, str(tmp_path / "w.npz"), "--outdir", str(tmp_path / "out")]) == 0
    ours = np.asarray(Image.open(str(tmp_path / "out" / f"{name}.png")), int)
    assert np.abs(ours - data["tf_uncond.dlatents_uint8_const"][2]).max() <= 1


def test_like_a_picture(tmp_path, capsys, monkeypatch):
    results = tmp_path / "colab-sg2-ada" / "stylegan2-ada" / "results"
    (results / "00000-cats").mkdir(parents=True)
    shutil.copyfile(NETWORK, str(results / "00000-cats" / "network-snapshot-000012.pkl"))
    monkeypatch.setenv("HOME", str(tmp_path))
    first = ["generate", "--network=0", "--seeds=7", "--trunc=0.5", "--noise-mode=random", "--outdir", str(tmp_path / "a")]
    assert main(first) == 0
    picture = tmp_path / "a" / "seed0007.png"
    assert main(["generate", "--like", str(picture), "--outdir", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b" / "seed0007.png").read_bytes() == picture.read_bytes()
    assert main(["generate", "--like", str(picture), "--trunc=1", "--outdir", str(tmp_path / "c")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("(truncation 1, noise random)")
    assert (tmp_path / "c" / "seed0007.png").read_bytes() != picture.read_bytes()


def test_all_classes_on_a_sheet(tmp_path, capsys):
    assert main(["generate", "--network", CONDITIONAL, "--classes", "--count=3", "--outdir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"Wrote {tmp_path}/classes.png\n"
    assert Image.open(str(tmp_path / "classes.png")).size == (36 + 3 * 32, 5 * 32)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--seeds=x"], "'x' is not a list of seeds"),
        (["--seeds=1", "--count=3"], "--seeds and --count are given together"),
        (["--like=a.png", "--dlatents=b.npz"], "--dlatents and --like are given together"),
        (["--classes", "--grid"], "--classes makes one sheet of all classes"),
        (["--count=0"], "--count is 0"),
        (["--class=1"], "network_tf_uncond.pkl was trained without classes, and class 1 is asked for"),
        (["--class=one"], "'one' is not a class"),
        (["--network", CONDITIONAL], "network_pt_cond.pkl makes 5 classes, and none is chosen"),
        (["--network", CONDITIONAL, "--class=5"], "network_pt_cond.pkl has no class 5"),
        (["--noise-mode=fresh"], "There is no noise mode 'fresh'"),
        (["--format=bmp"], "There is no format 'bmp'"),
        (["--dlatents=gone.npz"], "There is no file gone.npz"),
        (["--network=gone.pkl"], "There is no network 'gone.pkl'"),
        (["--network=99"], "There is no run '99'"),
        (["--trunc=nan"], "The truncation is nan"),
        (["--network="], "No network is named"),
    ],
)
def test_bad_input_is_refused_in_three_parts_and_makes_nothing(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["generate", "--network", NETWORK, "--outdir", str(tmp_path / "out")] + words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Error: ") and message in lines[0]
    assert [line.strip().split(":")[0] for line in lines[-2:]] == ["Expected", "Next"] and "Traceback" not in "".join(lines)
    assert not (tmp_path / "out").exists()
