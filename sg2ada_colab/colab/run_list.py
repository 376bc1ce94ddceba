"""The list of runs as notebooks show it."""

from ..storage import overview
from .html import escape, show, table
from .session import plainly, workspace


@plainly
def list_runs() -> None:
    """Show the runs of the workspace: how far each came, its best measurement, its size, and where it lies."""
    found = overview.overview(workspace().places())
    cells, left_out = overview.rows(found), overview.failed_starts(found)
    content = table(cells[1:], cells[0]) if len(cells) > 1 else "There are no runs yet."
    show(content + (f"<p>{escape(left_out)}</p>" if left_out else ""), "\n".join(overview.table(found)))
