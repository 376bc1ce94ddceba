"""RunStore: what a snapshot writes, that its manifest tells the truth, and the writer thread."""

import hashlib
import json
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.run_files import pickle_name, state_name
from sg2ada_colab.storage.retention import Retention
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state


def write(store, kimg, content=None, **meta):
    content = content if content is not None else b"pickle of %d" % kimg
    meta = dict(meta, nimg=kimg * 1000 + 16)
    store.write_snapshot_async(kimg, lambda file: file.write(content), {"w": np.full([3], kimg)}, meta)
    store.wait()
    name = store.snapshots()[-1].name
    pickle, state = (store.path(file_of(name)) for file_of in (pickle_name, state_name))
    return SimpleNamespace(name=name, pickle=pickle, state=state, manifest=store.path("manifest.json"))


def test_manifest_tells_what_lies_in_the_folder(tmp_path):
    paths = write(RunStore(tmp_path / "00000-x"), 12)
    assert [os.path.basename(path) for path in (paths.pickle, paths.state, paths.manifest)] == [
        "network-snapshot-000012.pkl",
        "training-state-000012.npz",
        "manifest.json",
    ]
    with open(paths.manifest) as file:
        manifest = json.load(file)
    assert manifest["format_version"] == 1
    (snapshot,) = manifest["snapshots"]
    assert (snapshot["name"], snapshot["kimg"], snapshot["nimg"]) == ("000012", 12, 12016)
    assert sorted(snapshot["files"]) == ["network-snapshot-000012.pkl", "training-state-000012.npz"]
    for name, record in snapshot["files"].items():
        content = (tmp_path / "00000-x" / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert len(os.listdir(str(tmp_path / "00000-x"))) == 3


def test_the_state_names_its_pickle(tmp_path):
    paths = write(RunStore(tmp_path), 3, b"weights")
    arrays, meta = load_state(paths.state)
    assert arrays["w"].tolist() == [3, 3, 3] and meta["nimg"] == 3016
    assert meta["snapshot"]["pickle"] == {"bytes": 7, "sha256": hashlib.sha256(b"weights").hexdigest()}


def test_a_second_store_goes_on_with_the_manifest(tmp_path):
    write(RunStore(tmp_path), 4)
    store = RunStore(tmp_path)
    write(store, 8)
    assert [record.name for record in RunStore(tmp_path).snapshots()] == ["000004", "000008"]


def test_a_name_is_written_once(tmp_path):
    store = RunStore(tmp_path)
    first = write(store, 0, b"one")
    second, third = write(store, 0, b"two"), write(store, 0, b"three")
    assert [paths.name for paths in (first, second, third)] == ["000000", "000000-1", "000000-2"]
    assert os.path.basename(second.pickle) == "network-snapshot-000000-1.pkl"
    with open(first.pickle, "rb") as file:
        assert file.read() == b"one"
    assert store.newest_good().name == "000000-2"


def test_a_name_comes_after_what_a_fetched_run_begins_with(tmp_path):
    store = RunStore(tmp_path)
    for content in (b"one", b"two", b"three"):
        write(store, 0, content)
    store.prune(Retention(1), lambda record: True)
    assert [record.name for record in store.snapshots()] == ["000000-2"]
    assert write(RunStore(tmp_path), 0, b"four").name == "000000-3"
    assert RunStore(tmp_path).newest_good().name == "000000-3"


def test_a_failing_pickle_leaves_the_folder_as_it_was(tmp_path):
    store = RunStore(tmp_path)
    write(store, 4)
    before = sorted(os.listdir(str(tmp_path)))

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.write_snapshot_async(8, fail, {}, {})
        store.wait()
    assert sorted(os.listdir(str(tmp_path))) == before
    assert store.newest_good().name == "000004"


def test_asynchronous_write_returns_before_the_pickle_is_written_and_waits_for_the_one_before(tmp_path):
    store, may_write, log = RunStore(tmp_path), threading.Event(), []

    def slow(file):
        log.append("started")
        assert may_write.wait(60)
        file.write(b"slow")
        log.append("done")

    store.write_snapshot_async(4, slow, {"w": np.zeros(2)}, {})
    assert "done" not in log and store.snapshots() == []
    threading.Timer(0.2, may_write.set).start()
    store.write_snapshot_async(8, lambda file: log.append("second"), {}, {})  # at most one is pending, so this waits
    assert log[:2] == ["started", "done"]
    store.close()
    assert log == ["started", "done", "second"]
    assert [record.name for record in store.snapshots()] == ["000004", "000008"]


@pytest.mark.parametrize("surface", ["wait", "close", "async"])
def test_an_error_of_the_writer_surfaces_once_at_the_next_call(tmp_path, surface):
    store = RunStore(tmp_path)

    def fail(file):
        raise OSError(28, "No space left on device")

    store.write_snapshot_async(4, fail, {}, {})
    calls = {
        "wait": store.wait,
        "close": store.close,
        "async": lambda: store.write_snapshot_async(8, lambda file: None, {}, {}),
    }
    with pytest.raises(OSError, match="No space"):
        calls[surface]()
    calls[surface]()
    store.close()


def test_retention_after_each_snapshot_keeps_the_best_too(tmp_path):
    store = RunStore(tmp_path, Retention(keep_last=2))
    for kimg, fid in ((4, 50.0), (8, 20.0), (12, 30.0), (16, 40.0), (20, 45.0)):
        paths = write(store, kimg)
        assert store.note_metric(paths.name, "fid50k_full", fid) == (fid in (50.0, 20.0))
    assert [record.name for record in store.snapshots()] == ["000008", "000016", "000020"]
    assert store.best() == {"fid50k_full": (20.0, "000008")} == RunStore(tmp_path).best()
    assert len(os.listdir(str(tmp_path))) == 7


def test_a_higher_metric_can_be_the_better_one(tmp_path):
    store = RunStore(tmp_path)
    assert store.note_metric("000004", "is50k", 3.0, lower_is_better=False)
    assert not store.note_metric("000008", "is50k", 2.0, lower_is_better=False)
    assert store.note_metric("000012", "is50k", 4.0, lower_is_better=False)


def test_says_when_a_snapshot_is_there(tmp_path):
    calls = []
    store = RunStore(tmp_path, on_written=lambda: calls.append(len(store.snapshots())))
    write(store, 4)
    store.write_snapshot_async(8, lambda file: None, {}, {})
    store.close()
    assert calls == [1, 2]


def test_best_metrics_are_taken_over(tmp_path):
    store = RunStore(tmp_path)
    store.note_metric("000004", "fid50k_full", 9.0)
    store.adopt_best({"fid50k_full": (8.0, "000002"), "kid50k_full": (0.5, "000002")})
    assert RunStore(tmp_path).best() == {"fid50k_full": (8.0, "000002"), "kid50k_full": (0.5, "000002")}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_number_is_nobodys_best(tmp_path, value):
    store = RunStore(tmp_path)
    write(store, 2)
    assert not store.note_metric("000002", "fid50k_full", value) and store.best() == {}
    store.adopt_best({"fid50k_full": (value, "000002"), "kid50k_full": (0.5, "000002")})
    assert store.best() == {"kid50k_full": (0.5, "000002")}
    assert store.note_metric("000002", "fid50k_full", 9.0) and not store.note_metric("000002", "fid50k_full", value)
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["best"]["is50k"] = [value, "000002"]  # as an older version noted it
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert RunStore(tmp_path).best() == {"kid50k_full": (0.5, "000002"), "fid50k_full": (9.0, "000002")}
