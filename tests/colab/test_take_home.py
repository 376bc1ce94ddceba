"""What is taken home: one zip of what was asked for, and networks that other programs open."""

import importlib.util
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import sg2ada_colab as sg2
from sg2ada_colab.colab import session
from sg2ada_colab.colab import take_home as module
from sg2ada_colab.colab.take_home import FORMATS
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.convert import convert
from sg2ada_colab.formats.read import read_snapshot

FLAGS = Path(sg2.__path__[0]) / "demo_network" / "flags32.safetensors"


@pytest.fixture(name="run_dir")
def run_dir_fixture(home):
    folder = Path(session.workspace().results) / "00003-colours-auto1"
    (folder / "pictures" / "seeds").mkdir(parents=True)
    for kimg, value in ((4, 0.1), (8, 0.2)):
        (folder / f"network-snapshot-{kimg:06d}.pkl").write_bytes(b"network %d" % kimg)
        with open(str(folder / "metric-kid1k_efflite0.txt"), "a") as file:
            file.write(f"network-snapshot-{kimg:06d}        time 1s           kid1k_efflite0 {value}\n")
    (folder / "training_options.json").write_text("{}")
    for name in (
        "fakes000004.png",
        "fakes000008.png",
        "metric-kid1k_efflite0.png",
        "pictures/seeds/seed0001.png",
        "pictures/.x.png",
    ):
        Image.new("RGB", (4, 4)).save(str(folder / name))
    return folder


