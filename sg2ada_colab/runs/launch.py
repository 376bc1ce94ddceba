"""Start the processes of a run on several devices, watch them, end them together, and start again after a fault.

One process a device, and this one, which trains nothing, beside them: it passes Ctrl-C on, notices a process that dies or hangs,
ends the others and starts all again from the newest complete snapshot. It imports no TensorFlow.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Sequence, Type, Union

from ..config.train_config import TrainConfig
from ..errors import UserError
from ..files import write_text
from ..json_files import read_json
from ..processes import ChildProcess, kill_marked
from ..run_files import order_of
from ..storage.choose import Candidate
from ..storage.store import RunStore
from .cluster import Cluster
from .log_file import Log
from .plan import RunPlan
from .signs import BEAT_EVERY_S, Allowances, Watch
from .stop import StopFlag

DONE, REFUSED, OUT_OF_MEMORY, LOST, INTERRUPTED = 0, 1, 3, 75, 130  # exit codes of a process; LOST: another one has gone
MARK = "SG2ADA_LAUNCH"  # environment variable of all processes of one start
JOB_FILE, OUTCOME_FILE = "job.json", "outcome-{}.json"
LOOK_EVERY_S = 0.2
FOLLOW_S = 5.0  # in which the others may notice themselves that one has gone
STILL_S = FOLLOW_S - BEAT_EVERY_S  # without a sign of life, while others fail: it is the cause, and they only noticed
ASLEEP_S = 5.0  # between two looks: this process stood still itself, and the others with it
TELL_S = 30.0  # of waiting for other machines, until it is said
MOST_RESTARTS = 3  # in a row without a new snapshot
PAUSES_S = (5.0, 15.0, 45.0)  # before them where other machines take part, which need time to notice it, too
LAST_LINES = 12
NOTICED = 2  # the least blame: a process that has ended because another one was gone


@dataclass(frozen=True)
class Job:
    """What is trained, as `runs.start.start` needs it."""

    config: TrainConfig
    run_dir: str
    drive_dir: Optional[str] = None
    candidate: Optional[Candidate] = None  # to go on from
    quiet: bool = False
    pulse: Optional[str] = None  # file in which the first process tells where training stands

    @classmethod
    def of_plan(cls, plan: RunPlan, quiet: bool = False) -> "Job":
        """Return the job of a `RunPlan` that `bring_here` has made ready."""
        return cls(plan.config, plan.run_dir, plan.drive_dir, plan.candidate, quiet)


@dataclass(frozen=True)
class Fault:
    """Why the processes were ended before their time."""

    sentence: str
    last_words: str = ""  # what the process printed last


class Member:
    """One process of the run that was started here."""

    def __init__(
        self, index: int, cluster: Cluster, folder: str, allowances: Allowances, command: Sequence[str], quiet: bool
    ) -> None:
        self.index, self.folder = index, folder
        self.name = f"Process {index + 1} of {len(cluster.workers)}"
        reading, writing = os.pipe()
        self.watch = Watch(reading, allowances)
        shown = index == 0 and not quiet
        try:
            with open(self._console(), "wb") as console:
                self.child = ChildProcess(
                    [folder, str(index), str(writing)], console, command, ends_with_parent=True,
                    variables=dict(cluster.variables(index), **{MARK: folder}), same_terminal=shown, descriptors=[writing],
                )  # fmt: skip
        finally:
            os.close(writing)

    def _console(self):
        return os.path.join(self.folder, f"process-{self.index}.txt")

    def code(self) -> Optional[int]:
        """Return its exit code, negative for a signal, or None while it runs."""
        return self.child.poll()

    def outcome(self) -> Optional[UserError]:
        """Return the UserError that ended it, or None."""
        with suppress(OSError, ValueError, TypeError):
            return UserError(**read_json(os.path.join(self.folder, OUTCOME_FILE.format(self.index)), dict))
        return None

    def last_words(self) -> str:
        with open(self._console(), "rb") as file:
            lines = file.read()[-20000:].decode("utf-8", "replace").splitlines()
        return "\n".join([line.rstrip() for line in lines if line.strip()][-LAST_LINES:])

    def end_in_words(self) -> str:
        """Return how it ended, in words."""
        code = self.code() or 0
        if code == -signal.SIGKILL:
            return f"{self.name} was killed by the system or by hand; most often the machine's memory (RAM) has run out."
        if code == LOST:
            return f"{self.name} lost the connection to another one."
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return f"{self.name} was ended by {name}."
        return f"{self.name} ended unexpectedly (exit code {code})."

    def blame(self) -> int:
        """Return how likely its end is the cause of the others' ends: the smaller, the likelier."""
        code = self.code() or 0
        if code < 0 and code != -signal.SIGABRT:
            return 0
        return NOTICED if code in (LOST, -signal.SIGABRT) else 1

    def close(self) -> None:
        """See to it that it has ended."""
        self.child.kill()
        self.watch.close()


