"""The notebook's session: the Drive or folder that is open, its workspace, and how a user's error is shown."""

import functools
import os
import time

from ..errors import UserError
from .doctor import examine, report
from .drive import choose_drive
from .html import notice, show, table
from .runtime import in_colab
from .workspace import open_workspace

SESSION_S = 12 * 3600.0  # what Colab gives at most without compute units
_open: dict = {}  # "drive", "workspace": one session a process


class ShownError(UserError):
    """A UserError that a notebook shows in its three parts, without a traceback; *Run all* stops at it all the same."""

    def _render_traceback_(self):  # IPython asks exceptions for this
        return ["✖ {}".format(self.what), "  Expected: {}".format(self.expected), "  Next: {}".format(self.next_step)]


def plainly(function):
    """Decorate a notebook call so that its UserErrors are shown without a traceback."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise ShownError(*error.args) from None

    return call


@plainly
def setup(folder=None):
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
    findings = examine(None if _open["drive"].is_remote else _open["drive"].root)
    rows = [(("⚠ " if one.problem else "") + one.name, one.value, one.problem) for one in findings]
    lines = "\n".join(report(findings))
    problems = [one for one in findings if one.problem]
    words = "Ready." if not problems else "Ready, but look at the lines marked ⚠."
    show(notice("warn" if problems else "good", words) + table(rows, ("", "", "to do")), lines)
    return workspace


def _open_workspace(folder):
    drive = choose_drive(folder)
    workspace = open_workspace(drive.mount())
    _open.update(drive=drive, workspace=workspace)
    return workspace


def workspace():
    """Return the open Workspace; opens the usual one quietly where `setup` was not called."""
    return _open["workspace"] if "workspace" in _open else _open_workspace(None)


def drive():
    """Return the open Drive; see `workspace`."""
    workspace()
    return _open["drive"]


def session_left_s():
    """Return how many seconds Colab can be expected to keep this machine: 12 hours from its start; None elsewhere."""
    if not in_colab():
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


def tell(kind, text, more=""):
    """Show a sentence, and what it means below it."""
    show(notice(kind, text, more), text + ("\n" + more if more else ""))
