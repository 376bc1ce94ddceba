"""The environment of TensorFlow 1.14: made with a FAKE micromamba and a fake Python, and, marked slow, for real on a CPU."""

import os
import re
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sg2ada_colab as sg2
from sg2ada_colab.cli import env as verb
from sg2ada_colab.cli.parser import Parser
from sg2ada_colab.colab import environment, make_environment, session
from sg2ada_colab.colab.environment import Environment, find_environment
from sg2ada_colab.colab.make_environment import python_37, renew_library, runtime_environment
from sg2ada_colab.config.options_file import read_config
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.storage.workspace import open_workspace
from sg2ada_colab.training.loop import Callback

T4 = {"name": "Tesla T4", "driver": "580.82.07", "memory_mib": 15360}
REUSE = "SG2ADA_TF114"  # a Python that has TensorFlow 1.14, as CONTRIBUTING.md says

# A stand-in for the Python of an environment: keeps what it is told, and answers as the test wants.
PYTHON = """#!/bin/sh
echo "python LD_LIBRARY_PATH=$LD_LIBRARY_PATH PYTHONPATH=$PYTHONPATH $*" >> {log}
case "$*" in
    *"-m pip"*) [ ! -e {folder}/pip-fails ] || {{ echo "ERROR: No matching distribution found for tensorflow-gpu"; exit 1; }} ;;
    *VERSION*) cat {folder}/answer ;;
esac
exit 0
"""
MICROMAMBA = """#!/bin/sh
echo "micromamba $*" >> {log}
while [ "$1" != "--prefix" ]; do shift; done
mkdir -p "$2/bin" && cp {folder}/python "$2/bin/python"
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A machine like Colab's with a T4, and a FAKE micromamba on the path; returns the folder with its log."""
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path, os.environ["PATH"]))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib64-nvidia")
    for name, text in {"python": PYTHON, "micromamba": MICROMAMBA}.items():
        (tmp_path / name).write_text(text.format(log=tmp_path / "log", folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "log").write_text("")
    (tmp_path / "answer").write_text('["1.14.0", 1]\n')
    monkeypatch.setattr(make_environment, "in_colab", lambda: True)
    for module in (environment, make_environment):
        monkeypatch.setattr(module, "gpus", lambda: [T4])
    monkeypatch.setattr(environment, "compute_capability", lambda: 7.5)
    return tmp_path


def run(*words):
    parser = Parser()
    verb.register(parser.add_subparsers())
    args = parser.parse_args([str(word) for word in words])
    return args.run(args)


def commands(fakes):
    return (fakes / "log").read_text().splitlines()


def test_in_colab_micromamba_brings_python_and_cuda(fakes, capsys):
    assert not run("env", "create", "tf114")
    folder = fakes / "cache" / "envs" / "tf114"
    first, second, third = commands(fakes)
    assert first == (
        f"micromamba create --yes --no-rc --root-prefix {folder.parent}/packages-of-micromamba --prefix {folder} "
        "--override-channels --channel conda-forge python=3.7 pip cudatoolkit=10.0 cudnn=7.6"
    )
    # pip sees the machine's libraries; TensorFlow sees those of the environment, and the driver's after them.
    assert second.startswith("python LD_LIBRARY_PATH=/usr/lib64-nvidia PYTHONPATH= -m pip install ")
    assert second.endswith(f"sg2ada_colab-{sg2.__version__}-py3-none-any.whl")
    assert f"LD_LIBRARY_PATH={folder}/lib:/usr/lib64-nvidia" in third and "import VERSION, gpus" in third
    said = capsys.readouterr().out
    assert "Python 3.7 with CUDA 10.0 and cuDNN 7, with micromamba: about 2 GB" in said
    assert f"TensorFlow 1.14.0 in {folder} sees the GPU: Tesla T4." in said and 'runtime="tf114"' in said
    assert find_environment("tf114").tensorflow == "tensorflow-gpu" and not (folder / environment.MAKING).exists()
    run("env", "create", "tf114")
    assert len(commands(fakes)) == 3, "it is there"
    run("env", "list")
    assert "for a GPU" in capsys.readouterr().out
    run("env", "remove", "tf114")
    assert not folder.exists() and capsys.readouterr().out == f"Removed {folder}\n"
    run("env", "list")
    assert "not there" in capsys.readouterr().out


def test_what_is_missing_of_cuda_is_named(fakes, capsys):
    line = "Could not dlopen library 'libcudnn.so.7'; dlerror: libcudnn.so.7: cannot open shared object file"
    (fakes / "answer").write_text(f'{line}\n["1.14.0", 0]\n')
    run("env", "create", "tf114")
    said = capsys.readouterr().out
    assert "does NOT see the GPU (Tesla T4)" in said and "These libraries of CUDA 10.0 are missing: libcudnn.so.7." in said


def test_a_card_that_is_too_new_is_named_before_anything_is_tried(fakes, monkeypatch):
    for module in (environment, make_environment):
        monkeypatch.setattr(module, "gpus", lambda: [dict(T4, name="NVIDIA L4")])
    monkeypatch.setattr(environment, "compute_capability", lambda: 8.9)
    for call in (lambda: run("env", "create", "tf114"), lambda: runtime_environment("tf114", print)):
        with pytest.raises(UserError, match="the NVIDIA L4, of compute capability 8.9, is newer than its CUDA 10.0"):
            call()
    assert commands(fakes) == [] and not (fakes / "cache").exists()
    (fakes / "answer").write_text('["1.14.0", 0]\n')
    run("env", "create", "tf114", "--cpu")
    assert "cudatoolkit" not in commands(fakes)[0] and commands(fakes)[0].endswith("conda-forge python=3.7 pip")
    assert runtime_environment("tf114", print).variables()["CUDA_VISIBLE_DEVICES"] == "-1"


def test_what_fails_is_told_with_its_last_words_and_can_be_done_again(fakes):
    (fakes / "pip-fails").write_text("")
    with pytest.raises(UserError, match="could not be made: .*-m pip install .*ended with code 1") as error:
        run("env", "create", "tf114")
    assert "No matching distribution found for tensorflow-gpu" in error.value.what
    assert error.value.next_step.endswith("then run sg2ada env create tf114 again") and find_environment("tf114") is None
    (fakes / "pip-fails").unlink()
    run("env", "create", "tf114")
    assert find_environment("tf114") is not None


def test_a_tensorflow_that_cannot_be_imported_makes_no_environment(fakes):
    (fakes / "answer").write_text("ImportError: libpython3.7m.so.1.0\n")
    with pytest.raises(UserError, match="TensorFlow cannot be imported in the environment tf114") as error:
        run("env", "create", "tf114")
    assert "ImportError: libpython3.7m.so.1.0" in error.value.what and find_environment("tf114") is None


def test_the_library_in_it_follows_the_one_that_runs(fakes, monkeypatch, capsys):
    run("env", "create", "tf114")
    before = find_environment("tf114")
    assert renew_library(before) == before and len(commands(fakes)) == 3
    monkeypatch.setattr(make_environment, "library_digest", lambda: "newer")
    assert runtime_environment("tf114", print).library == find_environment("tf114").library == "newer"
    assert "--no-deps --force-reinstall" in commands(fakes)[3]
    assert "is another version: it is replaced" in capsys.readouterr().out


def test_a_training_cell_makes_it_where_it_is_missing_and_none_is_this_python(fakes):
    said = []
    assert runtime_environment("", said.append) is runtime_environment(None, said.append) is None and said == []
    assert runtime_environment("tf114", said.append).name == "tf114"
    assert said[0] == "The environment tf114 is not on this machine yet. Making it takes some minutes."
    assert "taken over to the last bit" in said[-1] and "agree but for rounding" in said[-1]
    with pytest.raises(UserError, match="There is no environment 'tf1'"):
        runtime_environment("tf1", said.append)


def test_without_any_cpython_37_it_says_where_to_get_one(fakes, monkeypatch, tmp_path):
    monkeypatch.setattr(make_environment, "in_colab", lambda: False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match="There is no CPython 3.7 on this machine") as error:
        run("env", "create", "tf114")
    assert "pyenv install 3.7" in error.value.next_step and "--micromamba" in error.value.next_step
    if sys.version_info[:2] != (3, 7):
        with pytest.raises(UserError, match="is no CPython 3.7"):
            run("env", "create", "tf114", "--python", sys.executable)
    assert commands(fakes) == []


def test_a_cpython_37_of_pyenv_is_found_by_its_version(tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name, version in {"3.6.15": "CPython 3.6", "3.7.9": "CPython 3.7", "pypy3.7": "PyPy 3.7"}.items():
        program = tmp_path / "versions" / name / "bin" / "python3.7"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    assert python_37() == str(tmp_path / "versions" / "3.7.9" / "bin" / "python3.7")


# For real: run, stop, go on; taken up under TensorFlow 2 and back.

SIZES = {"batch": 16, "cbase": 64, "cmax": 8, "tick": 0.064, "snap": 1, "snap_minutes": 0, "keep_last": 0, "metrics": "none",
         "no_xla": True, "img_snap": 1000}  # fmt: skip


@pytest.fixture(scope="module")
def tf114(tmp_path_factory):
    """Make the environment, or take the one that SG2ADA_TF114 names; returns the cache folder that it is in."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SG2ADA_CACHE_DIR", str(cache))
        if os.environ.get(REUSE):
            (cache / "envs" / "tf114").mkdir(parents=True)
            Environment("tf114", os.environ[REUSE], "tensorflow", "").save()
            return cache
        try:
            python_37()
        except UserError as error:
            pytest.skip(f"{error.what} Or set {REUSE}.")
        run("env", "create", "tf114", "--cpu")
    return cache


@pytest.fixture
def home(tf114, tmp_path, monkeypatch):
    """An open workspace with a dataset of 24 images, and the environment."""
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tf114))
    random = np.random.RandomState(3)
    (tmp_path / "images").mkdir()
    for number in range(24):
        base = random.randint(0, 255, [1, 1, 3]) * np.ones([8, 8, 1]) + random.randint(-20, 20, [8, 8, 3])
        Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).save(str(tmp_path / "images" / f"{number}.png"))
    open_home(tmp_path, monkeypatch)
    sg2.prepare_dataset(str(tmp_path / "images"), "colours", 8, workers=1)
    return tmp_path


def open_home(folder, monkeypatch):
    drive = session.choose_drive(str(folder))
    monkeypatch.setattr(session, "_open", {"drive": drive, "workspace": open_workspace(drive.mount())})


def press_stop_after_the_first_snapshot(results):
    """Press the cell's stop button, once, when a run has a snapshot."""

    def press():
        while not list(results.glob("*/network-snapshot-*.pkl")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def newest_state(run_dir):
    return load_state(snapshots(run_dir)[-1])


def snapshots(run_dir):
    """Return the paths of a run's training states, in the order in which they were written."""
    return sorted(Path(run_dir).glob("training-state-*.npz"), key=lambda path: path.stat().st_mtime_ns)


def assert_same_bits(arrays, others):
    assert len(arrays) > 20 and sorted(arrays) == sorted(others)
    assert [name for name in arrays if arrays[name].tobytes() != others[name].tobytes()] == []


def without_clocks(meta):
    counters = {name: value for name, value in meta["counters"].items() if name != "elapsed_s"}
    return dict({name: value for name, value in meta.items() if name != "snapshot"}, counters=counters)


class Restored(Callback):
    """Keeps what was restored, and asks for a stop at once."""

    def on_start(self, progress):
        _, self.arrays, self.meta = progress.state.save()

    def on_group(self, progress):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_a_run_in_tf114_that_was_stopped_equals_one_that_was_not(home, capsys):
    results = home / "colab-sg2-ada" / "stylegan2-ada" / "results"
    press_stop_after_the_first_snapshot(results)
    stopped = sg2.train("colours", runtime="tf114", kimg=1, aug="noaug", **SIZES)
    assert stopped.state == "stopped" and 0 < stopped.kimg < 1
    assert "Stopping: it finishes the minibatches in hand and saves." in capsys.readouterr().out
    done = sg2.train("colours", runtime="tf114", kimg=1, aug="noaug", **SIZES)
    assert done.state == "done" and done.run_dir == stopped.run_dir
    log = (Path(done.run_dir) / "log.txt").read_text(encoding="utf-8")
    assert log.count("sg2ada_colab on TensorFlow 1.14.0") == 2
    at_once = sg2.train("colours", new_run=True, runtime="tf114", kimg=1, aug="noaug", **SIZES)
    assert at_once.state == "done" and at_once.run_dir != done.run_dir
    (arrays, meta), (others, other_meta) = newest_state(done.run_dir), newest_state(at_once.run_dir)
    assert_same_bits(arrays, others)
    assert without_clocks(meta) == without_clocks(other_meta)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] == (3, 7), reason="this Python has TensorFlow 1.14 itself")
def test_the_same_run_is_taken_up_under_tensorflow_2_and_back(home, monkeypatch):
    """What was saved comes back to the last bit; the steps after it agree but for rounding, which is what the cell says."""
    from sg2ada_colab.runs.start import start

    begun = Path(sg2.train("colours", runtime="tf114", kimg=1, augpipe="blit", **SIZES).run_dir)
    shutil.copytree(str(home / "colab-sg2-ada"), str(home / "other" / "colab-sg2-ada"))
    shutil.copytree(str(begun), str(home / "looked-at" / begun.name))

    restored, saved = Restored(), newest_state(begun)
    config = read_config(str(begun))
    config = replace(config, schedule=replace(config.schedule, total_kimg=2))
    assert start(config, str(home / "looked-at" / begun.name), resume=True, quiet=True, extra_callbacks=[restored]) == 130
    assert_same_bits(restored.arrays, saved[0])
    kept = without_clocks(saved[1])
    assert without_clocks(restored.meta) == {name: kept[name] for name in ("counters", "controller", "nimg", "means")}

    known = len(snapshots(begun))
    assert sg2.train("colours", kimg=2, augpipe="blit", **SIZES).state == "done"
    open_home(home / "other", monkeypatch)
    stayed = Path(sg2.train("colours", runtime="tf114", kimg=2, augpipe="blit", **SIZES).run_dir)
    (arrays, meta), (others, other_meta) = [load_state(snapshots(run)[known]) for run in (begun, stayed)]
    assert meta["counters"]["nimg"] == other_meta["counters"]["nimg"] > 1000
    distances = {}
    for name in arrays:
        largest = max(np.max(np.abs(others[name])), 1e-30) if others[name].size else 1.0
        distances[name] = np.max(np.abs(arrays[name] - others[name]), initial=0) / largest
    assert 0 < max(distances.values()) < 3e-5  # 4e-7 where it was measured; as for the old run of tests/runs/test_old_run.py

    open_home(home, monkeypatch)
    back = sg2.train("colours", runtime="tf114", kimg=3, augpipe="blit", **SIZES)
    assert back.state == "done" and back.run_dir == str(begun) and back.kimg == pytest.approx(3, abs=0.02)
    versions = re.findall(r"sg2ada_colab on TensorFlow (\d)\.", (begun / "log.txt").read_text(encoding="utf-8"))
    assert versions == ["1", "2", "1"]
