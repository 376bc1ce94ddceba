"""Copies for snapshots: what the state holds, in memory that is taken once; and what a failed write leaves to do."""

import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.runs.callbacks import Snapshots
from sg2ada_colab.runs.host_copies import HostCopies
from sg2ada_colab.snapshots.network_pickle import read_network_pickle
from sg2ada_colab.snapshots.store import RunStore
from sg2ada_colab.snapshots.training_state import load_state
from sg2ada_colab.training.loop import Means
from sg2ada_colab.training.state import TrainState


@pytest.fixture
def state():
    """A TrainState of a tiny network."""
    size = {"resolution": 8, "fmap_base": 32, "fmap_max": 8}
    settings = {
        "G_lr": 0.002, "D_lr": 0.002, "beta1": 0.5, "beta2": 0.99, "g_reg_interval": 4, "d_reg_interval": 16,
        "freeze_layers": 0, "seed": 3, "num_fp16_res": 0,
    }  # fmt: skip
    return TrainState(GeneratorConfig(latent_size=16, dlatent_size=16, **size), DiscriminatorConfig(**size), settings)


def assert_copied(state, snapshot, arrays):
    for name in ("G", "D", "Gs"):
        copy, network = getattr(snapshot, name), getattr(state, name)
        assert copy.kwargs == network.config.to_kwargs() and list(copy.variables) == list(network.variables)
        for key, value in network.get_values().items():
            assert copy.variables[key].dtype == value.dtype and copy.variables[key].tobytes() == value.tobytes()
    expected = state.arrays()
    assert list(arrays) == list(expected)
    for key, value in expected.items():
        assert arrays[key].dtype == value.dtype and arrays[key].shape == value.shape and arrays[key].tobytes() == value.tobytes()


def test_a_copy_holds_what_the_state_holds_and_does_not_follow_it(state):
    copies = HostCopies(state)
    snapshot, arrays = copies.take()
    assert_copied(state, snapshot, arrays)
    before = {name: np.array(value) for name, value in snapshot.G.variables.items()}
    for variable in state.G.variables.values():
        variable.assign_add(np.ones(variable.shape.as_list(), np.float32))
    for name, value in before.items():
        np.testing.assert_array_equal(snapshot.G.variables[name], value, err_msg=name)
    again, arrays = copies.take()
    assert_copied(state, again, arrays)


def test_the_memory_is_taken_once(state):
    copies = HostCopies(state)

    def places():
        snapshot, arrays = copies.take()
        found = [array for network in snapshot.networks() for array in network.variables.values()]
        return [array.__array_interface__["data"][0] for array in found + list(arrays.values())]

    assert places() == places()


# --- the callback that takes them


def progress_of(state, **more):
    return SimpleNamespace(state=state, unreported=Means(), stopped=None, done=False, **more)


@pytest.fixture
def saving(state, tmp_path):
    """Return (Snapshots, its store, progress, the lines of its log)."""
    said, store = [], RunStore(tmp_path / "run")
    config = SimpleNamespace(network_snapshot_ticks=1, snapshot_seconds=None)
    snapshots, progress = Snapshots(store, config, said.append), progress_of(state)
    snapshots.on_start(progress)
    return snapshots, store, progress, said


def fail_once(monkeypatch, times=1):
    """Let the next writes of a snapshot fail with a full disk."""
    from sg2ada_colab.snapshots import store as module

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
        written = read_network_pickle(store.path("network-snapshot-{}.pkl".format(record.name)))
        assert all(np.all(value == number) for value in written.G.variables.values())
        assert load_state(store.path("training-state-{}.npz".format(record.name)))[1]["nimg"] == 1000 * number


def test_a_snapshot_that_failed_is_written_at_the_end_though_nothing_was_trained_since(saving, monkeypatch):
    snapshots, store, progress, said = saving
    fail_once(monkeypatch)
    progress.state.counters.nimg = 4000
    snapshots.save(progress)  # fails in the background
    progress.stopped = "interrupted"
    snapshots.on_end(progress)
    assert [record.nimg for record in store.snapshots()] == [4000]
    assert "could not be written" in said[0] and "Saved" in said[1]


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
