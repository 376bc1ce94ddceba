"""Beginning with another run's networks, held-out images, metrics that fail, a full disk, wrong data."""

import errno
import json
import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from sg2ada_colab import files as atomic
from sg2ada_colab.config.options_file import read_config
from sg2ada_colab.dataset.classic.packing import PackOptions, pack, unpack
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.metrics import snapshots
from sg2ada_colab.runs import callbacks
from sg2ada_colab.runs import start as start_module
from sg2ada_colab.runs.start import find_snapshot, start
from sg2ada_colab.runs.transfer import adopt_architecture
from sg2ada_colab.storage import store
from sg2ada_colab.storage.run_folder import events
from sg2ada_colab.storage.saved_config import CONFIG_KEY
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.tf import IS_TF1, repeatable_names
from sg2ada_colab.training.loop import Callback

from .conftest import leave_out_the_arithmetic


class AtStart(Callback):
    """Keeps the values of the networks before the first minibatch."""

    def on_start(self, progress):
        self.G, self.Gs = progress.state.G.get_values(), progress.state.Gs.get_values()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, request):
    """Return a function that makes a run of a config, without the arithmetic, and returns the path of its last pickle."""
    done = {}

    def run(config):
        if not done:
            folder = tmp_path_factory.mktemp("trained") / "run"
            with pytest.MonkeyPatch.context() as monkeypatch:
                leave_out_the_arithmetic(monkeypatch)
                start(config, str(folder), quiet=True)
            done["pickle"] = find_snapshot(RunStore(folder))[0].pickle
        return done["pickle"]

    return run


def test_a_run_takes_over_networks_and_their_architecture(tiny_config, trained, tmp_path):
    pickle = trained(tiny_config(map_depth=3))
    config = tiny_config(resume=pickle, aug="noaug")
    assert config.mapping_layers == 2
    seen = AtStart()
    assert start(config, str(tmp_path / "run"), quiet=True, extra_callbacks=[seen]) == 0
    source = read_snapshot(pickle)
    assert sorted(seen.G) == sorted(source.G.variables)
    for name, value in source.Gs.variables.items():
        np.testing.assert_array_equal(seen.Gs[name], value, err_msg=name)
    saved = read_config(str(tmp_path / "run"))
    assert saved.mapping_layers == 3
    assert any("G's mapping layers: 3, where the options say 2" in note for note in saved.notes)


@pytest.mark.usefixtures("untrained")
def test_what_fits_is_taken_over_on_request(tiny_config, trained, tmp_path):
    pickle = trained(tiny_config(map_depth=3))
    config = tiny_config(resume=pickle, resume_partial=True)
    assert config.mapping_layers == 2
    seen, run = AtStart(), tmp_path / "run"
    assert start(config, str(run), quiet=True, extra_callbacks=[seen]) == 0
    source = read_snapshot(pickle)
    np.testing.assert_array_equal(seen.G["synthesis/8x8/Conv1/weight"], source.G.variables["synthesis/8x8/Conv1/weight"])
    log = (run / "log.txt").read_text()
    assert "G synthesis/8x8/Conv1: copied" in log and "G mapping/Dense2: copied" in log and "left behind" not in log
    (event,) = [event for event in events(run) if event["kind"] == "device"]
    assert log.splitlines()[0].endswith(f", {event['text']}.") and abs(event["time"] - time.time()) < 3600
    assert read_config(str(run)).mapping_layers == 3


@pytest.mark.usefixtures("untrained")
def test_a_depth_that_is_given_wins_over_what_fits_and_is_told(tiny_config, trained, tmp_path):
    config = tiny_config(resume=trained(tiny_config(map_depth=3)), resume_partial=True, map_depth=2)
    assert start(config, str(tmp_path / "run"), quiet=True) == 0
    saved = read_config(str(tmp_path / "run"))
    assert saved.mapping_layers == 2 and "Left behind: G mapping/Dense2." in saved.notes


def test_networks_of_another_size_are_refused_with_the_remedy(tiny_config, trained):
    source = read_snapshot(trained(tiny_config(map_depth=3)))
    config = tiny_config(resume="other.pkl")
    other = dict(config.G, resolution=16)
    with pytest.raises(UserError, match="Resolution: the snapshot has 8, this run wants 16") as info:
        adopt_architecture(replace(config, G=other), source)
    assert "prepare" in info.value.next_step


@pytest.mark.usefixtures("untrained")  # D judges the held-out images all the same
def test_validation_images_reach_the_controller(tiny_config, tiny_dataset, tmp_path):
    folder = str(tmp_path / "withvalid")
    unpacked = str(tmp_path / "unpacked")
    unpack(tiny_dataset, unpacked, progress=False)
    pack(unpacked, folder, PackOptions(num_train=30, num_validation=10), progress=False)
    config = tiny_config(data=folder, aug="adarv", target=0.0)
    run = tmp_path / "run"
    assert start(config, str(run), quiet=True) == 0
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert all("Loss/scores/valid" in line for line in lines)
    meta = load_state(find_snapshot(RunStore(run))[0].state)[1]
    assert meta["controller"]["statistic"] is not None
    assert meta[CONFIG_KEY] == config.to_dict(), "each state holds the run's settings, too"


