"""Snapshots of a run: measured once, resumed, written as the original writes, never in training's way."""

import json

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.metrics import features, snapshots
from sg2ada_colab.metrics.report import read_measurements
from sg2ada_colab.metrics.snapshots import SnapshotMetrics, SnapshotOptions, best_snapshots, run_snapshots
from sg2ada_colab.networks.config import DiscriminatorConfig
from sg2ada_colab.networks.variables import discriminator_specs, initial_values
from tests.oracles.forms import FORMS, picture_shape

from .conftest import MemoryDataset, images_by_number, random_network
from .test_fakes import tiny_generator


def write_snapshot(path, broken=False, form="square"):
    network = tiny_generator(**FORMS[form])
    if broken:
        network.variables["synthesis/4x4/Const/const"][...] = np.nan
    config = DiscriminatorConfig.from_kwargs(dict({"resolution": 8, "fmap_base": 64, "fmap_max": 16}, **FORMS[form]))
    discriminator = NetworkData("D", config.to_kwargs(), initial_values(discriminator_specs(config), 1, "D"))
    with open(str(path), "wb") as file:
        generator = NetworkData("G", network.kwargs, network.variables)
        write_network_pickle(file, NetworkSnapshot(generator, discriminator, network))


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "results" / "00000-tiny-auto1"
    folder.mkdir(parents=True)
    for kimg in (0, 40, 80, 120):
        write_snapshot(folder / f"network-snapshot-{kimg:06d}.pkl")
    return folder


@pytest.fixture
def said():
    return []


@pytest.fixture
def measuring(tmp_path, said, monkeypatch):
    """Return a function that makes SnapshotMetrics with a network of random numbers in place of EfficientNet."""

    def open_network(name, path, cache_dir):
        if name != "efflite0":
            raise UserError(f"the weights of {name} are not on this machine", "a file", "put it there")
        return random_network(name)

    monkeypatch.setattr(features, "open_network", open_network)
    dataset = MemoryDataset(images_by_number(90, 0, size=8, stream="reals"))

    def make(names, **options):
        options.setdefault("cache_dir", tmp_path / "cache")
        used, budget_s = options.pop("dataset", dataset), options.pop("budget_s", None)
        return SnapshotMetrics(used, names, SnapshotOptions(xla=False, say=said.append, **options), budget_s)

    return make


def test_what_is_measured_is_not_measured_again(measuring, run_dir, said):
    path = run_dir / "network-snapshot-000040.pkl"
    results = measuring(["kid64_efflite0", "fd64_efflite0"]).measure(path)
    assert [result.name for result in results] == ["kid64_efflite0", "fd64_efflite0"]
    assert measuring(["kid64_efflite0"]).measure(path) == []
    more = measuring(["kid64_efflite0", "kid32_efflite0"]).measure(path)
    assert [result.name for result in more] == ["kid32_efflite0"]
    again = measuring(["kid64_efflite0"]).measure(path, again=True)
    assert again[0].values == results[0].values
    assert len((run_dir / "metric-kid64_efflite0.txt").read_text().splitlines()) == 2
    assert said[0].startswith("network-snapshot-000040        time ")
    record = json.loads((run_dir / "metric-fd64_efflite0.jsonl").read_text())
    assert record["num_fakes"] == 64 and record["num_reals"] == 90 and "biased" in " ".join(record["notes"])
    assert list(run_dir.glob("events.out.tfevents.*.metrics")) and not (run_dir / "metric-partial").exists()


@pytest.mark.parametrize("form", ["tall", "wide rgba"])
def test_snapshots_of_every_form_are_measured_under_the_same_name_and_rgba_says_over_what(measuring, tmp_path, form):
    height, width, channels = picture_shape(form, 8)
    path = tmp_path / "network-snapshot-000040.pkl"
    write_snapshot(path, form=form)
    dataset = MemoryDataset(images_by_number(90, 0, size=(height, width), channels=channels, stream="reals"))
    dataset.channels = channels
    (result,) = measuring(["kid64_efflite0"], dataset=dataset).measure(path)
    record = json.loads((tmp_path / "metric-kid64_efflite0.jsonl").read_text())
    assert record["results"] == {"kid64_efflite0": result.values[""]}
    assert any(note.startswith("RGBA over one colour each") for note in record["notes"]) == (channels == 4)
    with pytest.raises(UserError, match=f"images of {width}x{height} px"):
        measuring(["kid64_efflite0"]).measure(path, again=True)


