"""A run on Drive and its copy on the machine are one: where they lie."""

import os
from dataclasses import replace

import pytest

from sg2ada_colab import machine
from sg2ada_colab.run_files import MANIFEST, OPTIONS
from sg2ada_colab.storage import places
from sg2ada_colab.storage.places import Places, find_places, results_places, run_places, usual_results


def test_outside_colab_there_is_one_place(tmp_path):
    assert results_places("runs") == Places(("runs",))
    assert run_places("runs/00000-x/") == Places(("runs",), "00000-x")
    assert run_places("runs/00000-x").folders("00000-x") == [os.path.join("runs", "00000-x")]
    assert run_places(os.curdir) == Places((os.path.dirname(os.getcwd()),), os.path.basename(os.getcwd()))


def test_the_two_places_of_the_workspace_and_of_any_folder_on_drive(colab):
    there, here = colab
    both = (str(here), str(there))
    assert results_places(there) == results_places(here) == Places(both, drive=str(there))
    assert usual_results() == str(there)
    mine = there.parents[2] / "mine"
    near = places.FROM_DRIVE + "/MyDrive/mine"
    assert results_places(mine) == results_places(near) == Places((near, str(mine)), drive=str(mine))
    assert results_places("/content/runs") == Places(("/content/runs",))
    assert run_places(there / "00000-x") == Places(both, "00000-x", str(there))
    assert run_places(there / "00000-x").folders("00000-x") == [str(here / "00000-x"), str(there / "00000-x")]


@pytest.mark.parametrize("file_name", [OPTIONS, MANIFEST])
def test_a_run_is_found_from_either_place(colab, no_pauses, file_name):
    there, here = colab
    (there / "00003-x").mkdir(parents=True)
    (there / "00003-x" / file_name).write_text("{}")
    named = Places((str(here), str(there)), "00003-x", str(there))
    assert find_places(there / "00003-x") == find_places(here / "00003-x") == named
    assert find_places(there) == find_places(here) == replace(named, run=None)
    (there / "file").write_text("")
    assert find_places(there / "file").run is None


def test_on_kaggle_runs_are_looked_for_in_the_inputs_and_copied_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    for name in ("working", "input"):
        monkeypatch.setattr(machine, "KAGGLE_" + name.upper(), str(tmp_path / name))
        (tmp_path / name / "my" / "colab-sg2-ada" / "stylegan2-ada" / "results").mkdir(parents=True)
    own = usual_results()
    assert own == str(tmp_path / "working" / "colab-sg2-ada" / "stylegan2-ada" / "results")
    version = str(tmp_path / "input" / "my" / "colab-sg2-ada" / "stylegan2-ada" / "results")
    assert results_places(own) == Places((own, version))
    assert results_places(tmp_path / "other") == Places((str(tmp_path / "other"),))
