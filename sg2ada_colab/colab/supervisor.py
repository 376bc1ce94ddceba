"""The training process as the notebook sees it: started, asked how it is, stopped with care, and its end put into words."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from ..errors import UserError
from .child import JOB_FILE, OUTCOME_FILE, PULSE_FILE, USER_ERROR

DONE, INTERRUPTED = 0, 130
POLL_S = 0.5
SHUTDOWN_S = 300.0  # for an earlier process to save and end
PROCESS_FILE = ".process.json"  # in the run folder: which process of this machine trains it
LAST_LINES = 12
MEMORY_WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhaustedError", "OOM when allocating", "out of memory", "OUT_OF_MEMORY")


@dataclass(frozen=True)
class Ending:
    """How a training process ended."""

    state: str  # "done", "stopped", "error" (the user can mend it) or "died"
    sentence: str
    advice: str = ""
    error: object = None  # UserError


class TrainingProcess:
    """A child process that trains one run.

    Args:
        run_dir: The run's folder on this machine.
        job: What `child.train` needs, as JSON can hold it.
        command: Words of the command before the job folder; None for the package's own child.
    """

    def __init__(self, run_dir, job, command=None):
        self.run_dir, self.job = str(run_dir), job
        self.command = list(command or [sys.executable, "-m", "sg2ada_colab.colab.child"])
        self.folder = tempfile.mkdtemp(prefix="sg2ada-job-")
        self._process, self._interruptions = None, 0

    @classmethod
    def of_plan(cls, plan):
        """Return the process for a `RunPlan`; it is not started yet."""
        job = {"config": plan.config.to_dict(), "run_dir": plan.run_dir, "drive_dir": plan.drive_dir}
        return cls(plan.run_dir, dict(job, resume=plan.candidate is not None))

    def start(self):
        """Start it; its words go to a file. Returns self."""
        with open(os.path.join(self.folder, JOB_FILE), "w", encoding="utf-8") as file:
            json.dump(self.job, file)
        os.makedirs(self.run_dir, exist_ok=True)
        environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONPATH=search_path())
        with open(self._console(), "wb") as console:
            # A session of its own: the stop button interrupts the kernel's whole group, and the child must hear of it once.
            self._process = subprocess.Popen(
                self.command + [self.folder], stdin=subprocess.PIPE, stdout=console, stderr=subprocess.STDOUT,
                start_new_session=True, env=environment,
            )  # fmt: skip
        with open(os.path.join(self.run_dir, PROCESS_FILE), "w", encoding="utf-8") as file:
            json.dump({"pid": self._process.pid, "folder": self.folder}, file)
        return self

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def pulse(self):
        """Return the newest {"kimg", "images_per_second", "session_s", "time"}, or None before training begins."""
        return _read_json(os.path.join(self.folder, PULSE_FILE))

    def interrupt(self):
        """Ask it to save and end; asked again it ends at once, the third time it is killed. Returns what happens, in words."""
        self._interruptions += 1
        if self._interruptions > 2:
            self._process.kill()
            return "Killed. What was saved before stays; training goes on from there next time."
        self._process.send_signal(signal.SIGINT)
        if self._interruptions == 2:
            return "Asked again; a third time kills it."
        return "Stopping: it finishes the minibatches in hand and saves. This takes seconds to a minute."

    def close(self, timeout_s=SHUTDOWN_S):
        """See to it that no process stays behind: ask it to save, wait, kill it if it does not end."""
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()  # the child takes this as the wish to end
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self):
        """Return the last lines that it printed, without empty ones."""
        try:
            with open(self._console(), "rb") as file:
                file.seek(max(0, os.path.getsize(self._console()) - 20000))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]

    def ending(self):
        """Return the `Ending`; the process must have ended."""
        return describe_ending(self.poll(), _read_json(os.path.join(self.folder, OUTCOME_FILE)), self.last_words())

    def forget(self):
        """Delete the files that it was told and heard through."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _console(self):
        return os.path.join(self.folder, "console.txt")


def describe_ending(code, outcome, last_words):
    """Put the end of a training process into words.

    Args:
        code: Exit code; negative for a signal.
        outcome: {"what", "expected", "next_step"} of a user error, or None.
        last_words: Its last lines.
    """
    again = "Run this cell again: training goes on from the newest snapshot."
    if code == DONE:
        return Ending("done", "The run has reached its length.")
    if code == INTERRUPTED:
        return Ending("stopped", "Stopped, and everything is saved.", again)
    if code == USER_ERROR and outcome:
        return Ending("error", outcome["what"], outcome["next_step"], UserError(**outcome))
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
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "signal {}".format(-code)
        return Ending("died", "The training process was ended by {}.".format(name), again)
    said = " It said: {}".format(" / ".join(last_words[-2:])) if last_words else ""
    return Ending(
        "died", "The training process ended unexpectedly (exit code {}).{}".format(code, said),
        again + " If it happens again, look at log.txt in the run's folder and report what it says.",
    )  # fmt: skip


def supervise(process, refresh, say, sleep=time.sleep, poll_s=POLL_S):
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


def wait_for_earlier(run_dir, say, timeout_s=SHUTDOWN_S, sleep=time.sleep):
    """Wait for a training process that another kernel of this machine left behind; it saves when its kernel is gone.

    Raises:
        UserError: It does not end.
    """
    earlier = _read_json(os.path.join(str(run_dir), PROCESS_FILE))
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
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def search_path():
    """Return PYTHONPATH so that the child imports this package too, where it is a checkout that was not installed."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    rest = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    installed = os.path.basename(here) in ("site-packages", "dist-packages")
    return os.pathsep.join(([] if installed else [here]) + rest)
