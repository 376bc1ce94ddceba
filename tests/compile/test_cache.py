"""Compiled programs that outlive their process: what is trusted, what is thrown away, which flags are set."""

import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sg2ada_colab.compile import autotune_results as known_algorithms
from sg2ada_colab.compile import cache as compile_cache
from sg2ada_colab.compile.signed_index import KEY_FILE, key_folder, key_for, read_index, write_index
from sg2ada_colab.tf import IS_TF1

FOLDER = "Tesla-T4-tf2.20.0-cudnn9.8.0"
ENTRY = "xla_compile_cache__1__2__XLA_GPU_JIT.pb"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a T4, TensorFlow 2.20 and cuDNN 9.8, whose environment is put back afterwards."""
    monkeypatch.setattr(compile_cache, "device_name", lambda: "Tesla T4")
    monkeypatch.setattr(compile_cache, "cudnn_version", lambda: "9.8.0")
    monkeypatch.setattr(compile_cache, "tensorflow_version", lambda: "2.20.0")
    for name in ("TF_XLA_FLAGS", "XLA_FLAGS", compile_cache.ENVIRONMENT):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SG2ADA_CONFIG_DIR", str(tmp_path / "settings"))
    return monkeypatch


def finish_copies():
    for thread in threading.enumerate():
        if thread.name == "compiled programs":
            thread.join()


def kept(cache, name=ENTRY, content=b"program"):
    with open(os.path.join(cache.folder, name), "wb") as file:
        file.write(content)
    cache.keep()


def test_flags_and_folder(machine, tmp_path):
    machine.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=4")
    cache = compile_cache.use(str(tmp_path))
    assert cache.folder == str(tmp_path / FOLDER)
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_persistent_cache_directory=" + cache.folder
    flags = os.environ["XLA_FLAGS"].split()
    assert "--xla_gpu_dump_autotune_results_to=" + cache.autotuning in flags
    assert flags[-1] == "--xla_gpu_autotune_level=4"  # what the user set comes last and wins
    assert not [flag for flag in flags if "fusion_autotuner" in flag or "load_autotune" in flag]


def test_a_flag_that_only_newer_versions_know(machine, tmp_path):
    machine.setattr(compile_cache, "tensorflow_version", lambda: "2.21.0")
    compile_cache.use(str(tmp_path))
    assert "--xla_gpu_experimental_enable_fusion_autotuner=false" in os.environ["XLA_FLAGS"].split()


def test_autotuning_is_loaded_by_the_next_process(machine, tmp_path):
    cache = compile_cache.use(str(tmp_path))
    with open(cache.autotuning, "w") as file:
        file.write("version: 3")
    assert cache.autotuning.endswith(".pbtxt")  # XLA writes text, not bytes, under this ending alone
    cache.keep()
    machine.setenv("XLA_FLAGS", "")
    compile_cache.use(str(tmp_path))
    results = os.path.join(cache.folder, compile_cache.AUTOTUNE_FILE)
    assert "--xla_gpu_load_autotune_results_from=" + results in os.environ["XLA_FLAGS"].split()


RESULT = """results {{
  device: "{}"
  hlo: "{}"
  result {{
    algorithm {{
      algo_id: {}
    }}
  }}
  version: 22
}}
"""


def results(*rows):
    return "version: 3\n" + "".join(RESULT.format(*row) for row in rows)


def test_results_are_merged_and_the_first_counts():
    mine, shipped = results(("T4", "a", 1), ("T4", "b", 2)), results(("T4", "b", 7), ("T4", "c", 8), ("L4", "b", 9))
    both = known_algorithms.merged(mine, shipped)
    assert both == results(("T4", "a", 1), ("T4", "b", 2), ("T4", "c", 8), ("L4", "b", 9))
    assert known_algorithms.merged("", shipped) == shipped == known_algorithms.merged(shipped, shipped)
    assert known_algorithms.merged(mine, shipped.replace("version: 3", "version: 4")) == mine
    assert known_algorithms.of_device(both, "L4") == results(("L4", "b", 9))
    assert [known_algorithms.count(text) for text in ("", mine, both)] == [0, 2, 4]


def test_what_is_shipped_for_a_gpu_is_there_from_the_start(machine, tmp_path):
    device, version = "NVIDIA H100 80GB HBM3", "2.21.0"
    shipped = known_algorithms.shipped(device, version)
    assert known_algorithms.count(shipped) > 300 and known_algorithms.of_device(shipped, "DNN version: 9.19.0") == shipped
    machine.setattr(compile_cache, "device_name", lambda: device)
    machine.setattr(compile_cache, "tensorflow_version", lambda: version)
    machine.setattr(compile_cache, "cudnn_version", lambda: "9.19.0.56-9.8.0")
    cache = compile_cache.use(str(tmp_path))
    path = os.path.join(cache.folder, compile_cache.AUTOTUNE_FILE)
    assert "--xla_gpu_load_autotune_results_from=" + path in os.environ["XLA_FLAGS"].split()
    timed_here = known_algorithms.merged(results(("H100", "a", 1)), shipped)
    for text in (shipped, timed_here):
        with open(path, encoding="utf-8") as file:
            assert file.read() == text
        compile_cache.use(str(tmp_path))  # nothing is lost, nothing is added twice
        with open(cache.autotuning, "w", encoding="utf-8") as file:
            file.write(timed_here)
        cache.keep()
    assert "for NVIDIA-H100-80GB-HBM3-tf2.21.0-cudnn9.19.0.56-9.8.0, " in cache.sentence()
    assert f"0 programs and the fastest algorithms of {known_algorithms.count(timed_here)} operations" in cache.sentence()


@pytest.mark.parametrize("device, version, cudnn, agree", [
    ("NVIDIA L4", "2.20.0", "9.8.0.87", True), ("NVIDIA L4", "2.20.1", "9.8.0", True),
    ("NVIDIA L4", "2.20.0", "9.8.0.1-9.8.0.2", True),
    ("NVIDIA L4", "2.20.0", "9.8.0-9.19.0", False), ("NVIDIA L4", "2.20.0", "9.8.1", False), ("NVIDIA L4", "2.20.0", "", False),
    ("NVIDIA L4", "2.21.0", "9.8.0", False), ("Tesla T4", "2.20.0", "9.8.0", False),
])  # fmt: skip
def test_results_that_name_no_cudnn_are_taken_where_all_agrees(device, version, cudnn, agree, machine, tmp_path):
    text, folder = results(("L4", "a", 1), ("L4", "b", 2)), tmp_path / "shipped"
    folder.mkdir()
    machine.setattr(known_algorithms, "FOLDER", str(folder))
    with gzip.open(str(folder / known_algorithms.file_name("NVIDIA L4", "2.20.0", "9.8.0.87")), "wt") as file:
        file.write(text)
    machine.setattr(compile_cache, "device_name", lambda: device)
    machine.setattr(compile_cache, "tensorflow_version", lambda: version)
    machine.setattr(compile_cache, "cudnn_version", lambda: cudnn)
    cache = compile_cache.use(str(tmp_path / "cache"))
    path = Path(cache.folder) / compile_cache.AUTOTUNE_FILE
    assert (path.read_text() == text) if agree else not path.exists()
    assert ("--xla_gpu_load_autotune_results_from=" + str(path) in os.environ["XLA_FLAGS"].split()) is agree


@pytest.mark.parametrize(
    "device, version, cudnn",
    [
        ("Tesla T4", "2.21.0", "9.19.0"),
        ("NVIDIA H100 80GB HBM3", "2.99.0", "9.19.0"),
        ("NVIDIA H100 80GB HBM3", "2.21.0", "9.8.0.87"),
        ("NVIDIA H100 80GB HBM3", "2.21.0", "9.1.0"),
    ],
)
def test_nothing_is_shipped_for_others(machine, tmp_path, device, version, cudnn):
    assert known_algorithms.shipped(device, version, cudnn) == ""
    machine.setattr(compile_cache, "device_name", lambda: device)
    machine.setattr(compile_cache, "tensorflow_version", lambda: version)
    machine.setattr(compile_cache, "cudnn_version", lambda: cudnn)
    assert compile_cache.use(str(tmp_path)).sentence().startswith("Nothing is kept yet")


def test_the_log_says_what_is_kept_and_for_what(machine, tmp_path):
    cache = compile_cache.use(str(tmp_path))
    assert cache.sentence().startswith(f"Nothing is kept yet for {FOLDER}:")
    kept(cache)
    assert cache.sentence().startswith(f"Kept for {FOLDER}, and valid for it alone: 1 program;")


def test_another_cudnn_has_a_folder_of_its_own(machine, tmp_path):
    kept(compile_cache.use(str(tmp_path)))
    machine.setattr(compile_cache, "cudnn_version", lambda: "9.9.0")
    cache = compile_cache.use(str(tmp_path))
    assert os.path.basename(cache.folder) == "Tesla-T4-tf2.20.0-cudnn9.9.0" and os.listdir(cache.folder) == []


@pytest.mark.parametrize("damage", [b"", b"prog", b"otherwise"])
def test_a_damaged_entry_is_thrown_away(machine, tmp_path, damage):
    cache = compile_cache.use(str(tmp_path))
    kept(cache)
    compile_cache.use(str(tmp_path))
    assert os.path.exists(os.path.join(cache.folder, ENTRY))
    with open(os.path.join(cache.folder, ENTRY), "wb") as file:
        file.write(damage)
    compile_cache.use(str(tmp_path))
    assert not os.path.exists(os.path.join(cache.folder, ENTRY))


def test_what_a_killed_process_left_is_thrown_away(machine, tmp_path):
    cache = compile_cache.use(str(tmp_path))
    kept(cache)
    for name in (ENTRY.replace("1", "7"), ENTRY + "machine-7.tmp", "17.autotuning.pbtxt"):
        with open(os.path.join(cache.folder, name), "wb") as file:
            file.write(b"half")
    compile_cache.use(str(tmp_path))
    assert sorted(os.listdir(cache.folder)) == [compile_cache.INDEX_FILE, ENTRY]


def test_the_oldest_go_when_there_are_too_many(machine, tmp_path):
    cache = compile_cache.use(str(tmp_path))
    names = [ENTRY.replace("1", str(number)) for number in range(3, 6)]
    for age, name in enumerate(names):
        kept(cache, name, b"x" * 100)
        os.utime(os.path.join(cache.folder, name), (1000 + age, 1000 + age))
    compile_cache.tidy(cache.folder, read_index(cache.folder, cache.key)[0], max_bytes=250)
    assert sorted(n for n in os.listdir(cache.folder) if n.endswith(".pb")) == names[1:]


def test_through_drive_to_another_machine(machine, tmp_path):
    here, there, drive = (str(tmp_path / name) for name in ("here", "there", "drive"))
    kept(compile_cache.use(here, drive))
    finish_copies()
    copied = compile_cache.use(there, drive)
    with open(os.path.join(copied.folder, ENTRY), "rb") as file:
        assert file.read() == b"program"
    with open(os.path.join(copied.remote, ENTRY), "wb") as file:
        file.write(b"pro")  # an upload that was cut short
    third = compile_cache.use(str(tmp_path / "third"), drive)
    assert not os.path.exists(os.path.join(third.folder, ENTRY))


def test_programs_are_known_by_what_was_traced(machine, tmp_path):
    here, there, drive = (str(tmp_path / name) for name in ("here", "there", "drive"))
    cache = compile_cache.use(here, drive)
    assert not cache.has_program(b"graph")
    assert not cache.has_program(b"graph")  # known once it is kept
    kept(cache)
    finish_copies()
    again = compile_cache.use(here, drive)
    assert again.has_program(b"graph") and not again.has_program(b"another")
    kept(again)
    finish_copies()
    elsewhere = compile_cache.use(there, drive)
    assert elsewhere.has_program(b"graph") and elsewhere.has_program(b"another")


def test_a_drive_that_does_not_answer_is_not_waited_for(machine, tmp_path):
    answer = threading.Event()
    machine.setattr(compile_cache, "FETCH_S", 0.1)
    machine.setattr(compile_cache, "_fetch", lambda *_: answer.wait(60))
    machine.setattr(compile_cache, "_send", lambda *_: answer.wait(60))
    began = time.monotonic()
    kept(compile_cache.use(str(tmp_path / "here"), str(tmp_path / "drive")))
    assert time.monotonic() - began < 30
    answer.set()
    finish_copies()


def test_names_from_elsewhere_stay_inside(machine, tmp_path):
    drive = tmp_path / "drive" / FOLDER
    drive.mkdir(parents=True)
    (tmp_path / "drive" / "secret.pb").write_bytes(b"x")
    digest = compile_cache.sha256_of(tmp_path / "drive" / "secret.pb")[1]
    write_index(str(drive), key_for(drive), {"../secret.pb": digest, "xla_compile_cache/../../secret.pb": digest})
    cache = compile_cache.use(str(tmp_path / "here"), str(tmp_path / "drive"))
    assert os.listdir(cache.folder) == [compile_cache.INDEX_FILE] and os.listdir(tmp_path / "here") == [FOLDER]


def foreign_programs(folder, entries=None):
    """Write a folder as another user's machine keeps it, or an older version that signed nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ENTRY).write_bytes(b"foreign")
    digest = compile_cache.sha256_of(folder / ENTRY)[1]
    if entries is None:
        write_index(str(folder), b"another key", {ENTRY: digest})
    else:
        (folder / compile_cache.INDEX_FILE).write_text(json.dumps(entries(digest)))


