"""What is sent to Weights & Biases, by a FAKE wandb with the real signatures; and that nothing of it can end a training."""

import json
import sys
import types

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.runs import weights_and_biases as module
from sg2ada_colab.runs.weights_and_biases import GRID_PX, MISSING, WeightsAndBiases

from .conftest import leave_out_the_arithmetic


class FakeImage:
    """Stands for wandb.Image."""

    def __init__(
        self, data_or_path, mode=None, caption=None, grouping=None, classes=None, boxes=None, masks=None, file_type=None
    ):
        self.image, self.caption = data_or_path, caption


class FakeWandb(types.ModuleType):
    """Stands for wandb: keeps what it was given; `error` is raised by the call that it names."""

    Image = FakeImage

    def __init__(self):
        super().__init__("wandb")
        self.inits, self.logged, self.finished, self.defined, self.errors = [], [], [], [], {}

    def init(
        self, entity=None, project=None, dir=None, id=None, name=None, notes=None, tags=None, config=None,
        config_exclude_keys=None, config_include_keys=None, allow_val_change=None, group=None, job_type=None, mode=None,
        force=None, reinit=None, resume=None, resume_from=None, fork_from=None, save_code=None, tensorboard=None,
        sync_tensorboard=None, monitor_gym=None, settings=None, anonymous=None,
    ):  # fmt: skip
        self._fail("init")
        self.inits.append({"project": project, "name": name, "id": id, "resume": resume, "dir": dir, "config": config})
        return self

    def define_metric(self, name, step_metric=None, step_sync=None, hidden=None, summary=None, overwrite=None):
        self.defined.append((name, step_metric))

    def log(self, data, step=None, commit=None):
        self._fail("log")
        self.logged.append(data)

    def finish(self, exit_code=None):
        self.finished.append(exit_code)

    def _fail(self, call):
        if call in self.errors:
            raise self.errors[call]


@pytest.fixture(name="wandb")
def wandb_fixture(monkeypatch, tmp_path):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr(module, "cache_folder", lambda part: str(tmp_path / "cache" / part))
    return fake


@pytest.fixture(name="progress")
def progress_fixture(monkeypatch):
    """A Progress of which only the kimg is asked."""
    now = types.SimpleNamespace(kimg=4.0)
    monkeypatch.setattr(module, "scalars", lambda progress, gpu: {"Loss/G/loss": 1.5, "Progress/kimg": progress.kimg})
    return now


@pytest.fixture(name="callback")
def callback_fixture(tmp_path, tiny_config, said):
    run_dir = tmp_path / "00003-tiny"
    run_dir.mkdir()
    return WeightsAndBiases(run_dir, "ab12", tiny_config(wandb="flags"), said)


def add_grid(folder, kimg, size=(3840, 2160)):
    Image.fromarray(np.full(size[::-1] + (3,), 7, np.uint8)).save(str(folder / f"fakes{kimg:06d}.png"), compress_level=1)


def add_result(folder, kimg, value):
    record = {
        "metric": "kid1k_efflite0",
        "snapshot_pkl": f"network-snapshot-{kimg:06d}.pkl",
        "results": {"kid1k_efflite0": value},
    }
    with open(str(folder / "metric-kid1k_efflite0.jsonl"), "a") as file:
        file.write(json.dumps(record) + "\n")


def test_a_run_is_one_page_that_a_resume_continues(wandb, callback, progress, tmp_path):
    callback.on_start(progress)
    (init,) = wandb.inits
    assert (init["project"], init["name"], init["id"], init["resume"]) == ("flags", "00003-tiny", "ab12", "allow")
    assert init["dir"] == str(tmp_path / "cache" / "wandb") and (tmp_path / "cache" / "wandb").is_dir()
    assert init["config"]["schedule"]["total_kimg"] == callback.config.schedule.total_kimg and json.dumps(init["config"])
    assert wandb.defined == [("*", "Progress/kimg")]
    callback.on_end(progress)
    callback.close()
    assert wandb.finished == [None]


def test_a_run_that_an_exception_ends_is_marked_as_failed(wandb, callback, progress):
    callback.close()
    callback.on_start(progress)
    callback.close()
    callback.close()
    assert wandb.finished == [1]


def test_losses_the_grid_and_metrics_are_sent_once(wandb, callback, progress, tmp_path):
    folder = tmp_path / "00003-tiny"
    add_result(folder, 1, 0.9)  # of an earlier session
    callback.on_start(progress)
    add_grid(folder, 4)
    add_result(folder, 4, 0.5)
    add_result(folder, 8, float("nan"))
    callback.on_tick(progress)
    first, metric = wandb.logged
    assert (first["Loss/G/loss"], first["Progress/kimg"]) == (1.5, 4.0)
    assert first["Fakes"].caption == "fakes000004.png" and max(first["Fakes"].image.size) == GRID_PX
    assert metric == {"Metrics/kid1k_efflite0": 0.5, "Progress/kimg": 4}
    progress.kimg = 8.0
    callback.on_tick(progress)
    assert wandb.logged[2:] == [{"Loss/G/loss": 1.5, "Progress/kimg": 8.0}], "nothing twice"


@pytest.mark.parametrize("call", ["init", "log"])
def test_a_failure_is_said_once_and_training_goes_on(wandb, callback, progress, said, call):
    wandb.errors[call] = RuntimeError("api_key not configured (no-tty)")
    callback.on_start(progress)
    for _ in range(3):
        callback.on_tick(progress)
    callback.on_end(progress)
    ((kind, text),) = said.notes
    assert kind == "warning" and text.startswith(
        "Nothing is sent to Weights & Biases any more: api_key not configured (no-tty). Training goes on."
    )
    assert text.endswith("wandb login") == (call == "init") and wandb.logged == []


def test_a_damaged_grid_costs_only_the_rest_of_what_is_sent(wandb, callback, progress, said, tmp_path):
    callback.on_start(progress)
    (tmp_path / "00003-tiny" / "fakes000004.png").write_bytes(b"half")
    callback.on_tick(progress)
    assert [kind for kind, _ in said.notes] == [] and wandb.logged == [{"Loss/G/loss": 1.5, "Progress/kimg": 4.0}]


def test_without_the_package_training_goes_on(callback, progress, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    callback.on_start(progress)
    callback.on_tick(progress)
    callback.on_end(progress)
    assert said.notes == [("warning", MISSING)]


@pytest.mark.parametrize("given, project", [(None, None), ("none", None), ("", None), ("flags", "flags")])
def test_it_is_off_unless_a_project_is_named(tiny_config, given, project):
    assert tiny_config(**({} if given is None else {"wandb": given})).engine.wandb == project
    assert TrainOptions().wandb is None


def test_a_run_that_asks_for_it_sends_each_tick(wandb, tiny_config, tmp_path, monkeypatch):
    leave_out_the_arithmetic(monkeypatch)
    from sg2ada_colab.runs.start import start

    run_dir = tmp_path / "00000-tiny"
    config = tiny_config(wandb="flags", kimg=1, tick=0.25)
    assert start(config, run_dir, quiet=True) == 0
    (init,) = wandb.inits
    from sg2ada_colab.storage.manifest import read_manifest

    assert init["id"] == read_manifest(str(run_dir)).run_id and wandb.finished == [None]
    ticks = [data["Progress/kimg"] for data in wandb.logged if "Loss/G/loss" in data]
    assert ticks == sorted(ticks) and len(ticks) >= 3
