"""The verb `project` as a person types it: its files, which other verbs and programs take, a second call, bad input."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import main
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.projector import w_statistics
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    write_network_pickle(str(folder / "a.pkl"), small_snapshot())
    (folder / "photos").mkdir()
    pixels = np.random.RandomState(0).randint(0, 256, [24, 20, 3]).astype(np.uint8)
    Image.fromarray(pixels).save(str(folder / "photos" / "me.png"))
    return folder


def project(folder, *words):
    return main(["project", "--network", str(folder / "a.pkl"), "--no-xla", "--num-steps=4", *words])


def test_files_tuning_video_and_a_second_call(folder, capsys):
    out = folder / "out"
    words = ["--target", str(folder / "photos"), "--outdir", str(out), "--space=w+", "--pti", "--pti-steps=3", "--save-video"]
    assert project(folder, *words) == 0
    said = capsys.readouterr().out
    assert "not by LPIPS as usual" in said and "Distance: EfficientNet-Lite0" in said
    assert "cut to its centred square of 20 px" in said
    assert ", of the mean picture " in said and ", tuned " in said
    names = {name for name in os.listdir(str(out / "me")) if not name.startswith("proj.") or name == "proj.png"}
    assert names == {"target.png", "proj.png", "projected_w.npz", "dlatents.npz", "tuned.pkl", "proj-tuned.png"}
    with np.load(str(out / "me" / "projected_w.npz")) as file:
        assert sorted(file.files) == ["dlatents", "w"] and file["w"].shape == (1, 6, 4)
        assert np.array_equal(file["w"], file["dlatents"])
    made = str(out / "again")
    for network, picture in (("a.pkl", "proj.png"), ("out/me/tuned.pkl", "proj-tuned.png")):
        source = ["--projected-w", str(out / "me" / "projected_w.npz"), "--outdir", made + picture]
        assert main(["generate", "--network", str(folder / network), *source]) == 0
        ours, theirs = (np.asarray(Image.open(path), int) for path in (made + picture + "/proj00.png", str(out / "me" / picture)))
        assert np.abs(ours - theirs).max() <= 1
    assert np.array_equal(
        read_snapshot(out / "me" / "tuned.pkl").D.variables["Output/bias"], small_snapshot().D.variables["Output/bias"]
    )
    capsys.readouterr()
    assert project(folder, *words) == 0 and "is in" in capsys.readouterr().out
    assert project(folder, *words, "--seed=1") == 1
    assert "holds another projection, with another seed" in capsys.readouterr().err
    assert project(folder, *words, "--w-noise=0") == 1
    assert "holds another projection, with another w noise" in capsys.readouterr().err


def test_of_a_picture_of_the_networks_own_the_error_of_w_is_said(folder, tmp_path, capsys):
    assert main(["generate", "--network", str(folder / "a.pkl"), "--seeds=7", "--outdir", str(tmp_path / "made")]) == 0
    words = ["--target", str(tmp_path / "made" / "seed0007.png"), "--outdir", str(tmp_path / "out")]
    assert project(folder, *words) == 0
    said = re.search(r"the network made it itself, and w is off by ([\d.]+) times the spread of w", capsys.readouterr().out)
    generator = TrainedGenerator(read_snapshot(folder / "a.pkl").Gs)
    with np.load(str(tmp_path / "out" / "projected_w.npz")) as file:
        off = np.linalg.norm(file["w"][0, 0] - generator.w([7])[0, 0]) / w_statistics(generator)[1]
    assert float(said.group(1)) == pytest.approx(off, rel=1e-6, abs=6e-4)  # float32, and three digits


def test_a_rectangle_with_transparency_is_found_tuned_and_shown_on_its_way(tmp_path, capsys):
    write_network_pickle(str(tmp_path / "a.pkl"), small_snapshot(**FORMS["wide rgba"]))
    assert main(["generate", "--network", str(tmp_path / "a.pkl"), "--seeds=7", "--outdir", str(tmp_path / "made")]) == 0
    words = ["--target", str(tmp_path / "made" / "seed0007.png"), "--outdir", str(tmp_path / "out"), "--save-video"]
    assert project(tmp_path, *words, "--pti", "--pti-steps=2") == 0
    said = capsys.readouterr().out
    assert "the network made it itself, and w is off by" in said and "cut to" not in said
    for name in ("target.png", "proj.png", "proj-tuned.png"):
        with Image.open(str(tmp_path / "out" / name)) as image:
            assert (image.mode, image.size) == ("RGBA", (24, 16))
    assert read_snapshot(tmp_path / "out" / "tuned.pkl").Gs.config.init_res == (4, 6)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--target=gone.jpg"], "There is no photograph gone.jpg"),
        (["--space=z"], "There is no space 'z'"),
        (["--num-steps=0"], "The number of steps is 0"),
        (["--class=1"], "a.pkl was trained without classes"),
        (["--distance=l2"], "There is no distance 'l2'"),
    ],
)
def test_bad_input(folder, tmp_path, capsys, words, message):
    words = ["--target", str(folder / "photos" / "me.png"), "--outdir", str(tmp_path / "out"), *words]
    assert project(folder, *words) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()
