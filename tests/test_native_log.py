"""Native code's lines on the terminal: greetings go, --quiet drops all but crashes, Python's own lines pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sg2ada_colab.native_log import Filter
from tests.conftest import DATA

GREETING = b"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795947927.139502    5180 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
I0000 00:00:1795947927.366855    5180 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available CPU
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.
E0000 00:00:1795947927.139502    5180 text_format.cc:433] Error parsing text-format xla.AutotuneResults: 7:3: no field named "x".
"""
LOG = b"""I0000 00:00:1795947982.552114    5696 cuda_dnn.cc:529] Loaded cuDNN version 91900
W1129 10:00:00.000001    5696 gpu_device.cc:2430] Skipping registering GPU devices
2026-11-29 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:145] This TensorFlow binary
E0000 00:00:1795947982.552114    5696 cuda_platform.cc:52] failed call to cuInit
"""
CRASH = b"""F0000 00:00:1795947982.552114    5696 tensor.cc:844] Check failed: dtype
*** SIGABRT received ***
    @ 0x7f65d6b55300 somewhere
"""
PLAIN = b"a library says something\n"


def shown(quiet, text):
    lines = Filter(quiet)
    return b"".join(line + b"\n" for line in text.split(b"\n")[:-1] if lines.shows(line))


def test_greetings_and_autotuning_go_in_any_case():
    assert shown(False, PLAIN + GREETING + LOG) == PLAIN + LOG.replace(
        b"2026-11-29 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:145] This TensorFlow binary\n", b""
    )


def test_quiet_drops_all_but_what_is_serious():
    error = b"Error: no\n  Expected: yes\n  Next: so\n"
    assert shown(True, PLAIN + GREETING + LOG + error + LOG + CRASH) == PLAIN + error + CRASH


PROGRAM = """
import os, sys
from sg2ada_colab.native_log import filtered
with filtered(quiet={quiet}):
    os.write(2, {lines!r})
    print("Python's own", file=sys.stderr)
    kept = sys.stderr
    os.write(2, b"no newline at the end")
    {end}
print("afterwards", file=kept)
os.write(2, b"I0000 00:00:1 native, afterwards\\n")
"""


def run(quiet, lines, end="pass"):
    words = [sys.executable, "-c", PROGRAM.format(quiet=quiet, lines=lines, end=end)]
    process = subprocess.run(words, capture_output=True)
    assert process.stdout == b""
    return process.returncode, process.stderr


@pytest.mark.parametrize("quiet", [False, True])
def test_a_process_is_filtered_and_then_no_more(quiet):
    code, said = run(quiet, GREETING + LOG + PLAIN)
    assert code == 0 and b"absl" not in said and b"text-format" not in said and (b"cuDNN" in said) is not quiet
    assert b"afterwards\n" in said and said.endswith(b"I0000 00:00:1 native, afterwards\n")
    assert b"Python's own\n" in said and (quiet or PLAIN in said and b"no newline at the end" in said)


@pytest.mark.slow
def test_a_quiet_run_says_nothing(tmp_path):
    shutil.copytree(str(DATA / "run_d2344e7"), str(tmp_path / "old"))
    command = [sys.executable, "-m", "sg2ada_colab", "resume", "run", "--quiet", "--kimg=1"]
    settings = dict(os.environ, PYTHONPATH=str(Path(__file__).parent.parent))
    process = subprocess.run(command, cwd=str(tmp_path / "old"), env=settings, capture_output=True)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    assert "Done: 1 kimg." in (tmp_path / "old" / "run" / "log.txt").read_text()


def test_the_last_words_of_a_crash_pass():
    code, said = run(True, LOG + CRASH, "os.abort()")
    assert code < 0 and CRASH in said and b"cuDNN" not in said
