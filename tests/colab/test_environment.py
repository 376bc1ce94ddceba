"""Environments: how a process runs in one, which cards CUDA 10.0 knows, and what is never deleted."""

import json
import os
import sys

import pytest

from sg2ada_colab.colab import environment
from sg2ada_colab.colab.environment import Environment, card_for_cuda_10, find_environment, remove_environment
from sg2ada_colab.errors import UserError
from sg2ada_colab.processes import ChildProcess, package_parent


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_process_in_it_sees_nothing_of_this_python(monkeypatch, tmp_path):
    for name, value in {
        "PYTHONPATH": "/of/this",
        "PYTHONHOME": "/of/this",
        "LD_LIBRARY_PATH": "/driver",
        "MPLBACKEND": "module://x",
    }.items():
        monkeypatch.setenv(name, value)
    made = Environment("tf114", "/envs/tf114/bin/python", "tensorflow-gpu", "")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    process = ChildProcess(["-S", "-c", code], command=[sys.executable], variables=dict(made.variables(), PYTHONHOME=None))
    seen = json.loads(next(process.lines()))
    assert seen["PYTHONPATH"] == package_parent() and "PYTHONHOME" not in seen
    assert seen["LD_LIBRARY_PATH"] == "/envs/tf114/lib:/driver" and seen["MPLBACKEND"] == "agg"
    assert "CUDA_VISIBLE_DEVICES" not in made.variables()
    assert Environment("tf114", "/e/bin/python", "tensorflow", "").variables()["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.parametrize("name, capability, knows", [
    ("Tesla T4", 7.5, True), ("Tesla V100-SXM2-16GB", 7.0, True), ("Tesla P100-PCIE-16GB", None, True),
    ("NVIDIA GeForce RTX 2080 Ti", None, True), ("Tesla T4", None, True), ("NVIDIA L4", 8.9, False),
    ("NVIDIA L4", None, False), ("NVIDIA A100-SXM4-40GB", 8.0, False), ("NVIDIA A100-SXM4-40GB", None, False),
    ("NVIDIA H100 80GB HBM3", 9.0, False), ("NVIDIA H100 80GB HBM3", None, False),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", None, False), ("NVIDIA GeForce RTX 3090", None, False),
])  # fmt: skip
def test_a_card_that_cuda_10_does_not_know_is_refused_by_name(monkeypatch, name, capability, knows):
    monkeypatch.setattr(environment, "gpus", lambda: [{"name": name, "driver": "580.1", "memory_mib": 15360}])
    monkeypatch.setattr(environment, "compute_capability", lambda: capability)
    if knows:
        assert card_for_cuda_10() == name
        return
    with pytest.raises(UserError, match=name) as error:
        card_for_cuda_10()
    assert "newer than its CUDA 10.0" in error.value.what and "a T4, or an older card" in error.value.expected
    assert "leave runtime empty" in error.value.next_step


def test_no_card_is_no_error(monkeypatch):
    monkeypatch.setattr(environment, "gpus", lambda: [])
    assert card_for_cuda_10() is None


def test_only_what_this_program_made_is_removed(cache, tmp_path):
    folder = cache / "envs" / "tf114"
    assert not remove_environment("tf114")
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not an environment of this program"):
        remove_environment("tf114")
    assert (folder / "thesis.txt").read_text() == "mine"
    (folder / environment.MAKING).write_text("{}")
    assert find_environment("tf114") is None and remove_environment("tf114") and not folder.exists()
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / environment.RECORD).write_text("{}")
    folder.symlink_to(target)
    with pytest.raises(UserError, match="is not an environment"):
        remove_environment("tf114")
    assert (target / environment.RECORD).exists()


def test_a_record_that_is_damaged_or_names_a_python_that_is_gone_is_no_environment(cache):
    folder = cache / "envs" / "tf114"
    folder.mkdir(parents=True)
    Environment("tf114", sys.executable, "tensorflow", "digest").save()
    assert find_environment("tf114") == Environment("tf114", sys.executable, "tensorflow", "digest")
    Environment("tf114", os.path.join(str(folder), "gone"), "tensorflow", "").save()
    assert find_environment("tf114") is None
    (folder / environment.RECORD).write_text("{")
    assert find_environment("tf114") is None


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="There is no environment 'tf115'") as error:
        find_environment("tf115")
    assert error.value.expected.startswith("tf114 (TensorFlow 1.14 on Python 3.7")
