"""Kill a process that trains and stores, again and again, with a Drive that fails: the part that all crash tests share."""

import hashlib
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

from fake_drive import FakeDrive
from fault_counts import print_counts
from fork_server import ForkServer

from sg2ada_colab.snapshots.choose import RunFolder
from sg2ada_colab.snapshots.training_state import load_state

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

CALM = {
    "eio": 0, "eio_on_write": 0, "short_write": 0, "twin_rename": 0, "lose_put": 0, "list_delay_s": 0, "upload_delay_s": 0,
    "upload_bytes_s": None, "bytes_s": None, "quota_bytes": None, "silent_quota_bytes": None, "dead": False, "dead_on_write": 0,
    "eager_metadata": False, "no_ids": False,
}  # fmt: skip


class Weather:
    """Sets of faults: often none, else one to three together. Each kind comes once before any comes again.

    Args:
        rng: random.Random.
        quota_bytes: A Drive of this size is too small for what a run keeps.
    """

    def __init__(self, rng, quota_bytes):
        self.rng, self.left = rng, []
        self.storms = [
            {"eio": 0.02},
            {"eio_on_write": 0.05},
            {"short_write": 0.05},
            {"twin_rename": 0.5},
            {"lose_put": 0.2},
            {"list_delay_s": 0.1},
            {"upload_delay_s": 0.4},
            {"upload_bytes_s": 2e6, "upload_delay_s": 0.1},
            {"bytes_s": 10e6},
            {"quota_bytes": quota_bytes},
            {"silent_quota_bytes": quota_bytes},
            {"dead_on_write": 0.1},
            {"eager_metadata": True, "upload_delay_s": 0.3},
            {"no_ids": True},
        ]

    def next(self):
        chosen = dict(CALM)
        for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
            self.left = self.left or self.rng.sample(self.storms, len(self.storms))
            chosen.update(self.left.pop())
        if chosen["no_ids"]:
            # Nothing can tell a stuck upload then; waiting for it to settle covers delays only.
            chosen.update(lose_put=0, silent_quota_bytes=None)
        return chosen