class Attempt:
    """The processes of one start, which end together.

    Args:
        job: `Job`.
        cluster: `Cluster` with ports.
        candidate: `Candidate` to go on from, or None.
        allowances: `Allowances`.
        command: Words of the command of a process before its folder, number and pipe; None for `runs.rank`.
    """

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        candidate: Optional[Candidate],
        allowances: Allowances,
        command: Optional[Sequence[str]] = None,
    ) -> None:
        self.job, self.cluster, self.candidate, self.allowances = job, cluster, candidate, allowances
        self.command = list(command or [sys.executable, "-m", "sg2ada_colab.runs.rank"])
        self.members: List[Member] = []
        self.folder = tempfile.mkdtemp(prefix="sg2ada-processes-")
        self._began, self._told = time.monotonic(), False

    def __enter__(self) -> "Attempt":
        job: Dict[str, Any] = {"config": self.job.config.to_dict(), "run_dir": self.job.run_dir, "drive_dir": self.job.drive_dir}
        job.update(resume=self.candidate and asdict(self.candidate), quiet=self.job.quiet, pulse=self.job.pulse)
        job["leaders"] = self.cluster.leaders
        write_text(os.path.join(self.folder, JOB_FILE), json.dumps(job))
        try:
            for k in range(len(self.cluster.cards)):
                self.members.append(
                    Member(self.cluster.first + k, self.cluster, self.folder, self.allowances, self.command, self.job.quiet)
                )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        trace: Optional[TracebackType] = None,
    ) -> None:
        for member in self.members:
            member.close()
        kill_marked(MARK, self.folder)  # what a process that was killed had started, such as a measurement on its GPU
        shutil.rmtree(self.folder, ignore_errors=True)

    def watch(self, stop: Callable[[], Optional[str]], say: Callable[[str], None]) -> Union[int, Fault]:
        """Watch the processes until they have ended; pass a wish to stop on to them.

        Args:
            stop: Callable that returns the reason to stop, or None.
            say: Callable of a sentence.

        Returns:
            Exit code, DONE or INTERRUPTED; or a `Fault`.

        Raises:
            UserError: A process has refused to train.
        """
        asked, looked = False, time.monotonic()
        while True:
            self._look(time.monotonic() - looked)
            looked = time.monotonic()
            fault = self._fault()
            if fault is not None:
                return fault
            codes = [member.code() for member in self.members]
            if None not in codes or (self.cluster.first == 0 and codes[0] is not None):
                self._follow()
                return codes[0] or DONE
            self._tell_of_waiting(say)
            if stop() and not asked:
                asked = True
                if not all(member.watch.has_begun for member in self.members):
                    return INTERRUPTED  # nothing was trained, so there is nothing to save
                for member in self.members:
                    member.child.send(signal.SIGINT if stop() == "interrupted" else signal.SIGTERM)
            time.sleep(LOOK_EVERY_S)

    def _look(self, seconds):
        for member in self.members:
            if seconds > ASLEEP_S:
                member.watch.forgive(seconds)
            member.watch.look()

    def _fault(self):
        """Return the `Fault` of a process that has failed or hangs, or None."""
        if self._failed():
            self._follow()
            first = min(self._failed(), key=lambda member: (member.blame(), member.index))
            refusal = first.outcome() if first.code() in (REFUSED, OUT_OF_MEMORY) else None
            if refusal is None:
                noticed = first.blame() == NOTICED and self._standing_still()
                return noticed or Fault(first.end_in_words(), first.last_words())
            if first.code() == OUT_OF_MEMORY and self._has_progressed():
                return Fault(f"{first.name}: {refusal.what}")
            raise refusal
        for member in self._running():
            silence = member.watch.silence()
            if silence:
                return self._standing_still() or Fault(f"{member.name} {silence}.", member.last_words())
        return None

    def _standing_still(self):
        """Return the `Fault` of a process that does not run, for which the others can only wait, or None."""
        for member in self._running():
            silence = member.watch.no_beat(STILL_S)
            if silence:
                return Fault(f"{member.name} {silence}.", member.last_words())
        return None

    def _running(self):
        return [member for member in self.members if member.code() is None]

    def _failed(self):
        return [member for member in self.members if member.code() not in (None, DONE, INTERRUPTED)]

    def has_trained(self) -> bool:
        """Return whether all that started here came past the first groups of minibatches."""
        return all(member.watch.has_trained for member in self.members)

    def _has_progressed(self):
        return is_newer(newest_snapshot(self.job), self.candidate)

    def _follow(self):
        """Give the others a moment to end by themselves."""
        until = time.monotonic() + FOLLOW_S
        while time.monotonic() < until and self._running():
            time.sleep(LOOK_EVERY_S / 4)
            for member in self.members:
                member.watch.look()

    def _tell_of_waiting(self, say):
        waiting = not all(member.watch.has_joined for member in self.members)
        if self.cluster.spans_machines and waiting and not self._told and time.monotonic() - self._began > TELL_S:
            self._told = True
            say("Waiting for the processes at {}.".format(", ".join(self.cluster.others)))


