"""From what a user calls a network to the network."""

import shutil
from pathlib import Path

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.formats import download
from sg2ada_colab.generate.find_network import find_network

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def results(tmp_path):
    """Two runs: 00000-old with one snapshot, 00003-cats with two."""
    for run, kimgs in (("00000-old", [4]), ("00003-cats", [8, 12])):
        (tmp_path / run).mkdir()
        for kimg in kimgs:
            source = DATA / ("network_tf_uncond.pkl" if kimg == 12 else "network_pt_uncond.pkl")
            shutil.copyfile(str(source), str(tmp_path / run / f"network-snapshot-{kimg:06d}.pkl"))
    return tmp_path


def test_a_file():
    found = find_network(DATA / "network_tf_cond.pkl")
    assert found.title == "network_tf_cond.pkl" and found.snapshot.Gs.label_size == 6
    assert found.digest() == sha256_of(DATA / "network_tf_cond.pkl")[1]


@pytest.mark.parametrize("name", ["3", "00003", "00003-cats", "FOLDER"])
def test_a_run_is_its_newest_snapshot(results, name):
    name = str(results / "00003-cats") if name == "FOLDER" else name
    found = find_network(name, [str(results)])
    assert found.path == str(results / "00003-cats" / "network-snapshot-000012.pkl")
    assert found.title == "00003-cats at 12 kimg" and found.snapshot.source == "tensorflow"


def test_a_folder_of_runs_is_the_one_that_wrote_last(results):
    shutil.copyfile(str(DATA / "network_tf_uncond.pkl"), str(results / "00000-old" / "network-snapshot-000005.pkl"))
    assert find_network(results).title == "00000-old at 5 kimg"


def test_a_damaged_snapshot_is_passed_over_with_a_sentence(results):
    path = results / "00003-cats" / "network-snapshot-000012.pkl"
    path.write_bytes(path.read_bytes()[:5000])
    found = find_network("3", [results])
    assert found.title == "00003-cats at 8 kimg"
    assert found.notes[0].startswith(f"Passed over: {path} (5,000 bytes) is cut short")


def test_the_nearest_place_is_taken(results, tmp_path):
    near = tmp_path / "near"
    shutil.copytree(str(results / "00003-cats"), str(near / "00003-cats"))
    assert find_network("3", [near, results]).path.startswith(str(near))
    (near / "00003-cats" / "network-snapshot-000012.pkl").unlink()
    assert find_network("3", [near, results]).path == str(results / "00003-cats" / "network-snapshot-000012.pkl")


def test_the_best_one(results):
    run = results / "00003-cats"
    (run / "metric-kid50k_full.txt").write_text(
        "".join(f"network-snapshot-{kimg:06d}        time 1m 2s  kid50k_full {kid}\n" for kimg, kid in ((8, 0.02), (12, 0.03)))
    )
    found = find_network("3:best", [results])
    assert found.title == "00003-cats at 8 kimg" and found.notes[0] == "Best by kid50k_full: 0.02"
    with pytest.raises(UserError, match="No snapshot of 00000-old that still exists was measured") as error:
        find_network("0:best", [results])
    assert error.value.next_step.startswith("sg2ada metrics ")


@pytest.mark.parametrize("name", ["7", "cats:best"])
def test_a_run_that_is_not_there(results, name):
    with pytest.raises(UserError, match="There is no run '(7|cats)'") as error:
        find_network(name, [results])
    assert error.value.next_step == "the runs here are 00003-cats, 00000-old"


def test_a_file_that_is_not_there(results):
    with pytest.raises(UserError, match="There is no network 'gone.pkl'") as error:
        find_network("gone.pkl", [])
    assert "RUN:best" in error.value.expected


def test_two_runs_of_one_number(results):
    (results / "00003-dogs").mkdir()
    with pytest.raises(UserError, match="Several runs have the number 3") as error:
        find_network("3", [results])
    assert error.value.next_step == "name one: 00003-cats, 00003-dogs"


def test_a_run_without_a_snapshot(results):
    (results / "00004-new").mkdir()
    with pytest.raises(UserError, match="00004-new holds no network-snapshot-"):
        find_network("4", [results])


def test_the_network_that_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SHIPPED", {"flags": str(tmp_path)})
    with pytest.raises(UserError, match="The network 'flags' is not part of this installation"):
        find_network("flags")
    shutil.copyfile(str(DATA / "network_tf_uncond.pkl"), str(tmp_path / "flags32.pkl"))
    found = find_network("flags")
    assert found.path == str(tmp_path / "flags32.pkl") and found.title == "flags"
