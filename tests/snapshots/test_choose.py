"""Choosing what to resume: every kind of damage that Drive is known for, alone and together, with its sentence."""
import json
import os
import shutil

import numpy as np
import pytest

from sg2ada_colab.snapshots.choose import latest_run, newest_good
from sg2ada_colab.snapshots.manifest import FileRecord, SnapshotRecord
from sg2ada_colab.snapshots.store import RunStore
from sg2ada_colab.snapshots.training_state import save_state


def no_pickle_reader(path):
    raise AssertionError("{} was read although its digest is known".format(path))


def plain_reader(path):
    with open(path, "rb") as file:
        if not file.read().startswith(b"pickle"):
            raise ValueError("not a pickle")


def fill(folder, *kimgs):
    store = RunStore(folder)
    for kimg in kimgs:
        content = b"pickle of %d" % kimg
        arrays = {"w": np.full([50], kimg)}
        store.write_snapshot(kimg, lambda file, content=content: file.write(content), arrays, {"nimg": kimg * 1000})
    return folder


def choose(folder, read_pickle=no_pickle_reader):
    choice = newest_good([folder], read_pickle)
    return (choice.candidate.name if choice.candidate else None), " | ".join(choice.skipped)


def pickle(folder, kimg):
    return folder / "network-snapshot-{:06d}.pkl".format(kimg)


def state(folder, kimg):
    return folder / "training-state-{:06d}.npz".format(kimg)


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


def test_takes_the_newest_by_its_digest(tmp_path):
    fill(tmp_path, 4, 8, 12)
    choice = newest_good([tmp_path], no_pickle_reader)
    assert choice.candidate.name == "000012" and choice.candidate.kimg == 12 and choice.candidate.verified_by == "digest"
    assert choice.candidate.pickle == str(pickle(tmp_path, 12)) and choice.candidate.state == str(state(tmp_path, 12))
    assert choice.skipped == ()


def test_empty_and_absent_folders_give_none(tmp_path):
    assert choose(tmp_path) == (None, "")
    assert choose(tmp_path / "absent") == (None, "")
    assert latest_run(tmp_path).candidate is None


@pytest.mark.parametrize("file_of", [pickle, state])
@pytest.mark.parametrize(
    "damage, sentence",
    [
        (lambda path: cut(path, 0), "has zero bytes"),
        (lambda path: cut(path, 5), "is cut short: 5 of "),
        (lambda path: path.write_bytes(b"#" * path.stat().st_size), "does not have the SHA-256 that manifest.json gives"),
    ],
)
def test_a_damaged_file_leads_to_the_next_older_snapshot(tmp_path, file_of, damage, sentence):
    fill(tmp_path, 4, 8)
    damage(file_of(tmp_path, 8))
    name, said = choose(tmp_path)
    assert name == "000004"
    assert sentence in said and file_of(tmp_path, 8).name in said


def test_halves_are_passed_over_with_a_sentence(tmp_path):
    fill(tmp_path, 4, 8, 12)
    state(tmp_path, 12).unlink()
    pickle(tmp_path, 8).unlink()
    name, said = choose(tmp_path)
    assert name == "000004"
    assert "its weights can start a new run" in said and "training-state-000008.npz has no network-snapshot-000008.pkl" in said


def test_files_gone_that_the_manifest_lists(tmp_path):
    fill(tmp_path, 4, 8)
    pickle(tmp_path, 8).unlink()
    state(tmp_path, 8).unlink()
    name, said = choose(tmp_path)
    assert name == "000004" and "its files are gone" in said


def test_a_snapshot_that_the_manifest_does_not_list_yet_is_taken_by_structure(tmp_path):
    fill(tmp_path, 4)
    stale = (tmp_path / "manifest.json").read_text()
    fill(tmp_path, 8)
    (tmp_path / "manifest.json").write_text(stale)
    choice = newest_good([tmp_path], no_pickle_reader)  # the state vouches for the pickle, so that no unpickling is needed
    assert choice.candidate.name == "000008" and choice.candidate.verified_by == "structure"
    cut(pickle(tmp_path, 8), 3)
    name, said = choose(tmp_path)
    assert name == "000004" and "cut short: 3 of " in said


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format_version": 9, "snapshots": [], "best": {}}', '{"format_version": 1}']
)
def test_a_missing_or_damaged_manifest_is_no_loss(tmp_path, text):
    fill(tmp_path, 4, 8)
    (tmp_path / "manifest.json").write_text(text)
    name, said = choose(tmp_path)
    assert name == "000008" and "manifest.json" in said
    (tmp_path / "manifest.json").unlink()
    name, said = choose(tmp_path)
    assert name == "000008" and "no usable manifest.json" in said
    cut(state(tmp_path, 8), 700)
    name, said = choose(tmp_path)
    assert name == "000004" and "training-state-000008.npz" in said


@pytest.mark.parametrize("name", ["../../000008", "000008/../x", "8", "000008 (1)", 8, None])
def test_a_manifest_that_leads_out_of_its_folder_is_damaged(tmp_path, name):
    fill(tmp_path, 4)
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["snapshots"].append(dict(content["snapshots"][0], name=name))
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    found, said = choose(tmp_path)
    assert found == "000004" and "manifest.json is damaged" in said
    content["snapshots"][1] = dict(content["snapshots"][0], files={"../x.pkl": {"bytes": 1, "sha256": ""}})
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert "manifest.json is damaged" in choose(tmp_path)[1]


