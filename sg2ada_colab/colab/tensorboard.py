"""TensorBoard in a notebook: the curves of all runs, to look at closely."""

import importlib.util
import shlex

from ..errors import UserError
from .html import can_show_html
from .session import plainly, tell, workspace


@plainly
def tensorboard(show: bool = True) -> None:
    """Open TensorBoard below the cell, over all runs of this machine or, where it has none, of Drive.

    Args:
        show: False does nothing, for a form that is run with all others.

    Raises:
        UserError: TensorBoard is not installed.
    """
    if not show:
        tell("info", "TensorBoard is not opened: tick the box first.")
        return
    folder = _folder_with_runs(workspace())
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("TensorBoard is not installed.", "the package tensorboard, which Colab has", "!pip install tensorboard")
    if not can_show_html():
        tell("info", "TensorBoard opens in notebooks only.", f"In a terminal: tensorboard --logdir {folder}")
        return
    from tensorboard import notebook

    notebook.start(f"--logdir {shlex.quote(folder)}")


def _folder_with_runs(here):
    """Return the nearest results folder that has runs."""
    from ..storage.choose import run_names

    return next((place for place in here.places() if run_names(place)), here.results)