def test_an_interrupted_snapshot_goes_on(measuring, run_dir):
    path, calls = run_dir / "network-snapshot-000040.pkl", []
    whole = measuring(["kid200_efflite0"]).measure(path, again=True)[0].values
    with pytest.raises(KeyboardInterrupt):
        measuring(["kid200_efflite0"], should_stop=lambda: calls.append(1) or len(calls) == 3).measure(path, again=True)
    assert list((run_dir / "metric-partial").iterdir())
    done = []
    resumed = measuring(["kid200_efflite0"], progress=lambda stage, count, total: done.append(count)).measure(path, again=True)
    assert done[0] == 128 and resumed[0].values == whole


def test_a_snapshot_of_the_same_name_with_other_weights_starts_anew(measuring, run_dir):
    path, calls = run_dir / "network-snapshot-000040.pkl", []
    measuring(["kid64_efflite0"]).measure(path)  # so that the reals are there
    with pytest.raises(KeyboardInterrupt):
        measuring(["kid200_efflite0"], should_stop=lambda: calls.append(1) or len(calls) == 3).measure(path)
    path.write_bytes(path.read_bytes() + b"\0")  # stands for another training
    done = []
    measuring(["kid200_efflite0"], progress=lambda stage, count, total: done.append(count)).measure(path)
    assert done[0] == 32


def test_failures_are_told_and_do_not_stop_training(measuring, run_dir, said):
    write_snapshot(run_dir / "network-snapshot-000200.pkl", broken=True)
    metrics = measuring(["kid64_efflite0"])
    assert metrics.measure_or_say(run_dir / "network-snapshot-000200.pkl") == []
    assert "network-snapshot-000200.pkl were not measured" in said[-1] and "not finite" in said[-1]
    assert metrics.measure_or_say(run_dir / "network-snapshot-009999.pkl") == [] and "009999" in said[-1]
    other = measuring(["kid64_efflite0"], dataset=MemoryDataset(images_by_number(9, 0, size=16)))
    assert other.measure_or_say(run_dir / "network-snapshot-000040.pkl") == []
    assert "images of 8x8 px in RGB, the dataset holds 16x16 px in RGB" in said[-1]


def test_without_inception_the_small_network_measures(measuring, said):
    assert [spec.name for spec in measuring(["fid50k_full"]).specs] == ["kid_efflite0"]
    assert "fid50k_full cannot be measured: the weights of inception are not on this machine; put it there" in said[0]
    with pytest.raises(UserError, match="none of the metrics pr50k3_full"):
        measuring(["pr50k3_full"])


def test_a_budget_names_the_size_it_chose(measuring, run_dir, said, monkeypatch):
    monkeypatch.setattr(snapshots, "images_per_second", lambda generate, networks: 100.0)
    monkeypatch.setattr("sg2ada_colab.metrics.schedule.SIZES", (64, 128, 256))
    path = run_dir / "network-snapshot-000040.pkl"
    assert [result.name for result in measuring(["kid_efflite0"], budget_s=1.5).measure(path)] == ["kid128_efflite0"]
    assert "128 fakes take about 1 s of the 2 s allowed" in said[0]
    assert measuring(["kid_efflite0"], budget_s=100.0).measure(path) == [], "a run keeps its size"


def test_the_best_of_a_run_is_known(measuring, run_dir):
    metrics = measuring(["kid64_efflite0"])
    for path in run_snapshots(run_dir):
        metrics.measure(path)
    values = {item.snapshot[-6:]: item.values[""] for item in read_measurements(run_dir, "kid64_efflite0")}
    value, name, lower = best_snapshots(run_dir)["kid64_efflite0"]
    assert lower and value == min(values.values()) and values[name] == value


def test_every_other_snapshot_and_always_the_last(run_dir):
    assert [path.stem[-6:] for path in run_snapshots(run_dir, 2)] == ["000000", "000080", "000120"]
    assert [path.stem[-6:] for path in run_snapshots(run_dir, 1)] == ["000000", "000040", "000080", "000120"]
    assert run_snapshots(run_dir / "nothing") == []
    for name in ("000120-10", "000120-2"):
        (run_dir / f"network-snapshot-{name}.pkl").write_bytes(b"")
    assert [path.stem[17:] for path in run_snapshots(run_dir)][-3:] == ["000120", "000120-2", "000120-10"]


def test_neighbours_are_found(measuring, run_dir, said):
    fakes, nearest = measuring(["kid64_efflite0"]).neighbours(run_dir / "network-snapshot-000040.pkl", count=3)
    assert len(fakes) == len(nearest.indices) == len(nearest.distances) == 3 and fakes.dtype == "uint8"
    assert "of 128 fakes" in said[-1]
