"""How long things took is kept by card, TensorFlow and name, here and on Drive; a file that is damaged tells nothing."""

import json

import pytest

from sg2ada_colab.compile import cache as cache_module
from sg2ada_colab.compile import durations as module
from sg2ada_colab.compile.cache import CompileCache
from sg2ada_colab.compile.durations import FILE, Durations, beside, of_this_machine


def run_at_once(work):
    work()
    return type("Done", (), {"join": staticmethod(lambda seconds: None)})


@pytest.fixture(autouse=True)
def no_threads(monkeypatch):
    monkeypatch.setattr(module, "in_background", run_at_once)


def test_a_new_machine_learns_from_drive_what_an_earlier_one_kept_there(tmp_path):
    here, drive, next_machine = tmp_path / "a", tmp_path / "drive" / "compiled", tmp_path / "b"
    Durations("Tesla-T4-tf2.20.0", [here, drive]).keep({"compiling D_reg, 256 px": 54.321})
    Durations("Tesla-T4-tf2.20.0", [here, drive]).keep({"start, 256 px": 200.0})
    again = Durations("Tesla-T4-tf2.20.0", [next_machine, drive])
    assert again.last_s("compiling D_reg, 256 px") == 54.3 and again.last_s("start, 256 px") == 200.0
    assert again.last_s("compiling D_reg, 512 px") is None
    assert Durations("L4-tf2.20.0", [here, drive]).last_s("start, 256 px") is None
    assert set(json.loads((drive / FILE).read_text())["Tesla-T4-tf2.20.0"]) == {"compiling D_reg, 256 px", "start, 256 px"}


def test_what_this_machine_keeps_counts_before_what_drive_has(tmp_path):
    Durations("x", [tmp_path / "drive"]).keep({"start": 100.0, "other": 7.0})
    Durations("x", [tmp_path / "here"]).keep({"start": 50.0})
    both = Durations("x", [tmp_path / "here", tmp_path / "drive"])
    assert both.last_s("start") == 50.0 and both.last_s("other") == 7.0


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', '{"x": {"start": "soon"}}', '{"x": {"start": NaN}}', "[" * 9999])
def test_a_damaged_file_tells_nothing_and_is_replaced(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    durations = Durations("x", [tmp_path])
    assert durations.last_s("start") is None
    durations.keep({"start": 3.0})
    assert durations.last_s("start") == 3.0 and Durations("x", [tmp_path]).last_s("start") == 3.0


def test_they_lie_beside_the_folders_of_the_programs(tmp_path, monkeypatch):
    cache = CompileCache(str(tmp_path / "here" / "Tesla-T4-tf2.20.0"), b"", remote=str(tmp_path / "drive" / "Tesla-T4-tf2.20.0"))
    beside(cache).keep({"start": 1.0})
    assert (tmp_path / "here" / FILE).is_file() and (tmp_path / "drive" / FILE).is_file()
    monkeypatch.setenv(cache_module.ENVIRONMENT, str(tmp_path / "here"))
    for name, value in (("device_name", "Tesla T4"), ("processor_name", "a processor"), ("cudnn_version", "")):
        monkeypatch.setattr(module, name, lambda value=value: value)
    assert of_this_machine(version="2.20.0").last_s("start") == 1.0
    monkeypatch.setattr(module, "cudnn_version", lambda: "9.8.0")
    assert of_this_machine(version="2.20.0").last_s("start") is None
    assert beside(None).last_s("start") is None
    monkeypatch.setenv(cache_module.ENVIRONMENT, "off")
    assert of_this_machine(tmp_path / "drive", "2.20.0").folders == []
