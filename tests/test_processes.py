"""A child process: its lines, its code, what the first, second and third interruption do, no process left behind."""

import os
import signal
import sys
import time

import pytest

from sg2ada_colab import processes
from sg2ada_colab.processes import ChildProcess, search_path

DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
SAVES = """
import signal, sys, time
asked = []
def ask(*ignored):
    asked.append(1)
    print("asked", len(asked), flush=True)
    if len(asked) == WANTED:
        sys.exit(130)
signal.signal(signal.SIGINT, ask)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""


def child(code, *words, **how):
    return ChildProcess(["-c", code] + list(words), command=[sys.executable], **how)


def test_lines_come_as_they_are_printed_and_a_carriage_return_ends_one():
    process = child("import sys; sys.stdout.write('a\\n 5%\\r10%\\n'); sys.stderr.write('\\xe4 last'); sys.exit(3)")
    assert [line for line in process.lines() if line] == ["a", " 5%", "10%", "ä last"]
    assert process.wait() == process.poll() == 3 and list(process.lines()) == []


def test_an_interruption_while_lines_are_read_loses_none():
    process = child("print('one'); print('two'); print('three')")
    process.wait()
    seen = []
    with pytest.raises(KeyboardInterrupt):
        for line in process.lines():
            seen.append(line)
            raise KeyboardInterrupt
    assert [line for line in seen + list(process.lines()) if line] == ["one", "two", "three"]


def test_the_first_interruption_saves_the_second_asks_again_the_third_kills():
    process = child(SAVES.replace("WANTED", "2"))
    lines = process.lines()
    assert next(lines) == "ready"
    assert process.interrupt().startswith("Stopping:") and next(lines) == "asked 1"
    assert process.interrupt() == "Asked again; a third time kills it."
    assert process.wait(60) == 130
    process = child(DEAF)
    assert next(process.lines()) == "ready"
    sentences = [process.interrupt() for _ in range(3)]
    assert sentences[2].startswith("Killed.") and process.wait(60) == -signal.SIGKILL


def test_a_child_that_does_not_end_in_time_is_killed():
    process = child(DEAF)
    assert next(process.lines()) == "ready"
    began = time.monotonic()
    assert process.stop(0.2) == -signal.SIGKILL and time.monotonic() - began < 30
    assert process.kill() == -signal.SIGKILL, "once more does nothing"


@pytest.mark.parametrize("deaf", [True, False])
def test_what_a_child_has_started_ends_with_its_session(deaf):
    hears = "signal.SIG_IGN" if deaf else "lambda *ignored: sys.exit(130)"
    starts = "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(other.pid, flush=True)"
    process = child(f"import signal, subprocess, sys; signal.signal(signal.SIGINT, {hears}); {starts}; other.wait()")
    other = int(next(process.lines()))
    assert process.end_session(1.0) == (-signal.SIGKILL if deaf else 130)
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{other}") and time.monotonic() < deadline:
        with open(f"/proc/{other}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "Z":
                break  # nobody waits for it any more
        time.sleep(0.01)
    assert time.monotonic() < deadline
    assert process.end_session() == process.poll(), "once more does nothing"


def test_a_child_that_ends_with_its_parent_sees_its_input_close():
    process = child("import sys; sys.stdin.read(); sys.exit(130)", ends_with_parent=True)
    assert process.poll() is None and process.close(60) == 130


def test_what_it_prints_goes_to_a_file_and_its_session_is_its_own(tmp_path):
    with open(str(tmp_path / "log"), "wb") as log:
        process = child("import os; print(os.getsid(0) == os.getpid())", log=log)
        assert process.wait(60) == 0
    assert (tmp_path / "log").read_text() == "True\n"


def test_a_child_finds_this_package_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = ChildProcess(["--version"])
    assert any("0." in line for line in process.lines()) and process.wait(60) == 0
    monkeypatch.setenv("PYTHONPATH", "/some/where")
    assert search_path().split(os.pathsep)[-1] == "/some/where"
    monkeypatch.setattr(processes, "__file__", "/usr/lib/site-packages/sg2ada_colab/processes.py")
    assert search_path() == "/some/where", "an installed package is found by itself"


def test_it_prints_where_this_process_prints_and_reads_an_open_file(capfd):
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    code = "import os, sys; print(os.read(int(sys.argv[1]), 99).decode(), flush=True); print('aside', file=sys.stderr)"
    assert child(code, str(reading), same_terminal=True, descriptors=[reading]).wait() == 0
    os.close(reading)
    assert capfd.readouterr() == ("through a pipe\n", "aside\n")


@pytest.mark.parametrize("deaf, code", [(False, 130), (True, -signal.SIGKILL)])
def test_a_child_whose_parent_is_gone_saves_and_ends_or_is_ended(deaf, code):
    """Its pipe closes: it is asked to end, and after its time it ends in any case."""
    watching = SAVES.replace("WANTED", "99" if deaf else "1").replace("SIGINT", "SIGTERM").replace(
        'print("ready"', 'from sg2ada_colab.processes import end_with_parent; end_with_parent(0.5)\nprint("ready"'
    )  # fmt: skip
    process = child(watching, ends_with_parent=True)
    assert next(process.lines()) == "ready"
    assert process.close(60) == code
