"""The lists of datasets and snapshots that the training form can name."""

from pathlib import Path

import numpy as np
import pytest

import sg2ada_colab as sg2
from sg2ada_colab.colab import choices, session
from sg2ada_colab.colab.find_images import DEMO
from sg2ada_colab.storage.store import RunStore


def test_an_empty_workspace_says_so(home, capsys):
    sg2.list_choices()
    assert capsys.readouterr().out.split("\n")[:4] == ["Datasets:", "  none yet", "Snapshots:", "  none yet"]


@pytest.fixture
def run(home):
    """The folder of a run with seven snapshots, beside two datasets and a run without any."""
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    sg2.prepare_dataset(str(home / "images"), "", 4, workers=1)
    run = Path(session.workspace().results) / "00000-images-auto1"
    store = RunStore(run)
    for kimg in (4, 8, 12, 16, 20, 24, 28):
        store.write_snapshot_async(kimg, lambda file: file.write(b"x"), {"a": np.zeros(2)}, {"nimg": kimg * 1000})
        store.wait()
    (run.parent / "00001-images-auto1").mkdir()
    return run


def test_datasets_and_snapshots_are_listed(home, run, capsys):
    capsys.readouterr()
    sg2.list_choices()
    lines = capsys.readouterr().out.splitlines()
    source = str(home / "images")
    assert lines[:3] == ["Datasets:", f"  images, 24, 4, {source}", f"  images-old, 24, 8, {source}"]
    assert lines[3] == "Snapshots:" and len(lines) == 5, "a run without snapshots has nothing to name"
    assert lines[4] == f"  00000-images-auto1, … 8, 12, 16, 20, 24, 28, {run / 'network-snapshot-000028.pkl'}"


def test_the_size_of_a_rectangle_is_said_width_first(home, capsys):
    sg2.prepare_dataset(str(home / "images"), "wide", "12x8", upscale=True, workers=1)
    sg2.list_choices()
    assert f"  wide, 24, 12x8, {home / 'images'}" in capsys.readouterr().out


@pytest.fixture
def lists(monkeypatch):
    """A notebook's front end, whose lists are there to choose from."""
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(choices, "can_show_widgets", lambda: True)
    monkeypatch.setattr(choices, "show_widgets", lambda box: None)
    monkeypatch.setattr(choices, "_lists", {})
    return choices._lists


class Asked(Exception):
    """The training cell has taken its fields, and would plan now."""


def test_what_is_chosen_in_the_lists_is_what_empty_fields_mean(home, run, lists, monkeypatch):
    def plan(here, data_path, fields, *others):
        raise Asked(Path(data_path).name, fields["resume"])

    def asked(*dataset, **fields):
        with pytest.raises(Asked) as caught:
            sg2.train(*dataset, **fields)
        return caught.value.args

    monkeypatch.setattr("sg2ada_colab.colab.calls.plan_form", plan)
    newest = str(run / "network-snapshot-000024.pkl")
    sg2.list_choices()
    assert asked() == ("images", None), "nothing is chosen at first"
    lists["dataset"].value, lists["start_from"].value = "images-old", newest
    sg2.list_choices()
    assert asked("", resume="") == ("images-old", newest), "it is kept when they are shown again"
    assert asked("images", resume="noise") == ("images", None), "a field that says something counts"


def test_snapshots_within_one_kimg_are_told_apart_and_the_flags_have_a_name(home, run, lists, capsys):
    store = RunStore(run)
    store.write_snapshot_async(28, lambda file: file.write(b"x"), {"a": np.zeros(2)}, {"nimg": 28600})
    store.wait()
    sg2.prepare_dataset(DEMO, "", 32, max_images=8)
    capsys.readouterr()
    sg2.list_choices()
    assert [label for label, _ in lists["start_from"].options][-2:] == [f"{run.name} at {kimg} kimg" for kimg in ("28.0", "28.6")]
    assert "  flags, 8, 32, the flags that come along" in capsys.readouterr().out


def test_what_was_chosen_and_is_gone_is_chosen_no_more(home, run, lists):
    sg2.list_choices()
    labels = [label for label, _ in lists["start_from"].options]
    assert labels[0] == "as the field start_from says" and labels[1:] == [
        f"{run.name} at {kimg} kimg" for kimg in range(8, 29, 4)
    ]
    lists["start_from"].value = str(run / "network-snapshot-000024.pkl")
    for path in run.glob("*-000024.*"):
        path.unlink()
    sg2.list_choices()
    assert lists["start_from"].value == "" and choices.chosen("start_from", "") is None
