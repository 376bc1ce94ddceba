"""What a notebook's field for a network means: nothing, a run, a file, the network that ships."""

import shutil
from pathlib import Path

import pytest

from sg2ada_colab.colab import session
from sg2ada_colab.colab.opened_network import opened_network
from sg2ada_colab.errors import UserError

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_open", {})
    return session._open_workspace(str(tmp_path))


def add_run(workspace, name, snapshots=(4,)):
    run = Path(workspace.results) / name
    run.mkdir()
    for kimg in snapshots:
        shutil.copyfile(str(DATA / "network_tf_uncond.pkl"), str(run / f"network-snapshot-{kimg:06d}.pkl"))
    return run


@pytest.mark.parametrize("empty", [None, "", " "])
def test_nothing_is_the_newest_run_and_the_network_that_ships_before_there_is_one(workspace, empty, capsys):
    opened = opened_network(empty)
    assert opened.name == "flags" and opened.path.endswith("flags32.safetensors") and not opened.folders
    assert opened.pictures == str(Path(workspace.root) / "pictures" / "flags")
    assert "There is no run with a snapshot yet" in capsys.readouterr().out
    run = add_run(workspace, "00001-cats")
    add_run(workspace, "00002-dogs", ())
    opened = opened_network(empty)
    assert opened.name == "00001-cats" and opened.folders == (str(run),) and opened.path is None
    assert opened.pictures == str(run / "pictures")


def test_names(workspace):
    run = add_run(workspace, "00001-cats")
    assert opened_network(1).folders == opened_network("00001-cats").folders == opened_network(str(run)).folders
    file = opened_network(DATA / "network_pt_uncond.pkl")
    assert file.name == "network_pt_uncond.pkl" and file.pictures.endswith("/pictures/network_pt_uncond")
    assert not Path(file.pictures).exists(), "nothing is made before there is a picture"
    add_run(workspace, "00002-dogs", ())
    with pytest.raises(UserError, match="The run 00002-dogs has no snapshot"):
        opened_network("2")
    with pytest.raises(UserError, match="There is no network 'cats.pkl'"):
        opened_network("cats.pkl")
