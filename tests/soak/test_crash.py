"""Kill a process that trains and stores, again and again, with a Drive that fails; no run may be lost, no resume wrong."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_drive import FakeDrive, needs_fuse
from stand_in_child import RUN, STEPS_PER_SNAPSHOT, advance

from sg2ada_colab.snapshots.choose import RunFolder
from sg2ada_colab.snapshots.training_state import load_state

CHILD = Path(__file__).parent / "stand_in_child.py"
REPOSITORY = Path(__file__).parent.parent.parent
KEEP_LAST = 3
CALM = {
    "eio": 0, "eio_on_write": 0, "short_write": 0, "twin_rename": 0, "lose_put": 0, "list_delay_s": 0, "upload_delay_s": 0,
    "upload_bytes_s": None, "bytes_s": None, "quota_bytes": None, "dead": False, "eager_metadata": False, "no_ids": False,
}  # fmt: skip


def weather(rng):
    """Return a set of faults: often none, else one to three of them together."""
    storms = [
        {"eio": 0.02},
        {"eio_on_write": 0.05},
        {"short_write": 0.03},
        {"twin_rename": 0.5},
        {"lose_put": 0.2},
        {"list_delay_s": 0.1},
        {"upload_delay_s": 0.4},
        {"upload_bytes_s": 2e6, "upload_delay_s": 0.1},
        {"bytes_s": 3e6},
        {"quota_bytes": 1_500_000},
        {"eager_metadata": True, "upload_delay_s": 0.3},
        {"no_ids": True},
    ]
    chosen = dict(CALM)
    for storm in rng.sample(storms, rng.choice([0, 1, 1, 2, 3])):
        chosen.update(storm)
    if chosen["no_ids"]:
        chosen["lose_put"] = 0  # nothing can tell a stuck upload then; waiting for it to settle covers delays only
    return chosen


class Crashes:
    """The machine, the Drive and the ledger of one crash test."""

    def __init__(self, folder, seed):
        self.rng = random.Random(seed)
        self.local, self.ledger = folder / "vm", folder / "ledger"
        self.ledger.mkdir()
        self.drive = FakeDrive(folder / "drive", **CALM)
        self.drive.start()
        self.results = self.drive.mount / "results"
        self.results.mkdir()
        self.drive.wait_until_uploaded()
        self.lines_read, self.figures = 0, {"kills": 0, "lost VMs": 0, "dead mounts": 0, "resumes": 0, "skipped": 0}
        self.figures.update({"steps lost, most": 0, "snapshots in flight at a kill": 0, "sentences": 0})
        self.figures["refusals to begin"] = 0
        self.links = [b"\0" * 32]

    def link(self, step):
        while len(self.links) <= step:
            self.links.append(advance(self.links[-1], len(self.links) - 1))
        return self.links[step].hex()

    def start(self, total_steps):
        command = [sys.executable, str(CHILD), self.local, self.results, self.ledger, total_steps, KEEP_LAST, 1.0]
        environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
        with open(str(self.ledger / "stderr"), "ab") as errors:
            return subprocess.Popen([str(part) for part in command], env=environment, stderr=errors, stdout=errors)

    def lines(self):
        """Return what the child noted since the last call."""
        path = self.ledger / "ledger.jsonl"
        text = path.read_text().splitlines() if path.exists() else []
        new = [json.loads(line) for line in text[self.lines_read :]]
        self.lines_read = len(text)
        return new

    def progress(self):
        path = self.ledger / "progress"
        return int(path.read_bytes() or b"0") if path.exists() else 0

    def safe_steps(self, run_dir):
        """Return the steps of the snapshots that are whole in a folder, judged without the code under test's choice."""
        steps, folder = {0}, RunFolder(run_dir)
        for name in folder.files:
            states = folder.files[name].get("training-state", [])
            pickles = folder.files[name].get("network-snapshot", [])
            for state in states:
                try:
                    _, meta = load_state(os.path.join(str(run_dir), state))
                except Exception:
                    continue
                wanted = meta["snapshot"]["pickle"]["sha256"]
                contents = [(Path(str(run_dir)) / pickle).read_bytes() for pickle in pickles]
                if wanted in [hashlib.sha256(content).hexdigest() for content in contents]:
                    steps.add(meta["step"])
        return steps

    def kill(self, child):
        child.send_signal(signal.SIGKILL)
        child.wait()
        self.figures["kills"] += 1

    def run_and_kill(self, total_steps):
        """Let a child run under some weather, kill it, perhaps lose the machine; return the least step to resume from."""
        self.drive.set(**weather(self.rng))
        child = self.start(total_steps)
        self._let_run(child)
        ended_by_itself = child.poll() is not None
        self.kill(child)
        lines, progress = self.lines(), self.progress()
        if ended_by_itself:
            self._check_refusal(child, lines)
        self._check_resume(lines)
        written = [line["step"] for line in lines if line["event"] == "written"]
        self.figures["sentences"] += sum(line["event"] == "say" for line in lines)
        lost_vm = self.rng.random() < 0.4
        self.drive.set(**CALM)
        if lost_vm:
            return self._lose_vm()
        resume_from = max(written + [self.resumed_at])
        if not any(line["event"] == "begin" for line in lines):
            return resume_from  # killed before its first step
        # All but the snapshot being written is there, and that one was begun less than an interval after the last.
        assert progress - resume_from < 2 * STEPS_PER_SNAPSHOT + 1
        self.figures["steps lost, most"] = max(self.figures["steps lost, most"], progress - resume_from)
        self.figures["snapshots in flight at a kill"] += progress - resume_from >= STEPS_PER_SNAPSHOT
        return resume_from

    def _let_run(self, child):
        seen, deadline = self.lines_read, time.monotonic() + 60
        while child.poll() is None and len((self.ledger / "ledger.jsonl").read_text().splitlines() if (
            self.ledger / "ledger.jsonl").exists() else []) <= seen:  # fmt: skip
            assert time.monotonic() < deadline, "the child does not begin"
            time.sleep(0.005)
            if self.rng.random() < 0.002:
                return  # now and then it is killed while it still chooses or fetches
        time.sleep(self.rng.choice([0.02, 0.2, 0.5, 1.0]) * self.rng.random() * 2)
        if self.rng.random() < 0.1:
            self.drive.die()
            time.sleep(self.rng.random() * 0.4)
            self.drive.remount()
            self.figures["dead mounts"] += 1
            time.sleep(self.rng.random() * 0.4)

    def _lose_vm(self):
        self.drive.lose_vm()
        shutil.rmtree(str(self.local), ignore_errors=True)
        self.figures["lost VMs"] += 1
        return max(self.safe_steps(self.drive.cloud / "results" / RUN))

    def _check_resume(self, lines):
        resumes = [line for line in lines if line["event"] == "resume"]
        if not resumes:
            return  # killed before it had chosen
        (resume,) = resumes
        self.figures["resumes"] += 1
        self.figures["skipped"] += len(resume["skipped"])
        assert resume["whole"] and resume["link"] == self.link(resume["step"]), "a wrong resume: {}".format(resume)
        assert resume["step"] >= self.least, "lost: resumed at {} although {} was safe: {}".format(
            resume["step"], self.least, resume["skipped"])  # fmt: skip
        self.resumed_at = resume["step"]

    def _check_refusal(self, child, lines):
        """A child may end by itself only with a sentence that Drive does not answer, while it does not."""
        refusals = [line["text"] for line in lines if line["event"] == "refused"]
        assert refusals, "the child ended ({}): {}".format(child.returncode, (self.ledger / "stderr").read_text()[-3000:])
        assert "does not answer" in refusals[0] or "cannot be copied from Drive" in refusals[0], refusals
        self.figures["kills"] -= 1
        self.figures["refusals to begin"] += 1

    def go(self, kills):
        self.least = self.resumed_at = 0
        while self.figures["kills"] < kills:
            self.least = self.resumed_at = self.run_and_kill(10**9)
        total_steps = self.least + 3 * STEPS_PER_SNAPSHOT + 2
        child = self.start(total_steps)
        assert child.wait(120) == 0, (self.ledger / "stderr").read_text()[-3000:]
        lines = self.lines()
        self._check_resume(lines)
        assert lines[-1]["event"] == "end" and lines[-1]["done"]
        assert lines[-1]["link"] == self.link(total_steps), "the end differs from an undisturbed run"
        self.drive.wait_until_uploaded()
        assert max(self.safe_steps(self.drive.cloud / "results" / RUN)) == total_steps
        self.figures["steps of the whole run"] = total_steps


def crash(folder, kills, seed):
    crashes = Crashes(folder, seed)
    try:
        crashes.go(kills)
    finally:
        crashes.drive.stop()
    print("\nstand-in, fake Drive: " + ", ".join("{} {}".format(value, name) for name, value in crashes.figures.items()))
    return crashes.figures


@needs_fuse
@pytest.mark.slow
def test_twenty_kills(tmp_path):
    figures = crash(tmp_path, 20, seed=20)
    assert figures["kills"] == 20 and figures["lost VMs"] >= 3


@needs_fuse
@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_kills(tmp_path, seed):
    figures = crash(tmp_path, 200, seed)
    assert figures["kills"] == 200 and figures["lost VMs"] >= 40 and figures["dead mounts"] >= 5
