"""The training process as the notebook sees it: started, asked how it is, stopped with care, and its end put into words."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from .. import run_files
from ..errors import UserError
from ..files import FilePath, write_text
from ..json_files import read_json
from ..processes import ChildProcess
from ..runs.plan import RunPlan
from ..storage import run_folder
from .child import JOB_FILE, OUTCOME_FILE, PULSE_FILE, USER_ERROR
from .environment import Environment
from .form_words import as_fields

DONE, INTERRUPTED = 0, 130
POLL_S = 0.5
SHUTDOWN_S = 300.0  # for an earlier process to save and end
LAST_LINES = 12
MEMORY_WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhaustedError", "OOM when allocating", "out of memory", "OUT_OF_MEMORY")


@dataclass(frozen=True)
class Ending:
    """How a training process ended."""

    state: str  # "done", "stopped", "error" (the user can fix it) or "died"
    sentence: str
    advice: str = ""
    error: Optional[UserError] = None
    pulse: Optional[Dict[str, Any]] = None  # the last one, see `TrainingProcess.pulse`; None if training never began


class TrainingProcess:
    """A child process that trains one run.

    Args:
        run_dir: The run's folder on this machine.
        job: What `child.train` needs, as JSON can hold it.
        command: Words of the command before the job folder; None for the package's own child.
        environment: `Environment` whose Python trains; None for this one.
    """

    def __init__(
        self,
        run_dir: FilePath,
        job: Mapping[str, Any],
        command: Optional[Sequence[str]] = None,
        environment: Optional[Environment] = None,
    ) -> None:
        self.run_dir, self.job = str(run_dir), job
        python = sys.executable if environment is None else environment.python
        self.command = list(command or [python, "-m", "sg2ada_colab.colab.child"])
        self._variables = None if environment is None else environment.variables()
        self.folder = tempfile.mkdtemp(prefix="sg2ada-job-")
        self._process: Any = None  # `ChildProcess`, once it is started
        self._made_run_dir = False

    @classmethod
    def of_plan(cls, plan: RunPlan, environment: Optional[Environment] = None) -> "TrainingProcess":
        """Return the process for a `RunPlan` that `bring_here` has made ready, in an `Environment` or in this Python."""
        job = {"config": plan.config.to_dict(), "run_dir": plan.run_dir, "drive_dir": plan.drive_dir, "gpus": plan.gpus}
        return cls(plan.run_dir, dict(job, resume=plan.candidate and asdict(plan.candidate)), environment=environment)

    def start(self) -> "TrainingProcess":
        """Start it; its words go to a file. Returns self."""
        write_text(os.path.join(self.folder, JOB_FILE), json.dumps(self.job))
        self._made_run_dir = not os.path.isdir(self.run_dir)
        os.makedirs(self.run_dir, exist_ok=True)
        with open(self._console(), "wb") as console:
            self._process = ChildProcess([self.folder], console, self.command, ends_with_parent=True, variables=self._variables)
        write_text(os.path.join(self.run_dir, run_files.PROCESS), json.dumps({"pid": self.pid, "folder": self.folder}))
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> Optional[int]:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def pulse(self) -> Optional[Dict[str, Any]]:
        """Return the newest {"kimg", "images_per_second", "session_s", "time"}, or None before training begins."""
        return _read_json(os.path.join(self.folder, PULSE_FILE))

    def interrupt(self) -> str:
        """Ask it to save and end, as `ChildProcess.interrupt` does; return what happens, in words."""
        return self._process.interrupt()

    def close(self, timeout_s: float = SHUTDOWN_S) -> None:
        """See to it that no process stays behind: ask it to save, wait, kill it if it does not end."""
        if self._process is not None:
            self._process.close(timeout_s)  # the child takes the end of its pipe as the wish to end

    def last_words(self) -> List[str]:
        """Return the last lines that it printed, without empty ones."""
        try:
            with open(self._console(), "rb") as file:
                file.seek(max(0, os.path.getsize(self._console()) - 20000))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]

    def ending(self) -> Ending:
        """Return the `Ending`; the process must have ended. A start that was refused leaves no folder of a run."""
        code: Any = self.poll()
        described = describe_ending(code, _read_json(os.path.join(self.folder, OUTCOME_FILE)), self.last_words())
        ending = replace(described, pulse=self.pulse())
        if ending.state == "error" and self._made_run_dir and not run_folder.has_begun(self.run_dir):
            shutil.rmtree(self.run_dir, ignore_errors=True)
        return ending

    def forget(self) -> None:
        """Delete the files that it was told and heard through."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _console(self):
        return os.path.join(self.folder, "console.txt")


