"""Two real processes train one run on the processor; killed, stopped, interrupted or cut off, it ends as an undisturbed one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

from sg2ada_colab.runs.cards import CPU_RANKS
from sg2ada_colab.runs.cluster import free_ports
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.training_state import load_state

ROOT = str(Path(__file__).parent.parent.parent)
# The launcher in a process of its own, with the allowances of a test: arguments are a config, a run's folder and seconds.
LAUNCHER = """
import sys
from sg2ada_colab.config.train_config import TrainConfig
from sg2ada_colab.errors import UserError
from sg2ada_colab.runs.cluster import find_cluster
from sg2ada_colab.runs.launch import Job, launch, newest_snapshot
from sg2ada_colab.runs.signs import Allowances

config = TrainConfig.from_json(open(sys.argv[1]).read())
job = Job(config, sys.argv[2], candidate=newest_snapshot(Job(config, sys.argv[2])))
try:
    cluster, sentence = find_cluster(config, config.schedule.num_gpus)
    print(sentence, flush=True)
    seconds = float(sys.argv[3])
    sys.exit(launch(job, cluster, Allowances(beat_s=seconds, group_s=seconds)))
except UserError as error:
    print("Error:", error)
    sys.exit(1)
"""
pytestmark = pytest.mark.slow


class Launcher:
    """A launcher that runs, its processes, and what it has said.

    Args:
        config: TrainConfig.
        run_dir: Folder of the run.
        before: Words before the command, as for another network namespace.
        variables: Of the environment.
    """

    def __init__(self, config, run_dir, seconds=10.0, before=(), **variables):
        self.run_dir = Path(run_dir)
        path = self.run_dir.parent / f"config-{time.monotonic_ns()}.json"
        path.write_text(config.to_json())
        self.said = path.with_suffix(".txt")
        environment = dict(os.environ, PYTHONPATH=ROOT, **dict({CPU_RANKS: "2"}, **variables))
        with open(str(self.said), "wb") as file:
            command = [*before, sys.executable, "-W", "ignore", "-c", LAUNCHER, str(path), str(run_dir), str(seconds)]
            self.process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def pids(self):
        """Return the numbers of its processes, in the order of their indices."""
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            except (OSError, IndexError):
                continue
            if b"sg2ada_colab.runs.rank" in words and int(parent) == self.process.pid:
                found[int(words[-3])] = int(folder.name)
        return [found[index] for index in sorted(found)]

    def wait_for_snapshot(self, after=None):
        """Wait for a complete snapshot, newer than one; return its name."""

        def newer():
            candidate = self.newest()
            return candidate is not None and candidate.name != after

        self.wait_until(newer)
        return self.newest().name

    def wait_for_end_of(self, pids, timeout_s=300.0):
        """Wait until processes are gone; return the name of the newest snapshot that they can have written."""
        self.wait_until(lambda: not any(map(is_alive, pids)), timeout_s)
        return self.newest().name

    def newest(self):
        return newest_good([self.run_dir]).candidate if self.run_dir.is_dir() else None

    def wait_until(self, true, timeout_s=300.0):
        until = time.monotonic() + timeout_s
        while not true():
            assert self.process.poll() is None and time.monotonic() < until, self.said.read_text()
            time.sleep(0.1)

    def end(self, code=0, timeout_s=300.0):
        assert self.process.wait(timeout_s) == code, self.said.read_text()
        return self.said.read_text()


@pytest.fixture
def launchers():
    """Return a list of launchers that end with the test, whatever happens."""
    started = []
    yield started
    for one in started:
        if one.process.poll() is None:
            for pid in one.pids():
                os.kill(pid, signal.SIGKILL)
            one.process.kill()
            one.process.wait()


def two(tiny_config, **options):
    """Return the config of a run of two rounds a minibatch, which two processes share, with many snapshots."""
    return tiny_config(**dict({"gpus": 2, "kimg": 2, "snap_minutes": 0.01, "aug": "noaug", "keep_last": 0}, **options))


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def assert_equal_ends(one, other):
    """Compare the newest snapshots of two runs, bit for bit."""
    candidates = [newest_good([folder]).candidate for folder in (one, other)]
    assert len({candidate.kimg for candidate in candidates}) == 1
    networks = [Path(candidate.pickle).read_bytes() for candidate in candidates]
    assert networks[0] == networks[1]
    (arrays, meta), (others, other_meta) = (load_state(candidate.state) for candidate in candidates)
    assert sorted(arrays) == sorted(others)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)
    assert meta["counters"]["nimg"] == other_meta["counters"]["nimg"]


def test_killed_stopped_and_interrupted_it_ends_as_undisturbed(tiny_config, launchers, tmp_path):
    config = two(tiny_config)
    launchers.append(Launcher(config, tmp_path / "quiet"))
    said = launchers[-1].end()
    assert "2 processes train" in said and "2 processes, each on " in said
    assert said.count("Done: 2 kimg.") == 1  # one run, one log

    disturbed = Launcher(config, tmp_path / "run")
    launchers.append(disturbed)
    disturbed.wait_for_snapshot()
    before = disturbed.pids()
    os.kill(before[1], signal.SIGKILL)
    first = disturbed.wait_for_end_of(before)
    disturbed.wait_for_snapshot(first)
    pids = disturbed.pids()
    assert len(pids) == 2 and not set(before) & set(pids)
    os.kill(pids[0], signal.SIGSTOP)
    second = disturbed.wait_for_end_of(pids)
    third = disturbed.wait_for_snapshot(second)
    disturbed.process.send_signal(signal.SIGINT)
    said = disturbed.end(130)
    assert "Process 2 of 2 was killed" in said, said
    assert "Process 1 of 2 showed no sign of life" in said, said
    assert "training starts again from network-snapshot-" in said and "Stopped: interrupted." in said
    assert third < "000002"

    launchers.append(Launcher(config, tmp_path / "run"))
    assert "Going on from network-snapshot-" in launchers[-1].end()
    assert_equal_ends(tmp_path / "run", tmp_path / "quiet")
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("Done: 2 kimg.") == 1 and "Process 2 of 2 was killed" in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_launcher_and_all_is_saved(tiny_config, launchers, tmp_path, number):
    launcher = Launcher(two(tiny_config, kimg=1000), tmp_path / "run")
    launchers.append(launcher)
    launcher.wait_for_snapshot()
    pids, newest = launcher.pids(), launcher.newest().name
    launcher.process.send_signal(number)
    assert launcher.process.wait(120) == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), 90.0)
    assert len(pids) == 2 and "Stopped: asked to end." in (tmp_path / "run" / "log.txt").read_text()
    assert launcher.newest().name > newest


def machines(workers):
    """Return the TF_CONFIG of each of two commands that start a process each."""
    for index in range(2):
        yield json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def test_unlike_options_refuse_each_other_before_training(tiny_config, launchers, tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    for name, gamma, tf_config in zip("ab", (1.0, 2.0), machines(workers)):
        (tmp_path / name).mkdir()
        launchers.append(Launcher(two(tiny_config, gamma=gamma), tmp_path / name / "run", TF_CONFIG=tf_config))
    for launcher in launchers:
        said = launcher.end(1)
        assert "the options" in said and "\n  Expected: " in said and "\n  Next: " in said and "Traceback" not in said
    assert not (tmp_path / "a" / "run").exists() and not (tmp_path / "b" / "run").exists()


@pytest.fixture
def two_machines():
    """Return (names of two network namespaces, 10.99.0.1 and 10.99.0.2; a function that calls ip); skip where it is forbidden."""
    names = [f"sg2ada-{os.getpid()}-{letter}" for letter in "ab"]

    def ip(*words):
        return subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).returncode

    if shutil.which("ip") is None or any(ip("netns", "add", name) for name in names):
        pytest.skip("network namespaces cannot be made here")
    ip("link", "add", "sg2a", "netns", names[0], "type", "veth", "peer", "name", "sg2b", "netns", names[1])
    for name, link, address in zip(names, ("sg2a", "sg2b"), ("10.99.0.1/24", "10.99.0.2/24")):
        ip("-n", name, "addr", "add", address, "dev", link)
        for device in (link, "lo"):
            ip("-n", name, "link", "set", device, "up")
    yield names, ip
    for name in names:
        ip("netns", "del", name)


def test_a_machine_that_is_unplugged_and_plugged_in_again_costs_a_restart(tiny_config, launchers, tmp_path, two_machines):
    """The first machine alone sees the run's folder: the other's state comes from it."""
    names, ip = two_machines
    config = two(tiny_config, kimg=1000)
    for name, tf_config in zip(names, machines(["10.99.0.1:23456", "10.99.0.2:23456"])):
        (tmp_path / name).mkdir()
        before = ["ip", "netns", "exec", name]
        launchers.append(Launcher(config, tmp_path / name / "run", 10.0, before, TF_CONFIG=tf_config))
    first, second = launchers
    first.wait_until(lambda: "\ntick 3 " in first.said.read_text())  # the first groups, which may compile something, are over
    pids = first.pids() + second.pids()
    ip("-n", names[1], "link", "set", "sg2b", "down")
    newest = first.wait_for_end_of(pids, 60.0)
    ip("-n", names[1], "link", "set", "sg2b", "up")
    first.wait_for_snapshot(newest)
    first.process.send_signal(signal.SIGINT)
    assert "training starts again from network-snapshot-" in first.end(130)
    assert "All processes were ended" in second.end(130)
    assert not list((tmp_path / names[1]).glob("run/network-snapshot-*"))
