"""Choosing what to resume: every kind of damage that Drive is known for, alone and together, with its sentence."""

import json
import os
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from small_files import cut, fill, pickle, state

from sg2ada_colab.storage import check_files
from sg2ada_colab.storage.choose import Candidate, newest_good
from sg2ada_colab.storage.manifest import FileRecord, SnapshotRecord
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import save_state


def plain_reader(path):
    with open(path, "rb") as file:
        if not file.read().startswith(b"pickle"):
            raise ValueError("not a pickle")


def choose(folder):
    choice = newest_good([folder])
    return (choice.candidate.name if choice.candidate else None), " | ".join(choice.skipped)


def test_takes_the_newest_by_its_digest(tmp_path):
    fill(tmp_path, 4, 8, 12)
    choice = newest_good([tmp_path])
    assert choice.candidate.name == "000012" and choice.candidate.kimg == 12 and choice.candidate.verified_by == "digest"
    assert choice.candidate.pickle == str(pickle(tmp_path, 12)) and choice.candidate.state == str(state(tmp_path, 12))
    assert choice.skipped == ()


def test_empty_and_absent_folders_give_none(tmp_path):
    assert choose(tmp_path) == (None, "")
    assert choose(tmp_path / "absent") == (None, "")


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
    choice = newest_good([tmp_path])  # the state vouches for the pickle, so that no unpickling is needed
    assert choice.candidate.name == "000008" and choice.candidate.verified_by == "structure"
    cut(pickle(tmp_path, 8), 3)
    name, said = choose(tmp_path)
    assert name == "000004" and "cut short: 3 of " in said


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "\0" * 200, "[" * 100_000, '{"format_version": 9, "snapshots": [], "best": {}}',
        '{"format_version": 1}', '{"format_version": "1", "snapshots": [], "best": {}}',
        '{"format_version": 1, "snapshots": {}, "best": {}}', '{"format_version": 1, "snapshots": [7], "best": {}}',
        '{"format_version": 1, "snapshots": [], "best": [1]}', '{"format_version": 1, "snapshots": [], "best": {"fid": 7}}',
        '{"format_version": 1, "snapshots": [], "best": {}, "run_id": 7}',
        '{"format_version": 1, "snapshots": [], "best": {}, "run_id": "../x"}',
        '{"format_version": 1, "best": {}, "snapshots": [{"name": "000008", "kimg": 1e999, "time": 1, "files": {}}]}',
        '{"format_version": 1, "best": {}, "snapshots": [{"name": "000008", "kimg": 8, "time": NaN, "files": {}}]}',
        '{"format_version": 1, "best": {}, "snapshots": [{"name": "000008", "kimg": 8, "time": 1, "files": {"a": {}}}]}',
    ],
)  # fmt: skip
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
    choice = newest_good([tmp_path / "mine (1)" / "00000-a"])
    assert choice.candidate.name == "000004" and choice.skipped == ()


def test_a_pickle_of_another_snapshot_is_not_paired(tmp_path):
    fill(tmp_path, 4, 8)
    (tmp_path / "manifest.json").unlink()
    shutil.copy(str(pickle(tmp_path, 4)), str(pickle(tmp_path, 8)))
    name, said = choose(tmp_path)
    assert name == "000004" and "does not have the SHA-256 that its training state gives" in said


def test_a_state_that_names_no_pickle_asks_the_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(check_files, "read_network_pickle", plain_reader)
    for kimg, content in ((4, b"pickle"), (8, b"garbage"), (12, b"")):
        pickle(tmp_path, kimg).write_bytes(content)
        save_state(state(tmp_path, kimg), {"w": np.zeros(2)}, {})
    name, said = choose(tmp_path)
    assert name == "000004"
    assert "000008.pkl cannot be read (ValueError: not a pickle)" in said and "000012.pkl has zero bytes" in said
    RunStore(tmp_path).adopt(SnapshotRecord("000004", 4, 4000, 1.0, {"network-snapshot-000004.pkl": FileRecord(6, "0" * 64)}))
    assert choose(tmp_path)[0] is None  # a reader's word does not stand against the manifest's


def test_a_twin_takes_the_place_of_the_damaged_file(tmp_path):
    fill(tmp_path, 4, 8)
    shutil.copy(str(pickle(tmp_path, 8)), str(tmp_path / "network-snapshot-000008 (1).pkl"))
    cut(pickle(tmp_path, 8), 0)
    choice = newest_good([tmp_path])
    assert choice.candidate.name == "000008" and choice.candidate.pickle.endswith("network-snapshot-000008 (1).pkl")
    assert "zero bytes" in choice.skipped[0] and "Used " in choice.skipped[1]
    (tmp_path / "manifest.json").unlink()
    assert newest_good([tmp_path]).candidate.pickle.endswith(" (1).pkl")


def test_a_whole_file_wins_over_its_damaged_twin_silently(tmp_path):
    fill(tmp_path, 4)
    (tmp_path / "training-state-000004 (1).npz").write_bytes(b"")
    assert choose(tmp_path) == ("000004", "")


def test_a_twin_of_the_manifest_counts(tmp_path):
    fill(tmp_path, 4)
    os.rename(str(tmp_path / "manifest.json"), str(tmp_path / "manifest (1).json"))
    (tmp_path / "manifest.json").write_text("{")
    choice = newest_good([tmp_path])
    assert choice.candidate.verified_by == "digest"


def test_parts_and_temporary_files_are_no_candidates(tmp_path):
    fill(tmp_path, 4)
    (tmp_path / "network-snapshot-000008.pkl.7-7.part").write_bytes(b"pickle")
    (tmp_path / "network-snapshot-latest.pkl").write_bytes(b"pickle")
    assert choose(tmp_path) == ("000004", "")


def test_a_drive_that_does_not_answer_gives_a_sentence(tmp_path, monkeypatch, no_pauses):
    fill(tmp_path / "local", 4)
    listdir = os.listdir

    def fail_on_drive(path):
        if "/drive" in str(path):
            raise OSError(107, "Transport endpoint is not connected")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail_on_drive)
    choice = newest_good([tmp_path / "local", tmp_path / "drive"])
    assert choice.candidate.name == "000004" and "Transport endpoint" in choice.skipped[0]


def test_a_verified_candidate_is_handed_on_as_json_and_knows_whether_it_is_still_the_newest(tmp_path):
    fill(tmp_path / "a", 4, 8)
    candidate = newest_good([tmp_path / "a"]).candidate
    assert Candidate.from_dict(json.loads(json.dumps(asdict(candidate)))) == candidate
    assert candidate.record == RunStore(tmp_path / "a").record("000008") and candidate.is_newest()
    assert candidate.moved_to(tmp_path / "a") is candidate
    moved = candidate.moved_to(tmp_path / "b")
    assert (moved.pickle, moved.state) == (str(pickle(tmp_path / "b", 8)), str(state(tmp_path / "b", 8)))
    fill(tmp_path / "a", 12)
    assert not candidate.is_newest() and not moved.is_newest()


def test_a_candidate_that_no_manifest_lists_carries_what_was_verified(tmp_path):
    fill(tmp_path, 4, 8)
    record = RunStore(tmp_path).record("000008")
    (tmp_path / "manifest.json").unlink()
    candidate = newest_good([tmp_path]).candidate
    assert candidate.verified_by == "structure" and candidate.record == record