def newest_snapshot(job: Job) -> Optional[Candidate]:
    """Return the newest complete snapshot of a job's run as a `Candidate`, or what the job goes on from."""
    return (RunStore(job.run_dir, make=False).newest_good() if os.path.isdir(job.run_dir) else None) or job.candidate


def is_newer(one: Optional[Candidate], other: Optional[Candidate]) -> bool:
    """Return whether a snapshot is newer than another; each is a `Candidate` or None."""
    return one is not None and (other is None or order_of(one.name) > order_of(other.name))


def launch(
    job: Job,
    cluster: Cluster,
    allowances: Optional[Allowances] = None,
    command: Optional[Sequence[str]] = None,
    sleep: Callable[[float], Any] = time.sleep,
) -> int:
    """Train a run in several processes to its end, or until it is interrupted.

    Args:
        job: `Job`.
        cluster: `Cluster`.
        allowances: `Allowances`; None: the usual ones.
        command: As for `Attempt`.
        sleep: Called with seconds to wait before another start.

    Returns:
        Exit code: 0 when the run reached its length, 130 when it was interrupted.

    Raises:
        UserError: A process has refused to train, or starting again did not help.
    """
    say, candidate, restarts = _teller(job), job.candidate, 0
    with StopFlag() as stop:
        while True:
            with Attempt(job, cluster.with_ports(), candidate, allowances or Allowances(), command) as attempt:
                ending = attempt.watch(stop, say)
            if not isinstance(ending, Fault):
                return ending
            newest = newest_snapshot(job)
            # Where the first process is another machine's, the run's folder may be out of sight here.
            has_progressed = is_newer(newest, candidate) if cluster.first == 0 else attempt.has_trained()
            restarts = 0 if has_progressed else restarts
            candidate = newest
            if stop() or restarts == MOST_RESTARTS:
                raise _given_up(job, ending, candidate, restarts, stop())
            if ending.last_words:
                say("It said:\n" + ending.last_words)
            say(f"{ending.sentence} All processes were ended; {_from_where(candidate)}.")
            if cluster.spans_machines:
                sleep(PAUSES_S[restarts])
            restarts += 1


def _from_where(candidate):
    return f"training starts again from {os.path.basename(candidate.pickle)}" if candidate else "the run begins again"


def _given_up(job, fault, candidate, restarts, stop):
    """Return the UserError of a run whose processes cannot be kept running."""
    what = f"{fault.sentence} Training was to stop; what came after its newest snapshot is lost."
    if not stop:
        what = f"{fault.sentence} It was started again {restarts} times, without a new snapshot."
    said = f" It said:\n{fault.last_words}" if fault.last_words else ""
    go_on = f"go on with: sg2ada resume {job.run_dir}" if candidate else "run the same command again"
    return UserError(what + said, "processes that run until the end", f"look for the cause, then {go_on}, or with --gpus=1")


def _teller(job):
    """Return a callable that says a sentence on the terminal and, once the run has a folder, in its log and events."""

    def say(sentence):
        log = Log(job.run_dir if os.path.isdir(job.run_dir) else None, job.quiet)
        try:
            log.note("warning", sentence)
        finally:
            log.close()

    return say
