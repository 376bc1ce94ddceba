"""The training process: fake children that end in every way, the stop button, an orphan, and a real tiny one."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import wait_until

from sg2ada_colab.colab.child import PULSE_FILE
from sg2ada_colab.colab.supervisor import TrainingProcess, describe_ending, supervise, wait_for_earlier
from sg2ada_colab.errors import UserError
from sg2ada_colab.run_files import PROCESS

# A stand-in for training: says READY, then does what the job asks for; on SIGINT "saves" and exits with 130.
CHILD = """
import json, os, signal, sys, time
sys.path.insert(0, {root!r})
from sg2ada_colab.colab import child
folder = sys.argv[1]
job = json.load(open(os.path.join(folder, child.JOB_FILE)))
asked = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: asked.append(number))
child.end_with_parent()
open(os.path.join(job["run_dir"], "ready"), "w").close()
if "outcome" in job:
    json.dump(job["outcome"], open(os.path.join(folder, child.OUTCOME_FILE), "w"))
for line in job.get("words", []):
    print(line)
if "pulse" in job:
    json.dump(job["pulse"], open(os.path.join(folder, child.PULSE_FILE), "w"))
if "code" in job:
    sys.exit(job["code"])
if "signal" in job:
    os.kill(os.getpid(), job["signal"])
while len(asked) < job.get("deaf", 1):
    time.sleep(0.02)
