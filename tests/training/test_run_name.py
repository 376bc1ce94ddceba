"""Numbers and names of run folders."""

import json
from pathlib import Path

import pytest

from sg2ada_colab.training.options import TrainOptions
from sg2ada_colab.training.run_name import describe_run, latest_run, next_run_number, run_folder

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "train_options.json").read_text())


@pytest.fixture
def used(tmp_path):
    """Return a folder with what the reference's used folder held."""
    contents = REFERENCE["existing_run_directories"]["runs_used"]
    for name in contents["directories"]:
        (tmp_path / name).mkdir()
    for name in contents["files"]:
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_next_number_is_one_above_the_highest_folder(used):
    assert next_run_number(str(used)) == 11
    assert run_folder(str(used), "small32-auto1-kimg7") == str(used / "00011-small32-auto1-kimg7")


@pytest.mark.parametrize("name, number", [(None, 0), ("abc", 0), ("0", 1), ("123456-x", 123457), ("-5", 0), ("9x", 10)])
def test_numbers(tmp_path, name, number):
    if name:
        (tmp_path / name).mkdir()
    assert next_run_number(str(tmp_path)) == number


def test_a_missing_folder_has_no_runs(tmp_path):
    assert next_run_number(str(tmp_path / "none")) == 0
    assert latest_run(str(tmp_path / "none"), "f") is None


def test_the_latest_run_has_the_highest_number_and_the_file(tmp_path):
    for name in ("00002-b", "00010-a", "00011-empty", "zzz"):
        (tmp_path / name).mkdir()
    for name in ("00002-b", "00010-a", "zzz"):
        (tmp_path / name / "f").write_text("")
    assert latest_run(str(tmp_path), "f") == str(tmp_path / "00010-a")


@pytest.mark.parametrize(
    "options, name",
    [
        ({}, "d-auto1"),
        ({"gpus": 4, "mirror": True}, "d-mirror-auto4"),
        ({"mirror": False, "resume": "latest"}, "d-auto1"),
        ({"cfg": "paper256", "gpus": 8, "gamma": 1e-05, "kimg": 12345}, "d-paper256-gamma1e-05-kimg12345"),
        (
            {"res": 64, "aug": "ada", "target": 0.55, "augpipe": "bg", "cmethod": "bcr", "dcap": 0.5},
            "d-res64-auto1-ada-target0.55-bg-bcr-dcap0.5",
        ),
        ({"resume": "/a/b.pkl", "freezed": 3}, "d-auto1-resumecustom-freezed3"),
        (
            {"cond": False, "mirrory": True, "subset": 5, "glr": 0.001, "dlr": 0.01, "desc": "try"},
            "d-auto1-mirrory-uncond-subset5-glr0.001-dlr0.01-try",
        ),
    ],
)  # fmt: skip
def test_names_say_what_was_given(options, name):
    assert describe_run(TrainOptions(**options), "d") == name
