"""Order after a crash: what is whole gets listed, what was cut short goes, what may be a person's stays."""

import os

import numpy as np
import pytest

from sg2ada_colab.storage import check_files
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.tidy import tidy


@pytest.fixture
def folder(tmp_path):
    store = RunStore(tmp_path)
    for kimg in (4, 8, 12):
        content = b"pickle %d" % kimg
        store.write_snapshot_async(
            kimg, lambda file, content=content: file.write(content), {"w": np.ones(9)}, {"nimg": kimg * 1000}
        )
        store.wait()
    return tmp_path


def names(folder):
    return sorted(os.listdir(str(folder)))


def test_whole_snapshots_enter_a_lost_manifest_again(folder):
    before = RunStore(folder).snapshots()
    (folder / "manifest.json").unlink()
    store = RunStore(folder)
    assert store.snapshots() == [] and tidy(store) == []
    assert store.snapshots() == before == RunStore(folder).snapshots()


def test_a_cut_off_copy_goes(folder):
    (folder / "manifest.json").unlink()
    pickle = folder / "network-snapshot-000012.pkl"
    pickle.write_bytes(pickle.read_bytes()[:3])
    state = folder / "training-state-000008.npz"
    state.write_bytes(state.read_bytes()[:-30])
    gone = tidy(RunStore(folder))
    assert sorted(gone) == ["network-snapshot-000012.pkl", "training-state-000008.npz", "training-state-000012.npz"]
    assert "network-snapshot-000008.pkl" in names(folder)  # it may be whole: nothing says otherwise
    assert [record.name for record in RunStore(folder).snapshots()] == ["000004"]


def test_half_written_files_and_lone_states_go_and_lone_pickles_stay(folder):
    for name in ("network-snapshot-000016.pkl.77-1.part", "network-snapshot-000020.pkl", "log.txt", "training-state-000024.npz"):
        (folder / name).write_bytes(b"x")
    expected = [name for name in names(folder) if not name.endswith((".part", "000024.npz"))]
    tidy(RunStore(folder))
    assert names(folder) == expected


def test_what_does_not_read_for_a_moment_stays(folder, monkeypatch):
    (folder / "manifest.json").unlink()
    before = names(folder)

    def fails(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(check_files, "with_retries", fails)  # longer than the retries last; what `tidy` reads next works again
    assert tidy(RunStore(folder)) == [] and names(folder) == before
    monkeypatch.undo()
    tidy(RunStore(folder))
    assert [record.name for record in RunStore(folder).snapshots()] == ["000004", "000008", "000012"]


def test_listed_snapshots_are_left_to_retention(folder):
    (folder / "network-snapshot-000012.pkl").write_bytes(b"")
    before = names(folder)
    assert tidy(RunStore(folder)) == [] and names(folder) == before
