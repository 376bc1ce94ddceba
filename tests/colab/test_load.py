"""`sg2ada_colab.load`: every name of a network, and what was passed over is said."""

import shutil
from pathlib import Path

import pytest

import sg2ada_colab
from sg2ada_colab.colab import session
from sg2ada_colab.storage.workspace import open_workspace

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def results(tmp_path, monkeypatch):
    workspace = open_workspace(tmp_path)
    monkeypatch.setattr(session, "_open", {"workspace": workspace})
    run = Path(workspace.results) / "00002-cats"
    run.mkdir()
    shutil.copyfile(str(DATA / "network_tf_uncond.pkl"), str(run / "network-snapshot-000008.pkl"))
    (run / "network-snapshot-000012.pkl").write_bytes(b"")
    return workspace.results


def test_a_run_of_the_workspace_by_its_number(results):
    said = []
    generator = sg2ada_colab.load(2, say=said.append)
    assert generator.title == "00002-cats at 8 kimg"
    assert len(said) == 1 and said[0].endswith("network-snapshot-000012.pkl is empty.")
    assert generator.images([1]).shape == (1, 32, 32, 3)


def test_an_error_names_the_runs(results, capsys):
    with pytest.raises(sg2ada_colab.UserError, match="There is no run '9'") as error:
        sg2ada_colab.load("9")
    assert error.value.next_step == "the runs here are 00002-cats"


def test_loading_makes_no_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(session, "_open", {})
    assert sg2ada_colab.load(DATA / "network_tf_uncond.pkl").title == "network_tf_uncond.pkl"
    assert list(tmp_path.iterdir()) == []
