"""What a person takes home from a run: one zip of a network and pictures, a network in another format."""

import importlib.util
import os
import sys
import zipfile
from typing import Optional, Union

from ..errors import UserError
from ..files import atomic_file
from ..machine import in_colab, in_kaggle
from ..run_files import OPTIONS, order_of, snapshot_name
from ..storage import run_folder
from ..storage.workspace import MACHINE_FOLDER
from ..words import size_text
from .download import download
from .evaluate import Progress, find_run, find_snapshot, run_verb
from .session import plainly, tell, workspace
from .status_line import StatusLine

FORMATS = {  # name in the form -> (verb, ending, further words)
    "pickle (stylegan2-ada, stylegan3)": ("convert", ".pkl", []),
    "safetensors": ("convert", ".safetensors", []),
    "small safetensors (float16)": ("convert", "-small.safetensors", ["--compact"]),
    "pt (rosinality, encoders)": ("convert", ".pt", []),
    "ONNX": ("export", ".onnx", []),
    "SavedModel (TensorFlow)": ("export", "-savedmodel", []),
}
NEEDS = {"ONNX": "onnx"}  # package that writes a format and that neither Colab nor Kaggle has
SLOW_BYTES = 1e9  # Colab sends a download through the notebook, a megabyte at a time


@plainly
def take_home(run: Union[str, int, None] = None, network: Union[str, int] = "best", pictures: bool = True) -> Optional[str]:
    """Pack a network and the pictures of a run into one zip, and download it; outside Colab, say where it is.

    Args:
        run: Name or number of the run; None is the newest.
        network: "best" of what was measured, "newest", the kimg of a snapshot, or "none".
        pictures: Also pack the saved pictures and videos, the newest grid, and the curves.

    Returns:
        The path of the zip, None for nothing.

    Raises:
        UserError: There is no such network, or nothing to pack.
    """
    name, folders = find_run(workspace(), run)
    files = {}
    if network != "none":
        path = find_snapshot(folders, network)
        files.update({os.path.basename(path): path})
        files.update(_first(folders, [OPTIONS]))
    if pictures:
        files.update(_pictures(folders))
    if network == "none" and not pictures:
        tell("info", "Nothing is downloaded: choose a network, or tick pictures.")
        return None
    if not files:
        raise UserError(
            f"There is nothing to take from {name}.",
            "a network or pictures",
            "save pictures in the notebook that makes them, or choose a network",
        )
    size = sum(map(os.path.getsize, files.values()))
    if size > SLOW_BYTES and in_colab():
        tell("info", f"{size_text(size)} take long to download from here.", f"It is quicker from Drive: {folders[-1]}")
    target = os.path.join(_folder("downloads"), name + ".zip")
    with atomic_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for inside in sorted(files):
            archive.write(files[inside], f"{name}/{inside}")
    return download(target)


def _pictures(folders):
    """Return {name in the zip: path} of what a person saved, the newest grid and the curves, the nearest folder first."""
    found = {}
    for folder in reversed(folders):
        top = os.path.join(folder, "pictures")
        for place, _, names in os.walk(top):
            paths = [os.path.join(place, name) for name in names if not name.startswith(".")]
            found.update({os.path.join("pictures", os.path.relpath(path, top)): path for path in paths})
        grids = run_folder.grids(folder)
        newest = [grids[max(grids)]] if grids else []
        curves = [path for path in run_folder.metric_files(folder) if path.endswith((".png", ".txt"))]
        found.update({os.path.basename(path): path for path in newest + curves})
    return found


def _first(folders, names):
    """Return {name: path} of files in the nearest folder that has them."""
    found = {name: [os.path.join(folder, name) for folder in folders] for name in names}
    found = {name: [path for path in paths if os.path.isfile(path)] for name, paths in found.items()}
    return {name: paths[0] for name, paths in found.items() if paths}


def _folder(name):
    """Return a folder of the workspace for what is made to be taken home; in Colab on the machine, since Drive keeps the run."""
    folder = os.path.join(MACHINE_FOLDER if in_colab() else workspace().root, name)
    os.makedirs(folder, exist_ok=True)
    return folder


@plainly
def export(
    run: Union[str, int, None] = None, snapshot: Union[str, int] = "best", form: str = "ONNX", to_computer: bool = False
) -> Optional[str]:
    """Write a network of a run in another format, into the folder `exports` of the run.

    Args:
        run: Name or number of the run; None is the newest.
        snapshot: "best" of what was measured, "newest", or the kimg of a snapshot.
        form: One of FORMATS, or "none": nothing is written.
        to_computer: Also download it.

    Returns:
        The path of what was written, None for nothing.

    Raises:
        UserError: There is no such snapshot or format, or it cannot be written.
    """
    if form == "none":
        tell("info", "Nothing is exported: choose a format in the form first.")
        return None
    if form not in FORMATS:
        raise UserError(f"There is no format {form!r}.", "one of: " + ", ".join(FORMATS), "choose one in the form")
    name, folders = find_run(workspace(), run)
    verb, ending, more = FORMATS[form]
    path = find_snapshot(folders, snapshot)
    folder = os.path.join(folders[-1], "exports")
    os.makedirs(folder, exist_ok=True)
    kimg = order_of(snapshot_name(os.path.basename(path)))[0]  # type: ignore[arg-type]
    target = os.path.join(folder, f"{name.split('-')[0]}-{kimg:06d}kimg{ending}")
    if os.path.exists(target):
        tell("good", f"It is there already: {os.path.basename(target)}", target)
    else:
        _bring(NEEDS.get(form))
        _write([verb, path, target] + more)
        tell("good", f"Written: {os.path.basename(target)}", target)
    if to_computer:
        download(_zipped(target) if os.path.isdir(target) else target)
    return target


def _bring(package):
    """Install the package that writes a format where Colab or Kaggle lacks it; it changes no other. What fails, the verb says."""
    if package and importlib.util.find_spec(package) is None and (in_colab() or in_kaggle()):
        tell("info", f"The package {package}, which writes this format, is installed first. Nothing else is changed.")
        words = ["install", "--quiet", "--no-deps", package]
        run_verb(words, Progress(StatusLine(), "Installing."), [sys.executable, "-m", "pip"])


def _write(words):
    output = run_verb(words, Progress(StatusLine(), "Reading the network."))
    if output.code:
        said = [line.strip() for line in output.said if line.strip()] + ["It ended without a word."]
        parts = {line.split(": ")[0]: line.split(": ", 1)[-1] for line in said}
        raise UserError(
            parts.get("Error", said[-1]), parts.get("Expected", "a network that can be written in this format"),
            parts.get("Next", "choose another format"),
        )  # fmt: skip


def _zipped(folder):
    """Return a zip of a folder with all that is in it."""
    target = os.path.join(_folder("downloads"), os.path.basename(folder) + ".zip")
    with atomic_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(place, name)
                archive.write(path, os.path.relpath(path, os.path.dirname(folder)))
    return target
