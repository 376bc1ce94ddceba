"""Kill a process that trains and stores, again and again, with a Drive that fails: the part that all crash tests share."""

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
from intact import Inspector, lying_pickles
from owed import LAG_S, PAUSE_S, Owed
from weather import CALM, Weather

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


class Crashes:
    """The machine, the Drive and the ledger of one crash test; a context manager.

    A child notes in the ledger: "chosen" with what it passed over, "begin" with where it goes on (`at`) and a proof of its
    whole state, "running" after its first step, "copied" when it takes a snapshot of its state, "written" when that is whole on
    this machine, "say", "refused", and "end"; and what `telling_copier` notes. At each kill the snapshots that are whole on this
    machine, behind the mount and in the cloud are found from their bytes. The run goes on from the newest of those that are
    left or later, in every weather. Where the disk is left too, that is at most an interval and what was being written;
    where it is not, `Owed` says what must have survived.

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
        self.rng, self.run, self.pauses_s = random.Random(seed), run, pauses_s
        self.inspector = Inspector(count, self.check_contents)
        self.weather = Weather(self.rng, quota_bytes)
        self.local, self.ledger = folder / "vm", folder / "ledger"
        self.ledger.mkdir()
        self.drive = FakeDrive(folder / "drive", **CALM)
        self.results = self.drive.mount / "results"
        self.stuck_before = 0  # uploads that got stuck on machines before this one
        self.place = os.path.join("results", run)
        self.owed = Owed(lambda since, until: self.drive.counts.troubles(since, until, PAUSE_S))
        self.bytes_read, self.least = 0, 0
        self.copied = {0: time.time()}  # counter -> when a snapshot of it was taken
        self.proofs = []  # (at, proof) of each begin
        names = "kills, kills before the first step, lost VMs, dead mounts, resumes, passed over, sentences, refusals"
        self.figures = dict.fromkeys(names.split(", "), 0)
        for name in ("kills while a snapshot was being written", "lost at a kill, most", "seconds lost at a kill, most"):
            self.figures[name] = 0
        for weather in ("calm", "bad"):
            self.figures[f"snapshots lost with a VM in {weather} weather, most"] = 0
        self.figures["seconds lost with a VM, most"] = 0

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

    def lines(self):
        """Return what the child noted since the last call."""
        path = self.ledger / "ledger.jsonl"
        if not path.exists():
            return []
        with open(str(path), "rb") as file:
            file.seek(self.bytes_read)
            content = file.read()
        content = content[: content.rfind(b"\n") + 1]
        self.bytes_read += len(content)
        return [json.loads(line) for line in content.decode().splitlines()]

    def progress(self):
        return int((self.ledger / "progress").read_bytes() or b"0")

    def intact(self, results):
        """Return {snapshot name: position} of what is whole of the run in a results folder, judged from the bytes alone."""
        return self.inspector.whole(results / self.run)

    def wait_in_cloud(self, position, timeout_s=60):
        """Wait until a snapshot of a position is whole in the cloud; what got stuck on its way there before plays no part."""
        deadline = time.monotonic() + timeout_s
        while position not in self.intact(self.drive.cloud / "results").values():
            assert time.monotonic() < deadline, f"{position} does not reach the cloud"
            time.sleep(0.2)

    def check_contents(self, position, arrays, pickle):
        """Check what a snapshot that is whole holds, where that is known."""

    def run_and_kill(self, *last):
        """Let a child run under some weather, kill it, perhaps lose the machine; find from where it must go on at least."""
        weather = self.weather.next(stuck=self._stuck_uploads() > self.stuck_before)
        self.drive.set(**weather)
        child, lines = self.start(*last), []
        broken = self._let_run(child, lines)
        ended_by_itself = child.poll() is not None
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed = time.time()
        self._follow(lines)
        self._note(child, lines, ended_by_itself)
        self.drive.set(**CALM)
        self.copied.update({line["at"]: line["time"] for line in lines if line["event"] == "copied"})
        lost_vm = self.rng.random() < 0.4
        if lost_vm:
            self.drive.stop()
        behind_mount = self.intact(self.drive.cache / "results")
        self.owed.judge_reports(behind_mount, self._lying())
        self.owed.judge_lag(killed, self._lying())
        self.owed.judge_cloud(self.intact(self.drive.cloud / "results"))
        if lost_vm:
            self._lose_vm(lines, killed, calm=weather == CALM and not broken)
        else:
            self._judge_kill(lines, killed, behind_mount)

    def _stuck_uploads(self):
        counts = self.drive.counts.read()
        return counts["stuck uploads"] + counts["uploads refused silently"]

    def _lying(self):
        return lying_pickles(self.drive.cache / self.place)

    def _follow(self, lines):
        """Read on in the ledger, and judge what it says."""
        new = self.lines()
        self.owed.follow(new)
        lines += new

    def _lose_vm(self, lines, killed, calm):
        """Drop what Drive has not persisted, and the disk; check that nothing is lost beyond what the copier may lose."""
        in_cloud = self.intact(self.drive.cloud / "results")
        self.owed.judge_lost_machine(in_cloud, self.drive.unpersisted(self.place), self._lying())
        self.drive.lose_vm()
        shutil.rmtree(str(self.local), ignore_errors=True)
        self.stuck_before = self._stuck_uploads()
        self.least = max(in_cloud.values(), default=0)
        self.figures["lost VMs"] += 1
        lost = [line for line in lines if line["event"] == "written" and line["at"] > self.least]
        name = "snapshots lost with a VM in {} weather, most".format("calm" if calm else "bad")
        self.figures[name] = max(self.figures[name], len(lost))
        if lost:
            name = "seconds lost with a VM, most"
            self.figures[name] = max(self.figures[name], round(killed - lost[0]["time"], 2))

    def _judge_kill(self, lines, killed, behind_mount):
        """Check what a kill alone, with the machine and its disk still there, has cost."""
        on_disk = max(self.intact(self.local).values(), default=0)
        written = max((line["at"] for line in lines if line["event"] == "written"), default=0)
        assert on_disk >= written, f"{written} was written, and {on_disk} is the newest that is whole"
        newest = max([on_disk] + list(behind_mount.values()))
        assert newest >= self.least, f"{self.least} was there before, and {newest} is the newest now"
        self.least = newest
        running = [line["time"] for line in lines if line["event"] == "running"]
        if not running:
            return
        in_flight = [line["at"] for line in lines if line["event"] == "copied" and line["at"] > self.least]
        assert len(in_flight) <= 1, f"{in_flight} snapshots were taken and not written"
        self.figures["kills while a snapshot was being written"] += len(in_flight)
        lost_s = killed - max(running[0], self.copied.get(self.least, 0))  # compiling before the first step is no loss
        lost = self.progress() - self.least
        for name, value in (("lost at a kill, most", lost), ("seconds lost at a kill, most", round(lost_s, 2))):
            self.figures[name] = max(self.figures[name], value)
        self.check_loss(lost, lines, in_flight)

    def check_loss(self, lost, lines, in_flight):
        """Check that a kill cost one interval at most, besides the one whose snapshot was being written.

        Args:
            lost: How far the counter fell.
            lines: Of the ledger, by the child that was killed.
            in_flight: Where the snapshot that was being written stands: a list of one or none.
        """

    def _let_run(self, child, lines):
        """Return, when it is time to kill the child, whether the mount died meanwhile."""
        deadline = time.monotonic() + 900
        early = self.rng.random() < 0.1  # now and then it is killed while it still chooses or fetches
        limit = time.monotonic() + self.rng.random() * self.early_s
        while child.poll() is None and not any(line["event"] == "running" for line in lines):
            assert time.monotonic() < deadline, "the child does not begin"
            if early and time.monotonic() > limit:
                return False
            time.sleep(0.01)
            self._follow(lines)
        self._pause()
        if self.rng.random() < 0.1:  # what was held up must have come at the end of this
            self.drive.set(**CALM)
            time.sleep(PAUSE_S + LAG_S)
            self._pause()
        if self.rng.random() >= 0.1:
            return False
        self._break_mount(lines)
        self._pause()
        return True

    def _pause(self):
        time.sleep(self.rng.choice(self.pauses_s) * self.rng.random())

    def _break_mount(self, lines):
        """Let the mount die and come back: what was written and not uploaded is gone, the machine is still there."""
        died = time.time()
        self.drive.counts.held_up(died, 0.0)
        self.drive.die()
        self._follow(lines)
        self.owed.mount_died(self.drive.unpersisted(self.place), self._lying())
        time.sleep(self.rng.random() * 0.4)
        self.drive.remount()
        self.owed.mount_is_back(time.time())
        self.drive.counts.held_up(died, time.time() - died + PAUSE_S)
        self.figures["dead mounts"] += 1

    def _note(self, child, lines, ended_by_itself):
        if ended_by_itself:
            # A child may end by itself only with a sentence that Drive does not answer or is full, while it is so.
            refusals = [line["text"] for line in lines if line["event"] == "refused"]
            assert refusals, "the child ended ({}): {}".format(child.returncode, (self.ledger / "stderr").read_text()[-3000:])
            allowed = ("does not answer", "cannot be copied from Drive", "is full")
            assert any(words in refusals[0] for words in allowed), refusals
            self.figures["refusals"] += 1
        else:
            self.figures["kills"] += 1
        self.figures["sentences"] += sum(line["event"] == "say" for line in lines)
        self.figures["passed over"] += sum(len(line["skipped"]) for line in lines if line["event"] == "chosen")
        begins = [line for line in lines if line["event"] == "begin"]
        self.figures["kills before the first step"] += not begins
        for begin in begins:
            self.proofs.append((begin["at"], begin["proof"]))
            self.figures["resumes"] += begin["at"] > 0
            skipped = [line["skipped"] for line in lines if line["event"] == "chosen"]
            assert begin["at"] >= self.least, "resumed at {} although {} was safe: {}".format(begin["at"], self.least, skipped)

    def print_figures(self, what):
        print("\n{}: {}".format(what, ", ".join(f"{value} {name}" for name, value in self.figures.items())))
        print("the copier: {}".format(", ".join(f"{value} {name}" for name, value in self.owed.figures.items())))
        print_counts(self.drive.counts.read())
        print(f"files that a lost VM never persisted: {self.drive.never_persisted}")
