"""The notebook's session: the Drive or folder that is open, its workspace, and how a user's error is shown."""

import functools
import os
import time
from typing import Any, Callable, List, Optional, TypeVar, Union

from ..errors import UserError
from ..files import FilePath
from ..machine import in_colab, in_kaggle
from ..native_log import filtered
from ..storage.workspace import Workspace, open_workspace, workspace_root
from ..system_errors import user_error
from ..words import shown
from .doctor import examine, report
from .drive import ColabDrive, LocalDrive, choose_drive
from .form_words import as_fields
from .html import notice, show, table
from .kaggle import KEPT

F = TypeVar("F", bound=Callable[..., Any])
SESSION_S = 12 * 3600.0  # what Colab gives at most without compute units
_open: dict = {}  # "drive", "workspace", "folder" as it was given: one session a process


class ShownError(UserError):
    """A UserError that a notebook shows in its three parts, without a traceback; *Run all* stops at it all the same."""

    def _render_traceback_(self):  # IPython asks exceptions for this
        lines = [f"✖ {self.what}", f"  Expected: {self.expected}", f"  Next: {self.next_step}"]
        return [shown(line, "\n") for line in lines]


def plainly(function: F) -> F:
    """Decorate a notebook call: its UserErrors, and what the system refuses, are shown without a traceback, in a form's words."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise ShownError(*map(as_fields, error.args)) from None
        except OSError as error:
            raise ShownError(*map(as_fields, user_error(error).args)) from None

    return call  # type: ignore[return-value]


@plainly
def setup(folder: Optional[FilePath] = None) -> Workspace:
    """Open the workspace: mount Drive in Colab, make the folders, and show a table about this machine.

    Doing it again does no harm. Every notebook begins with it.

    Args:
        folder: Where the workspace lies; None or "" is Drive in Colab, else the home folder.

    Returns:
        Workspace.

    Raises:
        UserError: Drive cannot be mounted or the folder cannot be made.
    """
    workspace = _open_workspace(folder or None)
    for note in workspace.notes:
        show(notice("warn", note), note)
    with filtered(quiet=True):  # what TensorFlow prints when it is imported
        findings = examine(None if _open["drive"].is_remote else _open["drive"].root)
    lines = "\n".join(report(findings))
    problems = [one for one in findings if one.problem]
    words = "Ready." if not problems else "Ready, but look at the lines marked ⚠."
    show(notice("warn" if problems else "good", words) + _findings_table(findings), lines)
    if in_kaggle():
        tell("info", *KEPT)
    return workspace


def _findings_table(findings):
    """Return the doctor's findings as an HTML table, with a column of what to do where there is something."""
    if not any(one.problem for one in findings):
        return table([(one.name, one.value) for one in findings])
    rows = [(("⚠ " if one.problem else "") + one.name, one.value, one.problem) for one in findings]
    return table(rows, ("what", "found", "to do"))


def _open_workspace(folder):
    drive = choose_drive(folder)
    workspace = open_workspace(drive.mount())
    _open.update(drive=drive, workspace=workspace, folder=folder)
    return workspace


def workspace() -> Workspace:
    """Return the open Workspace; opens the usual one quietly where `setup` was not called.

    A Drive that was unmounted meanwhile, or whose process has died, is mounted again.
    """
    if "workspace" not in _open:
        return _open_workspace(_open.get("folder"))
    if _open["drive"].is_remote and _open["drive"].state() in ("absent", "dead"):
        return _open_workspace(_open.get("folder"))
    return _open["workspace"]


def close() -> None:
    """Forget the open Drive and workspace, because Drive is unmounted; the next call mounts and opens them again."""
    for name in ("drive", "workspace"):
        _open.pop(name, None)


def results_folders() -> List[str]:
    """Return the folders in which runs are looked up by name, the nearest first; makes nothing."""
    here = _open.get("workspace") or Workspace(workspace_root(choose_drive().root))
    return here.places()


def drive() -> Union[LocalDrive, ColabDrive]:
    """Return the open Drive; see `workspace`."""
    workspace()
    return _open["drive"]


def session_left_s() -> Optional[float]:
    """Return how many seconds Colab or Kaggle can be expected to keep this machine: 12 hours from its start; None elsewhere."""
    if not (in_colab() or in_kaggle()):
        return None
    return max(0.0, SESSION_S - (time.time() - _machine_started()))


def _machine_started():
    """Return when this machine began, seconds since 1970: when its first process did."""
    try:
        with open("/proc/1/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.time()


def tell(kind: str, text: str, more: str = "") -> None:
    """Show a sentence, and what it means below it."""
    show(notice(kind, text, more), text + ("\n" + more if more else ""))
