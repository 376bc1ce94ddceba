"""What the fields of the training form mean: as begun where they say nothing, and a choice where they ask for another run."""

import os
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from ..config.options import as_text
from ..config.resume_check import OtherSettingsError
from ..errors import UserError
from ..run_files import OPTIONS
from ..runs.plan import RunPlan
from ..storage.workspace import Workspace
from ..words import shown
from .form_words import field_of
from .html import notice, show, table
from .plan import plan_run

AS_BEGUN = "as begun"  # of a field: the run's own value, or the usual one in a new run
ASK, GO_ON, NEW_RUN = "ask", "go on as begun", "new run"  # of the field if_different


def said(fields: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the fields of a form that say something, as {name: value}."""
    return {name: value for name, value in fields.items() if value not in (None, "", AS_BEGUN)}


def plan_form(
    workspace: Workspace,
    data_path: str,
    fields: Mapping[str, Any],
    usual: Optional[Mapping[str, Any]] = None,
    new_run: bool = False,
    run: Union[str, int, None] = None,
    if_different: str = ASK,
) -> Tuple[RunPlan, bool]:
    """Return (the `RunPlan` of a form, whether it begins a run).

    A field that says nothing is as the run was begun. One that says something else than the run was begun with changes it where
    that may change; where it would make another run of it, `if_different` decides.

    Args:
        workspace, data_path, new_run, run: As for `plan_run`.
        fields: {name of an option: value}.
        usual: Options of a new run whose fields say nothing.
        if_different: "ask" shows the differences and stops; "go on as begun" goes on without them; "new run" begins one.

    Raises:
        UserError: As `plan_run`; or the differences were asked about.
    """
    if if_different not in (ASK, GO_ON, NEW_RUN):
        raise UserError(f"if_different is {if_different!r}.", f"{ASK}, {GO_ON} or {NEW_RUN}", "choose one of these")
    given = said(fields)
    try:
        plan = plan_run(workspace, data_path, given, new_run, run)
    except OtherSettingsError as error:
        if if_different == ASK:
            raise _question(error) from None
        if if_different == GO_ON:
            fixed = {name for name, _, _ in error.changed}
            given = {name: value for name, value in given.items() if name not in fixed}
        else:
            new_run, run = True, None
        plan = plan_run(workspace, data_path, given, new_run, run)
    if not _begins(plan):
        return plan, False
    return plan_run(workspace, data_path, dict(usual or {}, **given), new_run, run), True


def _begins(plan):
    folders = [folder for folder in (plan.run_dir, plan.drive_dir) if folder]
    return plan.candidate is None and not any(os.path.isfile(os.path.join(folder, OPTIONS)) for folder in folders)


def _question(error):
    """Show what a form asks for otherwise than the run was begun; return the UserError that says what to choose."""
    rows = [(field_of(name), _text(name, before), _text(name, now)) for name, before, now in error.changed]
    what = f"Some fields differ from what the run {error.run} was begun with, and would make another run of it."
    lines = [what] + [f"{field}: {before} in the run, {now} in the form" for field, before, now in rows]
    show(notice("warn", what) + table(rows, ("field", "in the run", "in the form")), "\n".join(lines))
    return UserError(
        "Nothing was started: {} differ{} from the run {}.".format(
            ", ".join(field for field, _, _ in rows), "s" if len(rows) == 1 else "", error.run
        ),
        f"a choice in the field if_different: {GO_ON}, which leaves these fields aside, or {NEW_RUN}, which uses them",
        f"choose {GO_ON} or {NEW_RUN} in if_different, or set the fields back, and run the cell again",
    )


def _text(name, value):
    return "not given" if value is None else shown(as_text(name, value).partition("=")[2])