@pytest.mark.parametrize("entries", [
    None,
    lambda digest: {ENTRY: digest},
    lambda digest: {"entries": {ENTRY: digest}, "code": ""},
    lambda digest: {"entries": {ENTRY: digest}, "code": None},
    lambda digest: {"entries": [ENTRY], "code": "0" * 64},
    lambda digest: [[]],
])  # fmt: skip
def test_programs_of_another_user_are_not_taken_from_a_shared_folder(machine, tmp_path, entries):
    drive, here = tmp_path / "drive" / FOLDER, tmp_path / "here"
    foreign_programs(drive, entries)
    cache = compile_cache.use(str(here), str(tmp_path / "drive"))
    assert not [name for name in os.listdir(cache.folder) if name.startswith(ENTRY)]
    assert f"The programs in {drive} are not taken: they are native code" in cache.sentence()
    assert f"the key in {tmp_path / 'settings'}" in cache.sentence()
    kept(cache, content=b"mine")
    finish_copies()
    again = compile_cache.use(str(tmp_path / "there"), str(tmp_path / "drive"))  # ours have taken their place
    with open(os.path.join(again.folder, ENTRY), "rb") as file:
        assert file.read() == b"mine"
    assert "not taken" not in again.sentence()


def test_programs_of_another_user_are_not_taken_from_the_machines_own_folder(machine, tmp_path):
    foreign_programs(tmp_path / FOLDER)
    cache = compile_cache.use(str(tmp_path))
    assert not os.path.exists(os.path.join(cache.folder, ENTRY)) and f"The programs in {tmp_path / FOLDER}" in cache.sentence()