class Crashes:
    """The machine, the Drive and the ledger of one crash test; a context manager.

    A child notes in the ledger: "chosen" with what it passed over, "begin" with where it goes on (`at`) and a proof of its
    whole state, "running" after its first step, "copied" when it takes a snapshot of its state, "written" when that is whole on
    this machine, "say", "refused", and "end".

    Args:
        folder: Scratch folder.
        run: Name of the run folder.
        seed: Of kills and weather.
        pauses_s: How long a child may run before it is killed: one is drawn, and a part of it.
        count: Key of the counter in a training state's meta.
        early_s: About how long a child takes until its first step.
        quota_bytes: Of a Drive that is too small.
    """

    module = None  # whose `main` a child runs

    def __init__(self, folder, run, seed, pauses_s, count, early_s, quota_bytes=1_500_000):
        self.early_s = early_s
        self.rng, self.run, self.pauses_s, self.count = random.Random(seed), run, pauses_s, count
        self.weather = Weather(self.rng, quota_bytes)
        self.local, self.ledger = folder / "vm", folder / "ledger"
        self.ledger.mkdir()
        self.drive = FakeDrive(folder / "drive", **CALM)
        self.results = self.drive.mount / "results"
        self.lines_read, self.least, self.begun = 0, 0, 0
        self.copied = {0: time.time()}  # counter -> when a snapshot of it was taken
        self.proofs = []  # (at, proof) of each begin
        names = "kills, kills before the first step, lost VMs, dead mounts, resumes, passed over, sentences, refusals"
        self.figures = dict.fromkeys(names.split(", "), 0)
        for name in ("kills while a snapshot was being written", "lost at a kill, most", "seconds lost at a kill, most"):
            self.figures[name] = 0
        self.figures["snapshots lost with a VM in calm weather, most"] = 0

    def __enter__(self):
        self.drive.start()
        self.results.mkdir()
        self.drive.wait_until_uploaded()
        paths = [str(REPOSITORY), str(HERE)] + [path for path in [os.environ.get("PYTHONPATH")] if path]
        self.server = ForkServer([self.module], dict(os.environ, PYTHONPATH=os.pathsep.join(paths)))
        return self

    def __exit__(self, *ignored):
        self.server.__exit__()
        self.drive.stop()

    def arguments(self, *last):
        """Return the arguments of the child's `main`; `last` is what `start` was given."""
        raise NotImplementedError

    def start(self, *last):
        return self.server.start(self.module, self.arguments(*last), self.ledger / "stderr")

    def lines(self, peek=False):
        """Return what the child noted since the last call."""
        path = self.ledger / "ledger.jsonl"
        text = path.read_text() if path.exists() else ""
        new = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()[self.lines_read :]]
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
        weather = self.weather.next()
        self.drive.set(**weather)
        child = self.start(*last)
        broken = self._let_run(child)
        ended_by_itself = child.poll() is not None
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed = time.time()
        lines = self.lines()
        self._note(child, lines, ended_by_itself)
        self.drive.set(**CALM)
        if self.rng.random() < 0.4:
            self._lose_vm(lines, calm=weather == CALM and not broken)
        elif any(line["event"] == "begin" for line in lines):
            self._judge_loss(lines, killed)

    def _lose_vm(self, lines, calm):
        self.drive.lose_vm()
        shutil.rmtree(str(self.local), ignore_errors=True)
        self.figures["lost VMs"] += 1
        self.least = max(self.safe(self.drive.cloud / "results" / self.run))
        written = [line["at"] for line in lines if line["event"] == "written"]
        if calm:
            name = "snapshots lost with a VM in calm weather, most"
            self.figures[name] = max(self.figures[name], sum(at > self.least for at in written))

    def _judge_loss(self, lines, killed):
        """Check what a kill alone, with the machine and its disk still there, has cost."""
        self.least = max([line["at"] for line in lines if line["event"] == "written"] + [self.begun])
        in_flight = [line["at"] for line in lines if line["event"] == "copied" and line["at"] > self.least]
        assert len(in_flight) <= 1, "{} snapshots were taken and not written".format(in_flight)
        self.figures["kills while a snapshot was being written"] += len(in_flight)
        self.copied.update({line["at"]: line["time"] for line in lines if line["event"] == "copied"})
        running = next((line["time"] for line in lines if line["event"] == "running"), killed)  # compiling before it is no loss
        lost_s = killed - max(running, self.copied.get(self.least, 0))
        lost = self.progress() - self.least
        for name, value in (("lost at a kill, most", lost), ("seconds lost at a kill, most", round(lost_s, 2))):
            self.figures[name] = max(self.figures[name], value)
        self.check_loss(lost)

    def check_loss(self, lost):
        """Check how far the counter fell at a kill; what was in flight had been taken an interval before at most."""

    def _let_run(self, child):
        """Return, when it is time to kill the child, whether the mount died meanwhile."""
        deadline = time.monotonic() + 900
        early = self.rng.random() < 0.1  # now and then it is killed while it still chooses or fetches
        limit = time.monotonic() + self.rng.random() * self.early_s
        while child.poll() is None and not any(line["event"] == "running" for line in self.lines(peek=True)):
            assert time.monotonic() < deadline, "the child does not begin"
            if early and time.monotonic() > limit:
                return False
            time.sleep(0.01)
        time.sleep(self.rng.choice(self.pauses_s) * self.rng.random())
        if self.rng.random() >= 0.1:
            return False
        self.drive.die()
        time.sleep(self.rng.random() * 0.4)
        self.drive.remount()
        self.figures["dead mounts"] += 1
        time.sleep(self.rng.choice(self.pauses_s) * self.rng.random())
        return True

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
        print_counts(self.drive.counts.read())
        print("files that a lost VM never persisted: {}".format(self.drive.never_persisted))
