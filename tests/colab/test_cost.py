"""What a run will take, said before it starts: on the GPU at hand, on the others, and without any."""

import types

import pytest

from sg2ada_colab.colab import cost
from sg2ada_colab.config.estimate import RATES, estimate
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo


def plan(kimg=5000, done=0.0, resolution=256, processes=1):
    data = DatasetInfo("/data/faces", "faces", resolution, 3, 0, 800, digest="d")
    config = resolve(TrainOptions(outdir="/runs", data="/data/faces", kimg=kimg, metrics=[]), data, None)
    return types.SimpleNamespace(config=config, start_kimg=done, processes=processes)


@pytest.fixture
def shown(monkeypatch):
    """What is shown: [(HTML, text)]."""
    found = []
    monkeypatch.setattr(cost, "show", lambda content, plain: found.append((content, plain)))
    return found


def with_gpu(monkeypatch, name, in_colab=True):
    monkeypatch.setattr(cost, "gpus", lambda: [{"name": name, "driver": "550", "memory_mib": 15360}] if name else [])
    monkeypatch.setattr(cost, "in_colab", lambda: in_colab)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("Tesla T4", "T4"), ("NVIDIA L4", "L4"), ("NVIDIA A100-SXM4-40GB", "A100"), ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "G4"), ("Tesla V100-SXM2-16GB", "V100"), ("NVIDIA H200", "H100"),
        ("Tesla K80", None),
    ],
)  # fmt: skip
def test_a_gpu_is_known_by_its_name(name, kind):
    assert cost.gpu_kind(name) == kind and (kind is None or kind in RATES)


def test_the_time_is_that_of_the_estimate_at_this_size_on_this_gpu(monkeypatch, shown):
    with_gpu(monkeypatch, "Tesla T4")
    one = plan(done=1000.0)
    cost.show_cost(one, 50e9)
    hours = estimate(one.config).seconds_per_kimg["T4"] * 1000 / 3600
    assert 5 < hours < 48
    content, plain = shown[0]
    assert plain.startswith(f"Tesla T4: at 256×256 about {hours:.1f} h to 1,000 kimg; the 4,000 kimg that are left take about ")
    assert f"so {4 * hours / 12:.0f} sessions of 12 hours" in plain
    assert "on Drive, where 50.0 GB are free." in plain
    for kind in ("T4", "L4", "A100", "H100", "G4"):
        assert f"<td>{kind}</td>" in content
    assert f"<td>{1.8 * 4 * hours:.0f}</td>" in content, "compute units"


def test_two_gpus_take_half_the_time_of_one(monkeypatch, shown):
    with_gpu(monkeypatch, "Tesla T4")
    one = plan(processes=2)
    cost.show_cost(one, 50e9)
    hours = estimate(one.config).seconds_per_kimg["T4"] * 1000 / 3600
    content, plain = shown[0]
    assert plain.startswith(f"2 × Tesla T4: at 256×256 about {hours / 2:.1f} h to 1,000 kimg; ")
    assert f"<td>T4</td><td>{hours:.1f} h</td>" in content  # Colab gives one


def test_little_room_is_said(monkeypatch, shown):
    with_gpu(monkeypatch, "Tesla T4")
    cost.show_cost(plan(), 1e6)
    assert "where 1.0 MB are free: too little, so make room first" in shown[0][1]
    cost.show_cost(plan(), None)
    assert "how much is free there is not known" in shown[1][1]


def test_a_gpu_that_is_not_known_gets_no_number(monkeypatch, shown):
    with_gpu(monkeypatch, "Tesla K80")
    cost.show_cost(plan(), None)
    assert shown[0][1].startswith("Tesla K80: how long it takes at 256×256 is not known")


def test_without_a_gpu_the_warning_is_large_and_says_what_to_click(monkeypatch, shown):
    with_gpu(monkeypatch, None)
    assert cost.warn_without_gpu() is False
    content, plain = shown[0]
    assert "font-size:20px" in content and 'role="alert"' in content
    assert "Runtime → Change runtime type → T4 GPU" in content and "Runtime → Change runtime type → T4 GPU" in plain
    with_gpu(monkeypatch, None, in_colab=False)
    assert cost.warn_without_gpu() is False and "Runtime" not in shown[1][0]
    with_gpu(monkeypatch, "Tesla T4")
    assert cost.warn_without_gpu() is True and len(shown) == 2


def test_who_has_asked_for_a_training_without_a_gpu_is_not_alarmed(monkeypatch, shown):
    with_gpu(monkeypatch, None)
    assert cost.warn_without_gpu(is_known=True) is False
    assert "font-size:20px" not in shown[0][0] and "small tests only" in shown[0][0]