def test_a_list_that_was_signed_for_another_device_is_not_taken(machine, tmp_path):
    cache = compile_cache.use(str(tmp_path / "here"))
    kept(cache)
    other = tmp_path / "drive" / FOLDER
    shutil.copytree(cache.folder, str(other))
    os.rename(str(other), str(tmp_path / "drive" / "other"))
    assert read_index(cache.folder, cache.key)[1] and not read_index(str(tmp_path / "drive" / "other"), cache.key)[1]


def test_a_file_that_changes_while_it_is_fetched_never_gets_its_name(machine, tmp_path):
    kept(compile_cache.use(str(tmp_path / "here"), str(tmp_path / "drive")))
    finish_copies()
    (tmp_path / "drive" / FOLDER / ENTRY).write_bytes(b"changed")
    machine.setattr(compile_cache, "tidy", lambda *_: None)  # it would delete what slipped through
    cache = compile_cache.use(str(tmp_path / "there"), str(tmp_path / "drive"))
    assert not os.path.exists(os.path.join(cache.folder, ENTRY))


def test_the_key_lies_where_only_this_user_writes(machine, tmp_path):
    assert key_folder("/content/drive/MyDrive/colab-sg2-ada/results/compiled/x") == "/content/drive/MyDrive/.sg2ada_colab"
    assert key_folder("/content/drive/Shareddrives/club/results/compiled") == "/content/drive/MyDrive/.sg2ada_colab"
    assert key_folder("/content/drive/.shortcut-targets-by-id/1a/results") == "/content/drive/MyDrive/.sg2ada_colab"
    assert key_folder("/home/user/drive/results") == str(tmp_path / "settings")
    key = key_for(tmp_path)
    path = tmp_path / "settings" / KEY_FILE
    assert len(key) == 32 and key_for(tmp_path) == key and stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("damaged")
    with pytest.raises(OSError, match="not a key: delete it"):
        key_for(tmp_path)


