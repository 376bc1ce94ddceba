"""A run's identity: what belongs to another run, or contradicts the manifest, is never taken, and the sentence names it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.config.options_file import RUN_ID_KEY, read_run_id
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.tidy import tidy
from sg2ada_colab.storage.training_state import load_state, save_state

OLD = Path(__file__).parents[1] / "data" / "run_d2344e7" / "run"
OURS, OTHERS = "a" * 32, "b" * 32


def fill(folder, run_id, *kimgs, seed=0):
    store = RunStore(folder)
    store.identify(run_id)
    write_options(folder, run_id)
    for kimg in kimgs:
        content = b"pickle %d of seed %d" % (kimg, seed)
        store.write_snapshot_async(
            kimg, lambda file, content=content: file.write(content), {"w": np.full([5], seed)}, {"nimg": kimg * 1000}
        )
        store.wait()
    return folder


def write_options(folder, run_id):
    options = {"total_kimg": 100, "sg2ada": {}}
    (folder / "training_options.json").write_text(json.dumps(dict(options, **({RUN_ID_KEY: run_id} if run_id else {}))))


def files(kimg):
    return [f"network-snapshot-{kimg:06d}.pkl", f"training-state-{kimg:06d}.npz"]


def copy(source, target, kimg):
    for name in files(kimg):
        shutil.copy(str(source / name), str(target / name))


def without_manifest(folder, run_id):
    """Leave what an older version's folder, or one whose manifest is lost, says of the run."""
    (folder / "manifest.json").unlink()
    write_options(folder, run_id)


@pytest.fixture
def two(tmp_path):
    ours = fill(tmp_path / "00000-ours", OURS, 4, 8)
    others = fill(tmp_path / "00001-others-long", OTHERS, 4, 8, 12, seed=1)
    return ours, others


def test_state_and_manifest_carry_the_identity_and_the_pickle_does_not(two):
    ours, _ = two
    assert load_state(ours / files(8)[1])[1]["snapshot"]["run_id"] == OURS
    assert json.loads((ours / "manifest.json").read_text())["run_id"] == OURS == RunStore(ours).run_id
    assert OURS.encode() not in (ours / files(8)[0]).read_bytes()
    assert newest_good([ours]).candidate.run_id == OURS


def test_files_of_another_run_under_listed_names_are_not_taken(two):
    ours, others = two
    copy(others, ours, 8)
    choice = newest_good([ours])
    assert choice.candidate.name == "000004" and len(choice.skipped) == 2
    assert f"{files(8)[0]} does not have the SHA-256 that manifest.json gives" in choice.skipped[0]
    assert (
        f"{files(8)[1]} has another size" in choice.skipped[1]
    )  # its run has a longer name, by more than the digits of a time differ


def test_files_of_another_run_that_no_manifest_lists_are_named(two):
    ours, others = two
    copy(others, ours, 12)
    choice = newest_good([ours])
    assert choice.candidate.name == "000008"
    (sentence,) = choice.skipped
    assert sentence == (
        f"{ours / files(12)[1]} belongs to another run (00001-others-long): its identity is bbbbbbbb…, this run's is aaaaaaaa…; "
        "it is not taken."
    )
    assert tidy(RunStore(ours)) == [] and (ours / files(12)[1]).exists()  # not ours to delete


def test_a_manifest_of_another_run_is_not_believed(two):
    ours, others = two
    for name in ("manifest.json",) + tuple(files(8)):
        shutil.copy(str(others / name), str(ours / name))
    choice = newest_good([ours])
    assert choice.candidate.name == "000004" and choice.candidate.verified_by == "structure"
    assert any("manifest.json belongs to another run" in one and "it is not believed" in one for one in choice.skipped)
    assert any("belongs to another run (00001-others-long)" in one for one in choice.skipped)


def test_a_run_of_an_older_version_does_not_take_a_newer_runs_files(two, tmp_path):
    _, others = two
    old = Path(shutil.copytree(str(OLD), str(tmp_path / "00002-old")))
    copy(others, old, 12)
    choice = newest_good([old])
    assert choice.candidate.name == "000000-2" and choice.candidate.run_id is None and choice.candidate.verified_by == "digest"
    assert "belongs to another run (00001-others-long)" in choice.skipped[0] and "this run has none yet" in choice.skipped[0]