def names_in(path):
    with zipfile.ZipFile(str(path)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


PICTURES = ["fakes000008.png", "metric-kid1k_efflite0.png", "metric-kid1k_efflite0.txt"]


def test_a_network_and_pictures_are_one_zip(run_dir, capsys):
    path = sg2.take_home()
    inside = PICTURES + ["network-snapshot-000004.pkl", "pictures/seeds/seed0001.png", "training_options.json"]
    assert names_in(path) == [f"00003-colours-auto1/{name}" for name in inside]
    assert path == os.path.join(session.workspace().root, "downloads", "00003-colours-auto1.zip")
    assert f"Saved: {path}" in capsys.readouterr().out
    assert names_in(sg2.take_home(network="newest", pictures=False)) == [
        "00003-colours-auto1/network-snapshot-000008.pkl", "00003-colours-auto1/training_options.json"
    ]  # fmt: skip


def test_nothing_is_packed_where_nothing_is_asked_for_or_there(run_dir, capsys):
    assert sg2.take_home(network="none", pictures=False) is None
    assert capsys.readouterr().out == "Nothing is downloaded: choose a network, or tick pictures.\n"
    (run_dir / "pictures" / "seeds" / "seed0001.png").unlink()
    for name in PICTURES + ["fakes000004.png"]:
        (run_dir / name).unlink()
    with pytest.raises(UserError, match="There is nothing to take from 00003-colours-auto1"):
        sg2.take_home(network="none")
    with pytest.raises(UserError, match="There is no snapshot '5'"):
        sg2.take_home(network="5")
    assert not list(Path(session.workspace().root).glob("downloads/*"))


def test_in_colab_the_browser_is_asked_and_a_large_one_is_quicker_from_drive(colab_home, fake_colab, monkeypatch, capsys):
    sg2.setup()
    folder = Path(session.workspace().results) / "00000-a"
    folder.mkdir(parents=True)
    (folder / "network-snapshot-000004.pkl").write_bytes(b"x" * 1000)
    monkeypatch.setattr(module, "MACHINE_FOLDER", str(colab_home / "sg2ada"))
    monkeypatch.setattr(module, "SLOW_BYTES", 900)
    path = sg2.take_home(network="newest")
    assert path == str(colab_home / "sg2ada" / "downloads" / "00000-a.zip") and names_in(path)
    assert ("download", path) in fake_colab.calls
    said = capsys.readouterr().out
    assert "1.0 kB take long to download from here.\nIt is quicker from Drive: " + str(folder) in said


def test_a_network_is_written_in_another_format_by_its_name(home, capsys):
    folder = Path(session.workspace().results) / "00003-colours-auto1"
    folder.mkdir(parents=True)
    convert(str(FLAGS), str(folder / "network-snapshot-000008.pkl"))
    path = sg2.export(form="small safetensors (float16)")
    assert path == str(folder / "exports" / "00003-000008kimg-small.safetensors")
    assert read_snapshot(path).Gs.resolution == 32
    written = os.path.getmtime(path)
    capsys.readouterr()
    assert sg2.export(form="small safetensors (float16)") == path and os.path.getmtime(path) == written
    assert "It is there already: 00003-000008kimg-small.safetensors" in capsys.readouterr().out


def test_every_format_is_one_that_the_verbs_know(run_dir, monkeypatch):
    from sg2ada_colab.__main__ import build_parser

    started = []

    def run(words, output):
        started.append(build_parser().parse_args([str(word) for word in words]))
        output.end(0)
        return output

    monkeypatch.setattr(module, "run_verb", run)
    for form in FORMATS:
        sg2.export(form=form)
    endings = [os.path.basename(args.target).replace("00003-000004kimg", "") for args in started]
    assert endings == [".pkl", ".safetensors", "-small.safetensors", ".pt", ".onnx", "-savedmodel"]
    assert [args.source for args in started] == [str(run_dir / "network-snapshot-000004.pkl")] * len(FORMATS)


@pytest.mark.parametrize(
    "colab, there, form, installed",
    [
        (True, False, "ONNX", True),
        (True, True, "ONNX", False),
        (False, False, "ONNX", False),
        (True, False, "safetensors", False),
    ],
)
def test_in_colab_the_package_that_a_format_needs_is_brought_without_changing_others(
    run_dir, monkeypatch, capsys, colab, there, form, installed
):  # fmt: skip
    done, find = [], importlib.util.find_spec

    def run(words, output, command=None):
        if command:
            done.append(command[1:] + words)
        output.end(0)
        return output

    monkeypatch.setattr(module, "run_verb", run)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: there or None if name == "onnx" else find(name))
    monkeypatch.setattr(module, "in_colab", lambda: colab)
    monkeypatch.setattr(module, "MACHINE_FOLDER", str(run_dir))
    sg2.export(form=form)
    assert done == [["-m", "pip", "install", "--quiet", "--no-deps", "onnx"]] * installed
    said = "onnx, which writes this format, is installed first. Nothing else is changed."
    assert (said in capsys.readouterr().out) == installed


def test_what_cannot_be_written_is_said_in_three_parts(run_dir, capsys):
    assert sg2.export(form="none") is None and "choose a format" in capsys.readouterr().out
    with pytest.raises(UserError, match="There is no format 'jpg'"):
        sg2.export(form="jpg")
    with pytest.raises(UserError) as caught:  # its snapshots are no networks
        sg2.export(form="safetensors")
    assert "network-snapshot-000004.pkl" in caught.value.what and caught.value.expected and caught.value.next_step
    assert not list((run_dir / "exports").iterdir())


def test_a_folder_is_downloaded_as_a_zip(run_dir, monkeypatch, capsys):
    def run(words, output):
        os.makedirs(os.path.join(words[2], "variables"))
        Path(words[2], "saved_model.pb").write_bytes(b"x")
        Path(words[2], "variables", "variables.index").write_bytes(b"y")
        output.end(0)
        return output

    monkeypatch.setattr(module, "run_verb", run)
    sg2.export(form="SavedModel (TensorFlow)", to_computer=True)
    path = os.path.join(session.workspace().root, "downloads", "00003-000004kimg-savedmodel.zip")
    assert f"Saved: {path}" in capsys.readouterr().out
    assert sorted(names_in(path)) == [
        "00003-000004kimg-savedmodel/saved_model.pb", "00003-000004kimg-savedmodel/variables/variables.index"
    ]  # fmt: skip
