"""Timed algorithms become files that are shipped, under names that say what they are good for."""

import importlib.util
from pathlib import Path

import pytest

from sg2ada_colab.compile import autotune_results as known_algorithms

path = Path(__file__).parents[2] / "benchmarks" / "keep_algorithms.py"
spec = importlib.util.spec_from_file_location("keep_algorithms", str(path))
keep_algorithms = importlib.util.module_from_spec(spec)
spec.loader.exec_module(keep_algorithms)

NAMED, UNNAMED = "Cores: 132, DNN version: 9.19.0", "Cores: 132"


def result(device, hlo):
    return f'version: 3\nresults {{\n  device: "{device}"\n  hlo: "{hlo}"\n  version: 22\n}}\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder in the place of the shipped one, on a machine with an L4, TensorFlow 2.20 and cuDNN 9.8."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    monkeypatch.setattr(known_algorithms, "FOLDER", str(shipped))
    monkeypatch.setattr(keep_algorithms, "device_name", lambda: "NVIDIA L4")
    monkeypatch.setattr(keep_algorithms, "tensorflow_version", lambda: "2.20.0")
    monkeypatch.setattr(keep_algorithms, "cudnn_version", lambda: "9.8.0.87")
    return shipped


def kept(tmp_path, text, *options):
    (tmp_path / "autotuning.pbtxt").write_text(text)
    keep_algorithms.main([str(tmp_path / "autotuning.pbtxt"), *options])


def test_the_name_of_a_file_has_the_cudnn_that_its_results_lack(folder, tmp_path):
    kept(tmp_path, result(UNNAMED, "a"))
    kept(tmp_path, result(UNNAMED, "b"), "--cudnn=9.8.1.2", "--tensorflow=2.20.1", "--device=NVIDIA L4")
    kept(tmp_path, result(NAMED, "a"), "--tensorflow=2.21.0")
    kept(tmp_path, result(NAMED, "b"), "--tensorflow=2.21.3")
    names = ["NVIDIA-L4-tf2.20-cudnn9.8.0.pbtxt.gz", "NVIDIA-L4-tf2.20-cudnn9.8.1.pbtxt.gz", "NVIDIA-L4-tf2.21.pbtxt.gz"]
    assert sorted(one.name for one in folder.iterdir()) == names
    assert [known_algorithms.count(known_algorithms.shipped_text(name)) for name in names] == [1, 1, 2]
    assert known_algorithms.shipped("NVIDIA L4", "2.20.0", "9.8.0.87") == result(UNNAMED, "a")


@pytest.mark.parametrize("text, cudnn, words", [
    (result(UNNAMED, "a"), "9.8.0-9.19.0", "such as --cudnn 9.8.0"),
    (result(UNNAMED, "a"), "", "there is none here"),
    (known_algorithms.merged(result(UNNAMED, "a"), result(NAMED, "a")), "9.8.0", "1 of 2 results name their cuDNN"),
    ("version: 3\n", "9.8.0", "there are no results"),
])  # fmt: skip
def test_what_cannot_be_named_is_refused(text, cudnn, words, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keep_algorithms, "cudnn_version", lambda: cudnn)
    with pytest.raises(SystemExit):
        kept(tmp_path, text)
    assert words in capsys.readouterr().err and not list(folder.iterdir())


def test_one_command_times_and_keeps(folder, monkeypatch):
    def run(words, check):
        assert check and words[2:10] == ["--size", "64", "--size", "256", "--aug", "noaug", "--aug", "ada"]
        for number, name in enumerate("ab"):
            there = Path(words[-1]) / str(number)
            there.mkdir()
            (there / "autotuning.pbtxt").write_text(result(UNNAMED, name))

    monkeypatch.setattr(keep_algorithms.subprocess, "run", run)
    keep_algorithms.main(["--time", "64", "256"])
    assert known_algorithms.count(known_algorithms.shipped("NVIDIA L4", "2.20.0", "9.8.0")) == 2


@pytest.mark.parametrize("cudnn", ["9.14.0-9.19.0", ""])
def test_what_could_not_be_named_is_not_timed(cudnn, folder, monkeypatch, capsys):
    """Timing takes minutes of a GPU, and would be lost."""
    monkeypatch.setattr(keep_algorithms, "cudnn_version", lambda: cudnn)
    monkeypatch.setattr(keep_algorithms.subprocess, "run", None)
    with pytest.raises(SystemExit):
        keep_algorithms.main(["--time", "64"])
    assert "before anything is timed" in capsys.readouterr().err