def describe_ending(code: int, outcome: Optional[Mapping[str, str]], last_words: Sequence[str]) -> Ending:
    """Put the end of a training process into words.

    Args:
        code: Exit code; negative for a signal.
        outcome: {"what", "expected", "next_step"} of a user error, or None.
        last_words: Its last lines.
    """
    again = "Run this cell again: training goes on from the newest snapshot."
    if code == DONE:
        return Ending("done", "Training finished.")
    if code == INTERRUPTED:
        return Ending("stopped", "Stopped, and everything is saved.", again)
    if code == USER_ERROR and outcome:
        return Ending("error", as_fields(outcome["what"]), as_fields(outcome["next_step"]), UserError(**outcome))
    if any(word in line for line in last_words for word in MEMORY_WORDS):
        return Ending(
            "died", "The GPU's memory was not enough for these settings.",
            "Set batch_gpu to half of what it is (results stay the same in kind, training is a little slower), close other "
            "notebooks that use this GPU, or choose a lower resolution. Then run this cell again.",
        )  # fmt: skip
    if code == -signal.SIGKILL:
        return Ending(
            "died", "The training process was killed by the system, most often because the machine's memory (RAM) ran out.",
            again + " If it happens again: close other notebooks, or choose Runtime > Change runtime type > High-RAM.",
        )  # fmt: skip
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return Ending("died", f"The training process was ended by {name}.", again)
    said = " It said: {}".format(" / ".join(last_words[-2:])) if last_words else ""
    return Ending(
        "died", f"The training process ended unexpectedly (exit code {code}).{said}",
        again + " If it happens again, look at log.txt in the run's folder and report what it says.",
    )  # fmt: skip


def supervise(
    process: TrainingProcess,
    refresh: Callable[[], Any],
    say: Callable[[str], Any],
    sleep: Callable[[float], Any] = time.sleep,
    poll_s: float = POLL_S,
) -> Ending:
    """Watch a process from this thread until it ends; the stop button asks it to save.

    Args:
        process: `TrainingProcess`, started.
        refresh: Callable without arguments, called at every look.
        say: Callable of a sentence.

    Returns:
        Ending.
    """
    try:
        while process.poll() is None:
            try:
                refresh()
                sleep(poll_s)
            except KeyboardInterrupt:
                say(process.interrupt())
    finally:
        process.close()
    ending = process.ending()
    if ending.state in ("done", "stopped"):
        process.forget()
    return ending


def wait_for_earlier(
    run_dir: FilePath, say: Callable[[str], Any], timeout_s: float = SHUTDOWN_S, sleep: Callable[[float], Any] = time.sleep
) -> None:
    """Wait for a training process that another kernel of this machine left behind; it saves when its kernel is gone.

    Raises:
        UserError: It does not end.
    """
    earlier = _read_json(os.path.join(str(run_dir), run_files.PROCESS))
    if not earlier or not _runs(earlier):
        return
    say("Another process still trains this run on this machine (its notebook may be open elsewhere); waiting for it to save.")
    deadline = time.monotonic() + timeout_s
    while _runs(earlier):
        if time.monotonic() > deadline:
            raise UserError(
                "The run {} is being trained by process {} of this machine.".format(run_dir, earlier["pid"]),
                "one training process for a run",
                "stop the cell that trains in the other notebook; or end that process: !kill {}".format(earlier["pid"]),
            )
        sleep(POLL_S)


def _runs(earlier):
    """Return whether the process is alive and still the one that was noted: its command names the job folder."""
    try:
        with open("/proc/{}/cmdline".format(int(earlier["pid"])), "rb") as file:
            return str(earlier["folder"]).encode() in file.read()
    except (OSError, KeyError, ValueError, TypeError):
        return False


def _read_json(path):
    try:
        return read_json(path, dict)
    except (OSError, ValueError):
        return None