@pytest.mark.usefixtures("untrained")
def test_a_metric_that_fails_does_not_stop_training(tiny_config, tmp_path, monkeypatch):
    def nothing_there(*args, **kwargs):
        raise UserError("no feature network is here", "one of them", "install it")

    monkeypatch.setattr(snapshots, "SnapshotMetrics", nothing_there)
    run = tmp_path / "run"
    assert start(tiny_config(metrics=["fid50k_full"], tick=0.5), str(run), quiet=True) == 0
    log = (run / "log.txt").read_text()
    assert log.count("Metrics were not measured: no feature network is here") == 1
    assert "Done: 1 kimg." in log


@pytest.mark.usefixtures("untrained")
def test_a_full_disk_is_told_and_training_goes_on(tiny_config, tmp_path, monkeypatch):
    real, calls = store.atomic_file, []

    def full_at_first(path, written=None):
        calls.append(path)
        if len(calls) < 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, written)

    monkeypatch.setattr(store, "atomic_file", full_at_first)
    run = tmp_path / "run"
    assert start(tiny_config(), str(run), quiet=True) == 0
    log = (run / "log.txt").read_text()
    assert "could not be written" in log and "No space left on device" in log
    assert find_snapshot(RunStore(run))[0].kimg == 1
    assert atomic.TEMPORARY not in "".join(os.listdir(str(run)))


@pytest.mark.usefixtures("untrained")
def test_grids_that_cannot_be_written_cost_no_snapshot(tiny_config, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(callbacks, "save_grid", full)
    run = tmp_path / "run"
    assert start(tiny_config(), str(run), quiet=True) == 0
    log = (run / "log.txt").read_text()
    assert "A grid of images could not be written" in log and "No space left on device" in log
    assert find_snapshot(RunStore(run))[0].kimg == 1


@pytest.mark.usefixtures("untrained")
def test_a_full_disk_at_the_end_is_an_error(tiny_config, tmp_path, monkeypatch):
    def full(path, written=None):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "atomic_file", full)
    with pytest.raises(UserError, match="No space left on device") as info:
        start(tiny_config(), str(tmp_path / "run"), quiet=True)
    assert (tmp_path / "run" / "log.txt").exists()  # it had begun
    assert "sg2ada resume" in info.value.next_step


def test_a_start_that_is_refused_leaves_no_folder(tiny_config, tmp_path, monkeypatch):
    def too_large(*_):
        raise UserError("The memory was not enough.", "more", "set --batch-gpu")

    monkeypatch.setattr(start_module._Run, "build", too_large)
    with pytest.raises(UserError, match="memory was not enough"):
        start(tiny_config(), str(tmp_path / "run"), quiet=True)
    assert not (tmp_path / "run").exists()


def test_data_with_other_channels_are_refused(tiny_config, tmp_path):
    config = tiny_config()
    other = replace(config, G=dict(config.G, num_channels=1))
    with pytest.raises(UserError, match="has 3 channels"):
        start(other, str(tmp_path / "run"), quiet=True)


class AllTraced(Exception):
    """Nothing is compiled after it."""


def traced_programs(monkeypatch, *args, **options):
    """Return {name: text} of programs that a start would compile or find in the cache, without the numbers of this process."""
    found = {}

    def trace(programs, variables, cache, *more, **others):
        for program in programs[1:3]:  # one phase and the grid: the others are made in the same way
            with repeatable_names(program.name):
                graph = program.function.get_concrete_function(*program.inputs).graph.as_graph_def()
            found[program.name] = re.sub(r"\d{13,}", lambda number: str(int(number.group()) % 2**32), str(graph))
        raise AllTraced

    monkeypatch.setattr(start_module, "warm_up", trace)
    with pytest.raises(AllTraced):
        start(*args, quiet=True, **options)
    return found


@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 compiles nothing")
def test_a_resume_asks_for_no_program_that_the_run_from_a_network_has_not_compiled(tiny_config, trained, tmp_path, monkeypatch):
    """As in the demo, which therefore compiles once."""
    config = tiny_config(resume=trained(tiny_config(map_depth=3)), aug="noaug", start_kimg=1, kimg=2)
    engine, run = replace(config.engine, xla=True), tmp_path / "run"
    with monkeypatch.context() as patch:
        leave_out_the_arithmetic(patch)
        assert start(config, str(run), quiet=True) == 0
    first = traced_programs(monkeypatch, replace(config, engine=engine), str(tmp_path / "compiled"))
    longer = replace(config.schedule, total_kimg=3)
    again = traced_programs(monkeypatch, replace(read_config(str(run)), engine=engine, schedule=longer), str(run), resume=True)
    assert list(first) == ["D_reg", "grid"] and again == first