def test_files_without_identity_are_taken_where_the_manifest_agrees_or_is_silent(tmp_path):
    old = Path(shutil.copytree(str(OLD), str(tmp_path / "00002-old")))
    write_options(old, OURS)  # the run has meanwhile gone on with this version
    assert newest_good([old]).candidate.verified_by == "digest"
    (old / "manifest.json").unlink()
    assert newest_good([old]).candidate.verified_by == "structure"
    shutil.copy(str(OLD / "manifest.json"), str(old / "manifest.json"))
    for kind, ending in (("network-snapshot", "pkl"), ("training-state", "npz")):
        shutil.copy(str(OLD / f"{kind}-000000-1.{ending}"), str(old / f"{kind}-000000-2.{ending}"))
    choice = newest_good([old])
    assert choice.candidate.name == "000000-1" and len(choice.skipped) == 2
    assert "network-snapshot-000000-2.pkl does not have the SHA-256 that manifest.json gives" in choice.skipped[0]
    assert "training-state-000000-2.npz has another size" in choice.skipped[1] or "is cut short" in choice.skipped[1]


def test_a_folder_in_which_nothing_else_says_the_run_takes_what_its_states_say(two):
    ours, _ = two
    (ours / "manifest.json").unlink()
    (ours / "training_options.json").unlink()
    choice = newest_good([ours])
    assert choice.candidate.name == "000008" and choice.candidate.run_id == OURS
    with RunKeeper(RunStore(ours), known=choice.candidate) as keeper:
        assert keeper.store.run_id == OURS


def test_two_places_that_hold_two_runs_are_not_one(two):
    ours, others = two
    choice = newest_good([ours, others])
    assert choice.candidate.run_dir == str(ours) and choice.candidate.name == "000008"
    assert any(f"{others} belongs to another run" in one and "nothing of it is taken" in one for one in choice.skipped)
    with pytest.raises(UserError, match="belongs to another run") as error:
        RunKeeper(RunStore(ours), others)
    assert "give it another number" in error.value.next_step and not (others / "lease.json").exists()


def test_a_run_without_an_identity_gets_one_and_drive_gets_it_first(tmp_path):
    old, drive = Path(shutil.copytree(str(OLD), str(tmp_path / "00002-old"))), tmp_path / "drive" / "00002-old"
    shutil.copytree(str(OLD), str(drive))
    with RunKeeper(RunStore(old), drive, settle_s=0, say=print) as keeper:
        run_id = keeper.store.run_id
        assert len(run_id) == 32
        keeper.store.write_snapshot_async(1, lambda file: file.write(b"pickle"), {"w": np.ones(3)}, {"nimg": 1000})
        assert keeper.finish(30)
    assert RunStore(drive).run_id == run_id == newest_good([drive]).candidate.run_id
    assert read_run_id(old) is None  # `start` writes the options
    with RunKeeper(RunStore(old)) as keeper:
        assert keeper.store.run_id == run_id


def test_a_name_that_drive_has_used_is_not_used_again(two, tmp_path):
    ours, _ = two
    with RunKeeper(RunStore(tmp_path / "here" / ours.name), ours, settle_s=0, say=print) as keeper:
        assert keeper.store.run_id == OURS
        keeper.store.write_snapshot_async(8, lambda file: file.write(b"other pickle"), {"w": np.ones(3)}, {"nimg": 8000})
        assert keeper.finish(30)
    assert [record.name for record in RunStore(ours).snapshots()] == ["000004", "000008", "000008-1"]


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "<img onerror=x>", "x" * 500])
def test_the_name_of_another_run_reaches_the_sentence_cleaned(tmp_path, name):
    ours = fill(tmp_path / "00000-ours", OURS, 4)
    save_state(ours / files(12)[1], {"w": np.ones(2)}, {"nimg": 12_000, "snapshot": {"run_id": OTHERS, "run": name}})
    (ours / files(12)[0]).write_bytes(b"pickle")
    (sentence,) = newest_good([ours]).skipped
    assert sentence.isprintable() and "<" not in sentence and len(sentence) < 400
