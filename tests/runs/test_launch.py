"""The launcher with stand-ins for the processes: it starts, watches, ends and restarts them; none is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from waiting import wait_until

from sg2ada_colab import run_files
from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import launch as module
from sg2ada_colab.runs.cluster import Cluster
from sg2ada_colab.runs.launch import DONE, INTERRUPTED, LOST, OUT_OF_MEMORY, Job, launch
from sg2ada_colab.runs.signs import Allowances

ROOT = str(Path(__file__).parent.parent.parent)
QUICK = Allowances(beat_s=3.0, start_s=60.0, group_s=3.0, times=10.0, aside_s=60.0)
# A stand-in for one process: notes its start, then does what the plan says for (its index, its how-manieth start).
CHILD = """
import json, os, signal, subprocess, sys, time
sys.path.insert(0, {root!r})
from sg2ada_colab.processes import end_with_parent
from sg2ada_colab.runs.signs import ASIDE, GROUP, JOINED, Sender
folder, index, pipe = sys.argv[1:]
asked = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: asked.append(number))
signs = Sender(int(pipe))
end_with_parent(2.0)
job = json.load(open(os.path.join(folder, "job.json")))
place = job["run_dir"]
with open(os.path.join(place, "started-" + index), "a") as file:
    file.write(json.dumps(dict(pid=os.getpid(), card=os.environ["CUDA_VISIBLE_DEVICES"], tf=os.environ["TF_CONFIG"],
                               resume=job["resume"], leaders=job["leaders"])) + chr(10))
starts = len(open(os.path.join(place, "started-" + index)).readlines())
plan = json.load(open(os.path.join(place, "plan.json")))
action, words = (plan.get(index + "/" + str(starts)) or plan.get(index) or "train"), []
if action == "wait for others":
    time.sleep(600)
signs.send(JOINED + ASIDE + GROUP * 5)
print("process", index, "trains", flush=True)
if action == "done":
    sys.exit(0)
if action.startswith("code "):
    time.sleep(0.3)
    sys.exit(int(action[5:]))
if action in ("refuse", "out of memory"):
    with open(os.path.join(folder, "outcome-" + index + ".json"), "w") as file:
        json.dump({{"what": action, "expected": "b", "next_step": "c"}}, file)
    sys.exit(1 if action == "refuse" else 3)
if action == "SIGKILL beside a child":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    with open(os.path.join(place, "child"), "w") as file:
        file.write(str(child.pid))
    os.kill(os.getpid(), signal.SIGKILL)
if action.startswith("SIG"):
    time.sleep(0.3)
    os.kill(os.getpid(), getattr(signal, action))
if action == "stuck":
    time.sleep(600)
while not asked or action == "deaf":
    signs.send(GROUP)
    time.sleep(0.05)