open(os.path.join(job["run_dir"], "saved"), "w").close()
sys.exit(130)
"""


def process_for(run_dir, **job):
    root = str(Path(__file__).parent.parent.parent)
    script = run_dir.parent / "child.py"
    script.write_text(CHILD.format(root=root))
    return TrainingProcess(run_dir, dict(job, run_dir=str(run_dir)), [sys.executable, str(script)])


def test_the_stop_button_becomes_one_signal_and_a_clean_end(tmp_path):
    run_dir, said = tmp_path / "run", []
    process = process_for(run_dir).start()
    pressed = []

    def refresh():
        if (run_dir / "ready").exists() and not pressed:
            pressed.append(True)
            raise KeyboardInterrupt

    ending = supervise(process, refresh, said.append, poll_s=0.02)
    assert ending.state == "stopped" and process.poll() == 130
    assert (run_dir / "saved").exists() and len(said) == 1 and said[0].startswith("Stopping")
    assert not os.path.exists(process.folder)


def test_a_real_interruption_of_this_thread_is_caught_and_reaches_the_child_once(tmp_path):
    run_dir, said = tmp_path / "run", []
    process = process_for(run_dir).start()

    def press():
        wait_until((run_dir / "ready").exists, 60.0)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    ending = supervise(process, lambda: None, said.append, poll_s=0.05)
    assert (ending.state, len(said)) == ("stopped", 1)
    # In a session of its own, so that an interruption of the kernel's group does not reach it by itself.
    assert process.job["run_dir"] == str(run_dir)


def test_the_child_is_in_a_session_of_its_own(tmp_path):
    process = process_for(tmp_path / "run").start()
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        process.close()


def test_a_child_that_does_not_listen_is_killed_the_third_time(tmp_path):
    run_dir, said = tmp_path / "run", []
    process = process_for(run_dir, deaf=99).start()

    def refresh():
        if (run_dir / "ready").exists():
            raise KeyboardInterrupt

    ending = supervise(process, refresh, said.append, poll_s=0.02)
    assert ending.state == "died" and process.poll() == -signal.SIGKILL and said[-1].startswith("Killed.")


def test_an_error_in_the_panel_leaves_no_process_behind(tmp_path):
    run_dir = tmp_path / "run"
    process = process_for(run_dir).start()

    def refresh():
        if (run_dir / "ready").exists():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        supervise(process, refresh, print, poll_s=0.02)
    assert process.poll() == 130 and (run_dir / "saved").exists()


@pytest.mark.parametrize(
    "job, state, words",
    [
        ({"code": 0}, "done", "Training finished"),
        ({"code": 3, "words": ["a", "", "Fatal: b"]}, "died", "exit code 3"),
        ({"code": 1, "words": ["ResourceExhaustedError: OOM when allocating tensor"]}, "died", "GPU's memory"),
        ({"signal": int(signal.SIGKILL)}, "died", "RAM"),
        ({"signal": int(signal.SIGSEGV)}, "died", "SIGSEGV"),
    ],
)
def test_every_end_is_told_in_plain_words(tmp_path, job, state, words):
    process = process_for(tmp_path / "run", **job).start()
    ending = supervise(process, lambda: None, print, poll_s=0.02)
    assert ending.state == state and words in ending.sentence and ending.error is None
    assert "Traceback" not in ending.sentence + ending.advice
    if state == "died":
        assert "cell again" in ending.advice


def test_a_users_error_in_the_child_comes_back_in_its_three_parts(tmp_path):
    outcome = {"what": "No images.", "expected": "Some.", "next_step": "Add some."}
    ending = supervise(process_for(tmp_path / "run", code=1, outcome=outcome).start(), lambda: None, print, poll_s=0.02)
    assert ending.state == "error" and isinstance(ending.error, UserError) and ending.error.next_step == "Add some."


@pytest.mark.parametrize("there, ticks, stays", [(False, 0, False), (True, 0, True), (False, 1, True)])
def test_a_start_that_was_refused_leaves_no_folder(tmp_path, there, ticks, stays):
    run_dir = tmp_path / "run"
    if there:
        run_dir.mkdir()
    outcome = {"what": "No images.", "expected": "Some.", "next_step": "Add some."}
    process = process_for(run_dir, code=1, outcome=outcome).start()
    if ticks:
        (run_dir / "stats.jsonl").write_text('{"Progress/kimg": 1.5}\n')
    assert supervise(process, lambda: None, print, poll_s=0.02).state == "error"
    assert run_dir.exists() == stays


def test_exit_1_without_an_outcome_is_a_death_with_its_last_words():
    ending = describe_ending(1, None, ["x", "ImportError: no module"])
    assert ending.state == "died" and "ImportError: no module" in ending.sentence


def test_an_orphan_saves_and_ends_and_the_next_cell_waits_for_it(tmp_path):
    """The kernel is killed: its end of the pipe closes, the child saves, and a new kernel does not begin before."""
    run_dir = tmp_path / "run"
    process_for(run_dir)  # writes the script
    kernel = (
        "import sys, time; sys.path.insert(0, {root!r})\n"
        "from sg2ada_colab.colab.supervisor import TrainingProcess\n"
        "process = TrainingProcess({run!r}, {{'run_dir': {run!r}}}, [sys.executable, {script!r}]).start()\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)\n"
    ).format(root=str(Path(__file__).parent.parent.parent), run=str(run_dir), script=str(tmp_path / "child.py"))
    parent = subprocess.Popen([sys.executable, "-c", kernel], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    wait_until((run_dir / "ready").exists, 60.0)
    said = []
    with pytest.raises(UserError, match=f"process {pid}"):
        wait_for_earlier(run_dir, said.append, timeout_s=0.3)
    assert "Another process" in said[0]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for_earlier(run_dir, said.append, timeout_s=60)
    assert (run_dir / "saved").exists()


def test_a_process_number_that_was_given_to_another_process_blocks_nothing(tmp_path):
    (tmp_path / PROCESS).write_text(json.dumps({"pid": os.getpid(), "folder": "/tmp/another-job"}))
    wait_for_earlier(tmp_path, pytest.fail, timeout_s=0)
    (tmp_path / PROCESS).write_text("{")
    wait_for_earlier(tmp_path, pytest.fail, timeout_s=0)


def test_a_pulse_that_is_half_written_is_none(tmp_path):
    process = process_for(tmp_path / "run", code=0)
    assert process.pulse() is None
    for text, pulse in (('{"kimg": 1', None), ('{"kimg": 1.5}', {"kimg": 1.5})):
        Path(process.folder, PULSE_FILE).write_text(text)
        assert process.pulse() == pulse
    process.forget()


def test_the_last_pulse_outlives_the_folder_that_it_came_through(tmp_path):
    """Of a training that is over before anybody has looked, it is all that says how fast and how far it went."""
    process = process_for(tmp_path / "run", code=0, pulse={"kimg": 1.0, "images_per_second": 9.0}).start()
    ending = supervise(process, lambda: None, lambda sentence: None, poll_s=0.01)
    assert ending.state == "done" and ending.pulse == {"kimg": 1.0, "images_per_second": 9.0}
    assert process.pulse() is None, "its folder is gone"
