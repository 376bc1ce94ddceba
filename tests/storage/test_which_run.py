"""Which run of a folder of runs goes on, and under which number a new one begins."""

import json
import os
import shutil
from pathlib import Path

import pytest
from small_files import cut, fill, pickle, state

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.which_run import choose_run, named_run, next_number, runs_of

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "train_options.json").read_text())


def test_drive_and_local_are_considered_together(tmp_path):
    drive, local = tmp_path / "drive" / "00000-x", tmp_path / "local" / "00000-x"
    fill(drive, 4, 8, 12)
    fill(local, 16)
    both = [tmp_path / "local", tmp_path / "drive"]
    assert choose_run(both).candidate.run_dir == str(local)
    cut(pickle(local, 16), 1)
    choice = choose_run(both)
    assert (choice.candidate.run_dir, choice.candidate.name) == (str(drive), "000012")
    shutil.copytree(str(drive), str(tmp_path / "third"))
    shutil.rmtree(str(local))
    shutil.copytree(str(drive), str(local))
    assert choose_run(both).candidate.run_dir == str(local)  # the nearer of two equals


def rewrite_times(folder, when):
    content = json.loads((folder / "manifest.json").read_text())
    for snapshot in content["snapshots"]:
        snapshot["time"] = when
    (folder / "manifest.json").write_text(json.dumps(content))
    for name in os.listdir(str(folder)):
        os.utime(str(folder / name), (when, when))


def test_of_two_runs_the_one_that_wrote_last_goes_on(tmp_path):
    fill(tmp_path / "00000-a", 4, 8)
    fill(tmp_path / "00001-b", 4)
    rewrite_times(tmp_path / "00000-a", 1_700_000_000)
    rewrite_times(tmp_path / "00001-b", 1_600_000_000)
    assert choose_run([tmp_path]).candidate.run_dir == str(tmp_path / "00000-a")
    rewrite_times(tmp_path / "00001-b", 1_750_000_000)
    assert choose_run([tmp_path]).candidate.run_dir == str(tmp_path / "00001-b")


def test_a_run_without_good_snapshot_is_passed_over_with_a_sentence(tmp_path):
    fill(tmp_path / "00000-a", 4)
    rewrite_times(tmp_path / "00000-a", 1_600_000_000)
    fill(tmp_path / "00001-b", 4)
    cut(state(tmp_path / "00001-b", 4), 9)
    (tmp_path / "00002-c").mkdir()
    (tmp_path / "notes").mkdir()
    choice = choose_run([tmp_path])
    assert choice.candidate.run_dir == str(tmp_path / "00000-a")
    assert any("Run 00001-b has no complete snapshot" in sentence for sentence in choice.sentences)


def test_an_empty_and_an_absent_folder_have_no_run(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        assert choose_run([folder]).name is None and runs_of([folder]) == [] and next_number([folder]) == 0
        assert named_run([folder / "00000-a"]).name is None


def test_a_run_that_never_finished_a_snapshot_comes_after_all_others_and_begins_again(tmp_path):
    fill(tmp_path / "00000-a", 4)
    for name in ("00001-b", "00002-c"):
        RunStore(tmp_path / name).identify("0" * 32)  # as a run does when it begins
    state(tmp_path / "00002-c", 1).write_bytes(b"cut off")
    found = choose_run([tmp_path])
    assert (found.name, found.candidate.kimg) == ("00000-a", 4)
    cut(pickle(tmp_path / "00000-a", 4), 3)
    found = choose_run([tmp_path])
    assert (found.name, found.candidate) == ("00002-c", None)
    assert "Run 00000-a has no complete snapshot." in found.sentences
    pickle(tmp_path / "00002-c", 1).write_bytes(b"never listed")
    assert choose_run([tmp_path]).name == "00002-c"


def test_a_run_whose_snapshots_are_all_gone_begins_again(tmp_path):
    fill(tmp_path / "00000-a", 4)
    pickle(tmp_path / "00000-a", 4).unlink()
    found = choose_run([tmp_path])
    assert (found.name, found.candidate) == ("00000-a", None)
    assert named_run([tmp_path / "00000-a"]).name == "00000-a"


def test_only_runs_that_are_wanted_are_considered(tmp_path):
    fill(tmp_path / "00000-a", 4)
    fill(tmp_path / "00001-b", 8)
    assert choose_run([tmp_path], lambda folders: folders == [str(tmp_path / "00000-a")]).name == "00000-a"
    assert choose_run([tmp_path], lambda folders: False).name is None


def test_a_run_that_is_named_goes_on_or_says_why_not(tmp_path):
    places = [tmp_path / "local" / "any-name", tmp_path / "drive" / "any-name"]
    fill(places[1], 4, 8)
    found = named_run(places)
    assert (found.name, found.candidate.name, found.candidate.run_dir) == ("any-name", "000008", str(places[1]))
    for kimg in (4, 8):
        cut(state(places[1], kimg), 9)
    with pytest.raises(UserError, match="any-name has no snapshot to go on from") as caught:
        named_run(places)
    assert "is cut short: 9 of" in caught.value.what and "begin a new run" in caught.value.next_step
    RunStore(tmp_path / "begun").identify("0" * 32)
    assert named_run([tmp_path / "begun"]).name == "begun"


@pytest.mark.parametrize("failing", ["drive", "drive/00000-a"])
def test_where_a_folder_cannot_be_listed_nothing_is_begun(tmp_path, monkeypatch, no_pauses, failing):
    """Drive fails for longer than it is asked again: the run to go on with may lie there."""
    fill(tmp_path / "drive" / "00000-a", 4)
    listdir = os.listdir

    def fail(path="."):
        if str(path) == str(tmp_path / failing):
            raise OSError(107, "Transport endpoint is not connected")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail)
    places = [tmp_path / "local", tmp_path / "drive"]
    with pytest.raises(UserError, match="does not answer: .*Transport endpoint is not connected") as caught:
        choose_run(places)
    assert "connects Drive again" in caught.value.next_step
    if failing == "drive":
        with pytest.raises(UserError, match="does not answer"):
            next_number(places)
    else:
        with pytest.raises(UserError, match="does not answer"):
            named_run([place / "00000-a" for place in places])


# --- numbers


def test_the_next_number_is_one_above_the_highest_folder_of_all_places(tmp_path):
    contents = REFERENCE["existing_run_directories"]["runs_used"]
    for name in contents["directories"]:
        (tmp_path / "used" / name).mkdir(parents=True)
    for name in contents["files"]:
        (tmp_path / "used" / name).write_text("")
    assert next_number([tmp_path / "used"]) == 11
    (tmp_path / "drive" / "00031-x").mkdir(parents=True)
    assert next_number([tmp_path / "used", tmp_path / "drive"]) == 32


@pytest.mark.parametrize("name, number", [("abc", 0), ("0", 1), ("123456-x", 123457), ("-5", 0), ("9x", 10)])
def test_numbers(tmp_path, name, number):
    (tmp_path / name).mkdir()
    assert next_number([tmp_path]) == number
