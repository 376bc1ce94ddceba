"""Kill a process that trains and stores, again and again, with a Drive that fails: the part that all crash tests share."""
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

from fake_drive import FakeDrive

from sg2ada_colab.snapshots.choose import RunFolder
from sg2ada_colab.snapshots.training_state import load_state

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

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
    """The machine, the Drive and the ledger of one crash test; a context manager.

    A child notes in the ledger: "chosen" with what it passed over, "begin" with where it goes on (`at`) and a proof of its
    whole state, "running" after its first step, "written" for each snapshot, "say", "refused", and "end".

    Args:
        folder: Scratch folder.
        run: Name of the run folder.
        seed: Of kills and weather.
        pauses_s: How long a child may run before it is killed: one is drawn, and a part of it.
        count: Key of the counter in a training state's meta.
        early_s: About how long a child takes until its first step.
    """

    def __init__(self, folder, run, seed, pauses_s, count, early_s):
        self.early_s = early_s
        self.rng, self.run, self.pauses_s, self.count = random.Random(seed), run, pauses_s, count
        self.local, self.ledger = folder / "vm", folder / "ledger"
        self.ledger.mkdir()
        self.drive = FakeDrive(folder / "drive", **CALM)
        self.results = self.drive.mount / "results"
        self.lines_read, self.least, self.begun = 0, 0, 0
        self.proofs = []  # (at, proof) of each begin
        names = "kills, kills before the first step, lost VMs, dead mounts, resumes, passed over, sentences, refusals"
        self.figures = dict.fromkeys(names.split(", "), 0)
        self.figures["lost at a kill, most"] = 0

    def __enter__(self):
        self.drive.start()
        self.results.mkdir()
        self.drive.wait_until_uploaded()
        return self

    def __exit__(self, *ignored):
        self.drive.stop()

    def command(self, *last):
        """Return the child's command line; `last` is what `start` was given."""
        raise NotImplementedError

    def start(self, *last):
        environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
        with open(str(self.ledger / "stderr"), "ab") as errors:
            command = [sys.executable, "-W", "ignore"] + [str(part) for part in self.command(*last)]
            return subprocess.Popen(command, env=environment, stderr=errors, stdout=errors)

    def lines(self, peek=False):
        """Return what the child noted since the last call."""
        path = self.ledger / "ledger.jsonl"
        text = path.read_text().splitlines() if path.exists() else []
        new = [json.loads(line) for line in text[self.lines_read :]]
        self.lines_read += 0 if peek else len(new)
        return new

    def progress(self):
        return int((self.ledger / "progress").read_bytes() or b"0")

    def safe(self, run_dir):
        """Return where the snapshots that are whole in a folder stand, judged without the code under test's choice."""
        found, folder = {0}, RunFolder(run_dir)
        for kinds in folder.files.values():
            contents = [(Path(str(run_dir)) / name).read_bytes() for name in kinds.get("network-snapshot", [])]
            digests = [hashlib.sha256(content).hexdigest() for content in contents]
            for state in kinds.get("training-state", []):
                try:
                    _, meta = load_state(os.path.join(str(run_dir), state))
                except Exception:
                    continue
                if meta["snapshot"]["pickle"]["sha256"] in digests:
                    found.add(meta[self.count])
        return found

    def run_and_kill(self, *last):
        """Let a child run under some weather, kill it, perhaps lose the machine; note from where it must go on at least."""
        self.drive.set(**weather(self.rng))
        child = self.start(*last)
        self._let_run(child)
        ended_by_itself = child.poll() is not None
        child.send_signal(signal.SIGKILL)
        child.wait()
        lines = self.lines()
        self._note(child, lines, ended_by_itself)
        self.drive.set(**CALM)
        if self.rng.random() < 0.4:
            self.drive.lose_vm()
            shutil.rmtree(str(self.local), ignore_errors=True)
            self.figures["lost VMs"] += 1
            self.least = max(self.safe(self.drive.cloud / "results" / self.run))
        elif any(line["event"] == "begin" for line in lines):
            self.least = max([line["at"] for line in lines if line["event"] == "written"] + [self.begun])
            lost = self.progress() - self.least
            self.figures["lost at a kill, most"] = max(self.figures["lost at a kill, most"], lost)
            self.check_loss(lost)

    def check_loss(self, lost):
        """Check what a kill alone, with the machine and its disk still there, has cost."""

    def _let_run(self, child):
        deadline = time.monotonic() + 900
        early = self.rng.random() < 0.1  # now and then it is killed while it still chooses or fetches
        limit = time.monotonic() + self.rng.random() * self.early_s
        while child.poll() is None and not any(line["event"] == "running" for line in self.lines(peek=True)):
            assert time.monotonic() < deadline, "the child does not begin"
            if early and time.monotonic() > limit:
                return
            time.sleep(0.01)
        time.sleep(self.rng.choice(self.pauses_s) * self.rng.random())
        if self.rng.random() < 0.1:
            self.drive.die()
            time.sleep(self.rng.random() * 0.4)
            self.drive.remount()
            self.figures["dead mounts"] += 1
            time.sleep(self.rng.choice(self.pauses_s) * self.rng.random())

    def _note(self, child, lines, ended_by_itself):
        if ended_by_itself:
            # A child may end by itself only with a sentence that Drive does not answer or is full, while it is so.
            refusals = [line["text"] for line in lines if line["event"] == "refused"]
            assert refusals, "the child ended ({}): {}".format(child.returncode, (self.ledger / "stderr").read_text()[-3000:])
            allowed = ("does not answer", "cannot be copied from Drive", "no room at all")
            assert any(words in refusals[0] for words in allowed), refusals
            self.figures["refusals"] += 1
        else:
            self.figures["kills"] += 1
        self.figures["sentences"] += sum(line["event"] == "say" for line in lines)
        self.figures["passed over"] += sum(len(line["skipped"]) for line in lines if line["event"] == "chosen")
        begins = [line for line in lines if line["event"] == "begin"]
        self.figures["kills before the first step"] += not begins
        for begin in begins:
            self.begun = begin["at"]
            self.proofs.append((begin["at"], begin["proof"]))
            self.figures["resumes"] += begin["at"] > 0
            skipped = [line["skipped"] for line in lines if line["event"] == "chosen"]
            assert begin["at"] >= self.least, "resumed at {} although {} was safe: {}".format(begin["at"], self.least, skipped)

    def print_figures(self, what):
        print("\n{}: {}".format(what, ", ".join("{} {}".format(value, name) for name, value in self.figures.items())))
