"""What there is to choose from in the training form: the datasets of the workspace, and the snapshots of its runs."""

import os
from typing import Any, Dict

from ..dataset.manifest import read_manifest
from ..errors import UserError
from ..generate.find_network import snapshot_titles
from ..run_files import order_of, pickle_name
from ..shape import size_words
from ..storage.choose import RunFolder
from ..storage.which_run import runs_of
from ..words import shown
from .find_images import DEMO
from .html import can_show_widgets, heading, show, show_widgets, table
from .plan import dataset_names
from .session import plainly, workspace

DATASET_HEAD = ("dataset", "images", "pixels", "made from")
SNAPSHOT_HEAD = ("run", "kimg of its snapshots", "the newest, as a path")
MOST_KIMG = 6  # of a run's snapshots, the newest
_lists: Dict[str, Any] = {}  # field of the training form → the list that was shown last


@plainly
def list_choices() -> None:
    """Show each dataset, and each run with its snapshots; what is chosen in the lists is what empty fields of the form mean."""
    here = workspace()
    places = {name: folder for folder in here.dataset_places()[::-1] for name in dataset_names(folder)}
    datasets = [_dataset_row(places[name], name) for name in sorted(places)]
    found = [(name, _snapshots(folders)) for name, folders in runs_of(here.places())]
    found = [(name, paths) for name, paths in found if paths]
    snapshots = [_snapshot_row(name, paths) for name, paths in found]
    content, lines = "", []
    for title, head, rows in (("Datasets", DATASET_HEAD, datasets), ("Snapshots", SNAPSHOT_HEAD, snapshots)):
        content += heading(title) + (table(rows, head) if rows else "none yet")
        lines += [title + ":"] + ["  " + ", ".join(row) for row in rows or [("none yet",)]]
    show(content, "\n".join(lines))
    if can_show_widgets() and (datasets or snapshots):
        _show_list("dataset", "Dataset", [("the one that you made last", "")] + [(shown(name), name) for name in sorted(places)])
        starts = [(f"{shown(name)} at {title}", path) for name, paths in found for title, path in paths[-MOST_KIMG:]]
        _show_list("start_from", "Start from", [("as the field start_from says", "")] + starts)


def chosen(field: str, value: Any) -> Any:
    """Return the value of a field of the training form; where it is empty, what was chosen for it in its list, or None."""
    return value or (_lists[field].value if field in _lists else None) or None


def _show_list(field, title, options):
    """Show a list to choose a field's value from; what was chosen before is kept while it is there."""
    import ipywidgets

    before = chosen(field, None)
    kept = before if before in [value for _, value in options] else ""
    layout = ipywidgets.Layout(width="100%", max_width="900px")
    _lists[field] = ipywidgets.Dropdown(options=options, value=kept, description=title, layout=layout)
    show_widgets(ipywidgets.VBox([_lists[field]]))


def _dataset_row(folder, name):
    try:
        manifest = read_manifest(os.path.join(folder, name)) or {}
    except UserError as error:
        return name, "-", "-", error.what
    return (
        shown(name),
        str(manifest.get("num_images", "not known")),
        size_words(manifest["resolution"]) if manifest.get("resolution") else "not known",
        "the flags that come along" if manifest.get("source") == DEMO else shown(manifest.get("source", "-")),
    )


def _snapshots(folders):
    """Return [(title such as "120 kimg", path of its pickle)] of a run's snapshots in its folders, oldest first."""
    found: Dict[str, str] = {}
    for folder in reversed([RunFolder(folder) for folder in folders]):
        found.update((one, os.path.join(folder.path, pickle_name(one))) for one in folder.files)
    titles = snapshot_titles(folders)
    return [(titles.get(one, f"{order_of(one)[0]} kimg"), found[one]) for one in sorted(found, key=order_of)]


def _snapshot_row(run, paths):
    kimgs = [title.replace(" kimg", "") for title, _ in paths[-MOST_KIMG:]]
    return shown(run), ("… " if len(paths) > MOST_KIMG else "") + ", ".join(kimgs), shown(paths[-1][1])