def test_without_a_key_nothing_is_kept(machine, tmp_path):
    (tmp_path / "settings").write_text("a file where the folder should be")
    assert compile_cache.use(str(tmp_path / "here")) is None


def test_nothing_is_kept(machine, tmp_path):
    assert compile_cache.use("off") is None
    (tmp_path / "file").write_text("")
    assert compile_cache.use(str(tmp_path / "file")) is None
    machine.setattr(compile_cache.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    assert compile_cache.use(str(tmp_path)) is None
    machine.setattr(compile_cache, "tensorflow_version", lambda: "1.14.0")
    assert compile_cache.use(str(tmp_path)) is None
    assert os.environ["TF_XLA_FLAGS"] == ""


PROGRAM = """
import sys
from sg2ada_colab.compile import cache as compile_cache
cache = compile_cache.use(sys.argv[1])
from sg2ada_colab.tf import compiled, tf
from sg2ada_colab.compile.warm_up import Program, warm_up
for _ in range(int(sys.argv[2])):
    tf.Variable(1.0).assign(3.0)
weight = tf.Variable(tf.ones([4, 4]))
function = compiled(lambda x: tf.reduce_sum(tf.matmul(x, weight)))
before = cache.known_programs()
warm_up([Program("product", function, (tf.ones([2, 4]),))], [weight], cache)
assert not before or before == cache.programs, "the program was traced otherwise than in the process before"
cache.keep()
print(float(function(tf.ones([2, 4]))), sorted(name for name in __import__("os").listdir(cache.folder)))
"""


@pytest.mark.slow
@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 compiles nothing")
def test_the_next_process_finds_the_program(tmp_path):
    def run(others):
        words = [sys.executable, "-c", PROGRAM, str(tmp_path / "programs"), str(others)]
        settings = dict(os.environ, SG2ADA_CONFIG_DIR=str(tmp_path / "settings"))
        return subprocess.run(words, stdout=subprocess.PIPE, check=True, env=settings).stdout.decode().splitlines()[-1]

    first = run(0)
    assert first.startswith("32.0") and first.count("xla_compile_cache") == 1
    assert run(20) == first  # the same entry, whatever was done before
    (folder,) = (tmp_path / "programs").iterdir()
    (entry,) = folder.glob("*.pb")
    entry.write_bytes(entry.read_bytes()[:1000])
    assert run(0) == first


PICTURES = """
import sys
from sg2ada_colab.compile import cache as compile_cache
cache = compile_cache.use(sys.argv[1])
from sg2ada_colab.networks.shared_programs import shared_program
from sg2ada_colab.tf import tf
for _ in range(int(sys.argv[2])):
    tf.function(lambda x: x + 1.0)(tf.ones([1 + _]))
def tripled(settings, weights, x):
    return x * weights["a"] * settings[0]
run = shared_program(tripled, (3.0,))
for size in (2, 4)[:: int(sys.argv[3])]:
    assert float(run({"a": tf.constant(2.0)}, tf.ones([size]))[0]) == 6.0
print(sorted(name for name in __import__("os").listdir(cache.folder) if name.endswith(".pb")))
"""


@pytest.mark.slow
@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 compiles nothing")
def test_programs_of_pictures_and_metrics_have_their_names_whatever_was_done_before(tmp_path):
    def run(others, order):
        words = [sys.executable, "-c", PICTURES, str(tmp_path / f"programs-{others}"), str(others), str(order)]
        settings = dict(os.environ, SG2ADA_CONFIG_DIR=str(tmp_path / "settings"))
        return subprocess.run(words, stdout=subprocess.PIPE, check=True, env=settings).stdout.decode().splitlines()[-1]

    first = run(0, 1)
    assert first.count("xla_compile_cache") == 2
    assert run(20, -1) == first


def test_scatters_are_made_repeatable_fast_where_that_is_known(machine):
    compile_cache.prefer_fast_deterministic_scatters()
    assert os.environ["XLA_FLAGS"].split() == ["--xla_gpu_enable_scatter_determinism_expander=true"]
    for name, value in (("tensorflow_version", "2.19.1"), ("device_name", compile_cache.processor_name())):
        machine.setenv("XLA_FLAGS", "")
        with machine.context() as here:
            here.setattr(compile_cache, name, lambda value=value: value)
            compile_cache.prefer_fast_deterministic_scatters()
        assert os.environ["XLA_FLAGS"] == ""


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_deterministic_run_asks_for_it_before_tensorflow_begins(machine, tmp_path, deterministic):
    from types import SimpleNamespace

    from sg2ada_colab.cli.train import start
    from sg2ada_colab.runs import start as runs

    seen = []
    machine.setenv(compile_cache.ENVIRONMENT, "off")
    machine.setattr(runs, "start", lambda *args, **options: seen.append(os.environ["XLA_FLAGS"]))
    config = SimpleNamespace(engine=SimpleNamespace(xla=True, deterministic=deterministic))
    start(SimpleNamespace(config=config, run_dir=str(tmp_path / "run"), candidate=None, drive_dir=None, store=None))
    assert seen == ["--xla_gpu_enable_scatter_determinism_expander=true" if deterministic else ""]


def test_pictures_keep_their_programs_apart_unless_tensorflow_is_there_already(machine, tmp_path):
    machine.setenv(compile_cache.ENVIRONMENT, str(tmp_path))
    machine.setitem(sys.modules, "tensorflow", None)
    assert compile_cache.use_for_pictures() is None
    machine.delitem(sys.modules, "tensorflow")
    cache = compile_cache.use_for_pictures()
    assert cache.folder == str(tmp_path / "pictures" / FOLDER) and cache.leads
    machine.setenv(compile_cache.ENVIRONMENT, "off")
    assert compile_cache.use_for_pictures() is None


def test_a_run_keeps_its_programs_beside_it_on_drive_or_nothing(machine, tmp_path, monkeypatch):
    monkeypatch.setenv(compile_cache.ENVIRONMENT, str(tmp_path / "here"))
    cache = compile_cache.use_for_run(True, False, str(tmp_path / "drive" / "results" / "00000-x"))
    assert cache.folder == str(tmp_path / "here" / FOLDER)
    assert cache.remote == str(tmp_path / "drive" / "results" / "compiled" / FOLDER)
    assert "scatter" not in os.environ["XLA_FLAGS"]
    other = compile_cache.use_for_run(True, True)
    assert other is not cache and other.remote is None and "scatter_determinism" in os.environ["XLA_FLAGS"]
    assert compile_cache.use_for_run(False, True) is None
