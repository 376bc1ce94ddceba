"""A snapshot that reads but is not of this run's networks: the one before it is gone on from, with one sentence."""

import shutil

import numpy as np
import pytest

from sg2ada_colab.config.options_file import read_run_id
from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.runs.start import find_snapshot, start
from sg2ada_colab.storage.manifest import FileRecord
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state, save_state

from .conftest import leave_out_the_arithmetic

pytestmark = pytest.mark.once


def rewritten(run, name, change):
    """Change a training state by one array or counter, as if it had been written so: seal, digest and manifest agree."""
    arrays, meta = load_state(run / f"training-state-{name}.npz")
    change(arrays, meta)
    save_state(run / f"training-state-{name}.npz", arrays, meta)
    store = RunStore(run)
    record = store.record(name)
    record.files[f"training-state-{name}.npz"] = FileRecord(*sha256_of(run / f"training-state-{name}.npz"))
    store.adopt(record)


def other_shape(arrays, meta):
    key = next(name for name, array in arrays.items() if array.ndim == 2)
    arrays[key] = np.ascontiguousarray(arrays[key][:, 1:])


def no_array(arrays, meta):
    del arrays["pl_mean"]


def text(arrays, meta):
    arrays["pl_mean"] = np.array("text")


def unknown_counter(arrays, meta):
    meta["counters"]["of the future"] = 1


def no_controller_sums(arrays, meta):
    del meta["controller"]["sums"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a function that makes a run of a config, once, and copies it to a folder."""
    done = {}

    def copy(config, run):
        if not done:
            done["run"] = tmp_path_factory.mktemp("whole") / "run"
            with pytest.MonkeyPatch.context() as monkeypatch:
                leave_out_the_arithmetic(monkeypatch)
                assert start(config, done["run"], quiet=True) == 0
        shutil.copytree(str(done["run"]), str(run))

    return copy


@pytest.mark.parametrize("change", [other_shape, no_array, text, unknown_counter, no_controller_sums])
def test_the_snapshot_before_is_gone_on_from(untrained, whole, tiny_config, tmp_path, change):
    run, config = tmp_path / "run", tiny_config(augpipe="noise")
    whole(config, run)
    names = [record.name for record in RunStore(run).snapshots()]
    rewritten(run, names[-1], change)
    assert find_snapshot(RunStore(run))[0].name == names[-1]  # nothing shows before the networks are there
    assert start(config, run, resume=True, quiet=True) == 0
    log = (run / "log.txt").read_text(encoding="utf-8")
    passed = [line for line in log.splitlines() if line.startswith("Passed over: ")]
    assert len(passed) == 1 and f"training-state-{names[-1]}.npz does not fit this run (" in passed[0], passed
    assert f"Going on from network-snapshot-{names[-2]}.pkl." in log
    assert read_run_id(run) == RunStore(run).run_id


def test_where_none_fits_all_are_named(untrained, whole, tiny_config, tmp_path):
    run, config = tmp_path / "run", tiny_config(augpipe="noise")
    whole(config, run)
    names = [record.name for record in RunStore(run).snapshots()]
    for name in names:
        rewritten(run, name, no_array)
    with pytest.raises(UserError, match="has no snapshot to go on from") as error:
        start(config, run, resume=True, quiet=True)
    assert error.value.what.count("does not fit this run (KeyError: 'pl_mean')") == len(names)