def test_a_folder_whose_name_looks_like_a_twin_is_no_twin(tmp_path):
    fill(tmp_path / "mine (1)" / "00000-a", 4)
    choice = newest_good([tmp_path / "mine (1)" / "00000-a"], no_pickle_reader)
    assert choice.candidate.name == "000004" and choice.skipped == ()


def test_a_pickle_of_another_snapshot_is_not_paired(tmp_path):
    fill(tmp_path, 4, 8)
    (tmp_path / "manifest.json").unlink()
    shutil.copy(str(pickle(tmp_path, 4)), str(pickle(tmp_path, 8)))
    name, said = choose(tmp_path)
    assert name == "000004" and "does not have the SHA-256 that its training state gives" in said


def test_a_state_that_names_no_pickle_asks_the_reader(tmp_path):
    for kimg, content in ((4, b"pickle"), (8, b"garbage"), (12, b"")):
        pickle(tmp_path, kimg).write_bytes(content)
        save_state(state(tmp_path, kimg), {"w": np.zeros(2)}, {})
    name, said = choose(tmp_path, plain_reader)
    assert name == "000004"
    assert "000008.pkl cannot be read (ValueError: not a pickle)" in said and "000012.pkl has zero bytes" in said
    RunStore(tmp_path).adopt(SnapshotRecord("000004", 4, 4000, 1.0, {"network-snapshot-000004.pkl": FileRecord(6, "0" * 64)}))
    assert choose(tmp_path, plain_reader)[0] is None  # a reader's word does not stand against the manifest's


def test_a_twin_takes_the_place_of_the_damaged_file(tmp_path):
    fill(tmp_path, 4, 8)
    shutil.copy(str(pickle(tmp_path, 8)), str(tmp_path / "network-snapshot-000008 (1).pkl"))
    cut(pickle(tmp_path, 8), 0)
    choice = newest_good([tmp_path], no_pickle_reader)
    assert choice.candidate.name == "000008" and choice.candidate.pickle.endswith("network-snapshot-000008 (1).pkl")
    assert "zero bytes" in choice.skipped[0] and "Used " in choice.skipped[1]
    (tmp_path / "manifest.json").unlink()
    assert newest_good([tmp_path], no_pickle_reader).candidate.pickle.endswith(" (1).pkl")


def test_a_whole_file_wins_over_its_damaged_twin_silently(tmp_path):
    fill(tmp_path, 4)
    (tmp_path / "training-state-000004 (1).npz").write_bytes(b"")
    assert choose(tmp_path) == ("000004", "")


def test_a_twin_of_the_manifest_counts(tmp_path):
    fill(tmp_path, 4)
    os.rename(str(tmp_path / "manifest.json"), str(tmp_path / "manifest (1).json"))
    (tmp_path / "manifest.json").write_text("{")
    choice = newest_good([tmp_path], no_pickle_reader)
    assert choice.candidate.verified_by == "digest"


def test_parts_and_temporary_files_are_no_candidates(tmp_path):
    fill(tmp_path, 4)
    (tmp_path / "network-snapshot-000008.pkl.7-7.part").write_bytes(b"pickle")
    (tmp_path / "network-snapshot-latest.pkl").write_bytes(b"pickle")
    assert choose(tmp_path) == ("000004", "")


def test_a_drive_that_does_not_answer_gives_a_sentence(tmp_path, monkeypatch):
    fill(tmp_path / "local", 4)
    listdir = os.listdir

    def fail_on_drive(path):
        if "/drive" in str(path):
            raise OSError(107, "Transport endpoint is not connected")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail_on_drive)
    choice = newest_good([tmp_path / "local", tmp_path / "drive"], no_pickle_reader)
    assert choice.candidate.name == "000004" and "Transport endpoint" in choice.skipped[0]


def test_drive_and_local_are_considered_together(tmp_path):
    drive, local = tmp_path / "drive" / "00000-x", tmp_path / "local" / "00000-x"
    fill(drive, 4, 8, 12)
    fill(local, 16)
    both = [tmp_path / "local", tmp_path / "drive"]
    assert latest_run(both, no_pickle_reader).candidate.run_dir == str(local)
    cut(pickle(local, 16), 1)
    choice = latest_run(both, no_pickle_reader)
    assert (choice.candidate.run_dir, choice.candidate.name) == (str(drive), "000012")
    shutil.copytree(str(drive), str(tmp_path / "third"))
    shutil.rmtree(str(local))
    shutil.copytree(str(drive), str(local))
    assert latest_run(both, no_pickle_reader).candidate.run_dir == str(local)  # the nearer of two equals


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
    assert latest_run(tmp_path, no_pickle_reader).candidate.run_dir == str(tmp_path / "00000-a")
    rewrite_times(tmp_path / "00001-b", 1_750_000_000)
    assert latest_run(tmp_path, no_pickle_reader).candidate.run_dir == str(tmp_path / "00001-b")


def test_a_run_without_good_snapshot_is_passed_over_with_a_sentence(tmp_path):
    fill(tmp_path / "00000-a", 4)
    rewrite_times(tmp_path / "00000-a", 1_600_000_000)
    fill(tmp_path / "00001-b", 4)
    cut(state(tmp_path / "00001-b", 4), 9)
    (tmp_path / "00002-c").mkdir()
    (tmp_path / "notes").mkdir()
    choice = latest_run(tmp_path, no_pickle_reader)
    assert choice.candidate.run_dir == str(tmp_path / "00000-a")
    assert any("Run 00001-b has no complete snapshot" in sentence for sentence in choice.skipped)
