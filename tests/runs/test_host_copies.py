"""Copies for snapshots: what the state holds, in memory that is taken once; and what a failed write leaves to do."""

import errno
import os

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import read_network_pickle
from sg2ada_colab.runs.callbacks import Snapshots, snapshot_of
from sg2ada_colab.runs.host_copies import HostCopies
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.training.state import REST

from ..training.test_state import tiny_state
from .conftest import progress_of


@pytest.fixture
def state():
    return tiny_state()


def assert_copied(state, parts):
    expected = {part: {name: variable.numpy() for name, variable in named.items()} for part, named in state.variables().items()}
    assert list(parts) == list(expected) == ["G", "D", "Gs", REST]
    for part, named in expected.items():
        assert list(parts[part]) == list(named)
        for name, value in named.items():
            copy = parts[part][name]
            assert copy.dtype == value.dtype and copy.shape == value.shape and copy.tobytes() == value.tobytes()


def test_a_copy_holds_what_the_state_holds_and_does_not_follow_it(state):
    copies = HostCopies(state.variables())
    parts = copies.take()
    assert_copied(state, parts)
    before = {name: np.array(value) for name, value in parts["G"].items()}
    for variable in state.G.variables.values():
        variable.assign_add(np.ones(variable.shape.as_list(), np.float32))
    for name, value in before.items():
        np.testing.assert_array_equal(parts["G"][name], value, err_msg=name)
    assert_copied(state, copies.take())


def test_a_snapshot_says_what_its_networks_are(state):
    networks, _, _ = state.save(HostCopies(state.variables()).take)
    for network in snapshot_of(state, networks).networks():
        trained = getattr(state, network.name)
        assert network.kwargs == trained.config.to_kwargs() and list(network.variables) == list(trained.variables)


def test_the_memory_is_taken_once(state):
    copies = HostCopies(state.variables())

    def places():
        return [array.__array_interface__["data"][0] for named in copies.take().values() for array in named.values()]

    assert places() == places()


# --- the callback that takes them


@pytest.fixture
def saving(state, tiny_config, tmp_path, said):
    """Return (Snapshots, its store, progress, the lines of its log)."""
    store = RunStore(tmp_path / "run")
    config = tiny_config()
    snapshots, progress = Snapshots(store, config, said), progress_of(config, state)
    snapshots.on_start(progress)
    return snapshots, store, progress, said


def fail_once(monkeypatch, times=1):
    """Let the next writes of a snapshot fail with a full disk."""
    from sg2ada_colab.storage import store as module

    real, left = module.atomic_file, [times]

    def full(path, written=None):
        if left[0] and str(path).endswith(".pkl"):
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, written)

    monkeypatch.setattr(module, "atomic_file", full)


def test_a_second_snapshot_waits_until_the_first_is_out_of_its_memory(saving):
    snapshots, store, progress, _ = saving
    state = progress.state
    expected = []
    for number in range(3):
        state.counters.nimg = 1000 * number
        for variable in state.G.variables.values():
            variable.assign(np.full(variable.shape.as_list(), number, np.float32))
        snapshots.save(progress)
        expected.append(number)
    store.close()
    for number, record in zip(expected, store.snapshots()):
        written = read_network_pickle(store.path(f"network-snapshot-{record.name}.pkl"))
        assert all(np.all(value == number) for value in written.G.variables.values())
        assert load_state(store.path(f"training-state-{record.name}.npz"))[1]["nimg"] == 1000 * number


def test_a_snapshot_that_failed_is_written_at_the_end_though_nothing_was_trained_since(saving, monkeypatch):
    snapshots, store, progress, said = saving
    fail_once(monkeypatch)
    progress.state.counters.nimg = 4000
    snapshots.save(progress)  # fails in the background
    progress.stopped = "interrupted"
    snapshots.on_end(progress)
    assert [record.nimg for record in store.snapshots()] == [4000]
    assert "could not be written" in said[0] and "Saved" in said[1]
    assert said.notes == [("warning", said[0])], "the panel shows it"


def test_a_failure_of_the_one_before_does_not_cost_the_next(saving, monkeypatch):
    snapshots, store, progress, said = saving
    fail_once(monkeypatch)
    for nimg in (4000, 8000):
        progress.state.counters.nimg = nimg
        snapshots.save(progress)
    store.close()
    assert [record.nimg for record in store.snapshots()] == [8000] and len(said) == 1


def test_the_end_waits_for_the_snapshot_of_the_same_moment(saving, monkeypatch):
    snapshots, store, progress, _ = saving
    fail_once(monkeypatch, times=2)
    progress.state.counters.nimg = 4000
    snapshots.save(progress)
    progress.done = True
    with pytest.raises(UserError, match="could not be written"):
        snapshots.on_end(progress)