open(os.path.join(place, "saved-" + index), "w").write(str(int(asked[0])))
sys.exit(130)
"""


class Run:
    """A run's folder, what its processes are to do, and what became of them."""

    def __init__(self, folder):
        self.dir, self.script = folder / "run", folder / "child.py"
        self.dir.mkdir()
        self.script.write_text(CHILD.format(root=ROOT))
        self.plan({})

    def plan(self, actions):
        (self.dir / "plan.json").write_text(json.dumps(actions))

    def started(self, index):
        path = self.dir / f"started-{index}"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def pids(self):
        return [one["pid"] for index in range(2) for one in self.started(index)]

    def log(self):
        return (self.dir / run_files.LOG).read_text()

    def launch(self, **more):
        job = Job(SimpleNamespace(to_dict=dict), str(self.dir), quiet=True)
        cluster = more.pop("cluster", Cluster(("127.0.0.1:0",) * 2, 0, ("a", "b"), fixed_ports=False))
        return launch(job, cluster, more.pop("allowances", QUICK), [sys.executable, str(self.script)], **more)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a `Run`; no process of it is left behind by the test."""
    monkeypatch.setattr(module, "FOLLOW_S", 0.5)
    made = Run(tmp_path)
    yield made
    assert [pid for pid in made.pids() if is_alive(pid)] == []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def press(run, number, times=1, pause_s=0.0):
    """Send this process a signal once both processes train, and again."""

    def wait_and_press():
        wait_until(lambda: len(run.pids()) == 2, 60.0)
        time.sleep(0.7)  # the launcher has taken in their signs
        for _ in range(times):
            os.kill(os.getpid(), number)
            time.sleep(pause_s)

    threading.Thread(target=wait_and_press, daemon=True).start()


def test_each_process_has_its_card_and_its_place(run):
    run.plan({"0": "done", "1": "done"})
    assert run.launch() == DONE
    (first,), (second,) = run.started(0), run.started(1)
    assert (first["card"], second["card"]) == ("a", "b") and first["leaders"] == [0] and first["resume"] is None
    first, second = json.loads(first["tf"]), json.loads(second["tf"])
    assert first["cluster"] == second["cluster"] and (first["task"]["index"], second["task"]["index"]) == (0, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wish_to_stop_reaches_all_once_and_all_save(run, number):
    press(run, number)
    assert run.launch() == INTERRUPTED
    assert [(run.dir / f"saved-{index}").read_text() for index in range(2)] == [str(int(number))] * 2
    assert len(run.started(0)) == 1


def test_a_second_interruption_ends_all_at_once(run, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.runs.stop.ECHO_S", 0.2)
    run.plan({"1": "deaf"})
    press(run, signal.SIGINT, 2, 0.5)
    with pytest.raises(KeyboardInterrupt):
        run.launch()
    assert not (run.dir / "saved-1").exists()


def test_an_interruption_before_training_ends_at_once(run):
    run.plan({"0": "wait for others", "1": "wait for others"})
    press(run, signal.SIGINT)
    assert run.launch() == INTERRUPTED and not (run.dir / "saved-0").exists()


@pytest.mark.parametrize(
    "action, words",
    [
        ("SIGKILL", "Process 2 of 2 was killed by the system or by hand"),
        ("SIGSTOP", "Process 2 of 2 showed no sign of life for"),
        ("stuck", "Process 2 of 2 did not go on for"),
        ("SIGSEGV", "Process 2 of 2 was ended by SIGSEGV."),
        ("code 9", "Process 2 of 2 ended unexpectedly (exit code 9)."),
    ],
)
def test_after_a_fault_all_start_again(run, action, words):
    run.plan({"1/1": action, "0/2": "done", "1/2": "done"})
    assert run.launch() == DONE
    assert len(run.started(0)) == len(run.started(1)) == 2
    assert words in run.log() and "All processes were ended; the run begins again." in run.log()
    events = [json.loads(line) for line in (run.dir / run_files.EVENTS).read_text().splitlines()]
    assert any(words in event["text"] and event["kind"] == "warning" for event in events)  # the panel shows these


def test_what_a_killed_process_had_started_is_ended_too(run):
    """As a measurement, which has a session of its own and a share of the GPU."""
    run.plan({"0/1": "SIGKILL beside a child", "0/2": "done", "1/2": "done"})
    assert run.launch() == DONE
    assert not is_alive(int((run.dir / "child").read_text()))


def test_the_one_that_was_killed_is_named_and_not_those_that_noticed(run):
    run.plan({"0/1": f"code {LOST}", "1/1": "SIGKILL", "0/2": "done", "1/2": "done"})
    assert run.launch() == DONE and "Process 2 of 2 was killed" in run.log()


@pytest.mark.parametrize("noticed", ["stuck", f"code {LOST}"])
def test_the_one_that_stands_still_is_named_and_not_those_that_wait_for_it(run, monkeypatch, noticed):
    """Whoever comes first: the launcher sees that the first waits, or that it has lost the other."""
    monkeypatch.setattr(module, "FOLLOW_S", 3.0)
    monkeypatch.setattr(module, "STILL_S", 2.0)
    run.plan({"0/1": noticed, "1/1": "SIGSTOP", "0/2": "done", "1/2": "done"})
    assert run.launch(allowances=Allowances(beat_s=30.0, group_s=4.0, times=10.0)) == DONE
    assert "Process 2 of 2 showed no sign of life for" in run.log() and "Process 1" not in run.log()


def test_without_progress_it_gives_up_after_three_restarts(run):
    run.plan({"1": "code 9"})
    with pytest.raises(UserError) as caught:
        run.launch()
    assert len(run.started(0)) == 4 == 1 + module.MOST_RESTARTS
    assert "(exit code 9). It was started again 3 times, without a new snapshot. It said:\nprocess 1 trains" in caught.value.what
    assert "run the same command again" in caught.value.next_step


def test_a_new_snapshot_is_progress_and_training_goes_on_from_it(run, monkeypatch):
    def newest(job):
        return SnapshotOf(len(run.started(0)) // 2)  # a new one in every second attempt

    monkeypatch.setattr(module, "newest_snapshot", newest)
    monkeypatch.setattr(module, "asdict", lambda candidate: {"name": candidate.name})
    run.plan(dict({"1": "code 9"}, **{"0/6": "done", "1/6": "done"}))
    assert run.launch() == DONE
    names = [one["resume"] and one["resume"]["name"] for one in run.started(0)]
    assert names == [None, "000000", "000001", "000001", "000002", "000002"]
    assert "training starts again from network-snapshot-000002.pkl." in run.log()


class SnapshotOf:
    def __init__(self, kimg):
        self.name = f"{kimg:06d}"
        self.pickle = f"network-snapshot-{self.name}.pkl"


@pytest.mark.parametrize("index", [0, 1])
def test_a_refusal_is_shown_and_nothing_starts_again(run, index):
    run.plan({str(index): "refuse"})
    with pytest.raises(UserError, match="refuse\n  Expected: b\n  Next: c"):
        run.launch()
    assert len(run.started(0)) == 1


def test_memory_that_was_never_enough_is_a_refusal_and_later_a_fault(run, monkeypatch):
    assert OUT_OF_MEMORY == 3
    run.plan({"1/1": "out of memory", "0/2": "done", "1/2": "done"})
    with pytest.raises(UserError, match="out of memory"):
        run.launch()
    for path in run.dir.glob("started-*"):
        path.unlink()
    monkeypatch.setattr(module, "newest_snapshot", lambda job: SnapshotOf(1))
    monkeypatch.setattr(module, "asdict", lambda candidate: {"name": candidate.name})
    assert run.launch() == DONE and "Process 2 of 2: out of memory All processes were ended" in run.log()


def test_where_others_take_part_it_waits_before_it_starts_again(run):
    ports = module.os.getpid() % 20000 + 20000
    cluster = Cluster((f"127.0.0.1:{ports}", f"127.0.0.1:{ports + 1}", "elsewhere:1"), 0, ("a", "b"))
    run.plan({"1/1": "code 9", "1/2": "code 9", "0/3": "done", "1/3": "done"})
    slept = []
    assert run.launch(cluster=cluster, sleep=slept.append) == DONE
    assert slept == list(module.PAUSES_S[:2]) and json.loads(run.started(0)[0]["tf"])["cluster"]["worker"][2] == "elsewhere:1"


def test_no_process_outlives_a_launcher_that_is_killed(run):
    run.plan({"1": "deaf"})
    code = (
        "import sys; from types import SimpleNamespace as N; from sg2ada_colab.runs.launch import Job, launch;"
        "from sg2ada_colab.runs.cluster import Cluster;"
        f"launch(Job(N(to_dict=dict), {str(run.dir)!r}, quiet=True), Cluster(('x:0',) * 2, 0, ('a', 'b'), fixed_ports=False),"
        f" None, [sys.executable, {str(run.script)!r}])"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    wait_until(lambda: len(run.pids()) == 2, 60.0)
    launcher.kill()
    launcher.wait()
    wait_until(lambda: not any(map(is_alive, run.pids())), 30.0)
    assert (run.dir / "saved-0").read_text() == str(int(signal.SIGTERM))  # it had time to save
