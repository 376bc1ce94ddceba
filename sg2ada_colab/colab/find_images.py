"""Where the images come from: what lies on Drive to choose from, what is uploaded from the computer, or the demo's flags."""

import os
import shutil
import time
import zipfile
from contextlib import suppress
from typing import List, Optional, Tuple

from .. import machine
from ..dataset.manifest import read_manifest
from ..errors import UserError
from ..files import FilePath, atomic_path
from ..images.source import ARCHIVE_SUFFIXES, IMAGE_SUFFIXES
from ..machine import in_colab, in_kaggle
from ..storage.workspace import MACHINE_FOLDER
from ..words import counted, shown, size_text
from .html import can_show_widgets, show_widgets
from .kaggle import input_path
from .session import drive, plainly, tell, workspace

DEMO_NAME = "flags"
DEMO = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "demo_images", DEMO_NAME + ".zip")
UPLOADS = "uploads"  # folder of the workspace that keeps what was uploaded
LEVELS, LEAST_IMAGES, MOST_SHOWN = 3, 3, 60  # folders below each other that are looked into
LOOK_S = 20.0  # a Drive with many folders is slow to list
_list: dict = {}  # "widget": the list that was shown last


@plainly
def choose_images(upload: bool = False) -> None:
    """Show a list of the archives and folders of images on Drive; what is chosen in it is what an empty `source` means.

    Args:
        upload: First ask for files from the computer (in Colab). They are kept on Drive, single images as one zip.
    """
    uploaded = upload_images() if upload else None
    found, is_all = images_on(drive().root, workspace().root)
    if in_kaggle():
        inputs, all_of_them = images_on(machine.KAGGLE_INPUT, workspace().root, machine.KAGGLE_DEPTH)
        found, is_all = inputs + found, is_all and all_of_them
    found = [("The flags that come along, to try it out", DEMO)] + found
    if not is_all:
        tell("info", f"Drive is slow to list, so the list stops after {LOOK_S:.0f} seconds. Any path can be written into source.")
    if not can_show_widgets():
        print("\n".join(shown(f"{label}: {path}") for label, path in found))
        return
    import ipywidgets

    layout = ipywidgets.Layout(width="100%", max_width="900px")
    before = source_path("")  # *Run all* again keeps what was chosen, and a later session what the dataset was made from
    if before not in [path for _, path in found] and os.path.exists(before):
        found.insert(1, (f"{_short(before, drive().root)}, as before", before))
    kept = before if before in [path for _, path in found] else DEMO
    widget = ipywidgets.Dropdown(options=found, value=uploaded or kept, description="Images", layout=layout)
    _list["widget"] = widget
    show_widgets(ipywidgets.VBox([widget]))


def source_path(source: Optional[FilePath]) -> str:
    """Return the path of the images that a form's field names.

    Where it is empty: what was chosen in the list, else what the notebooks' dataset was made from, else the flags.
    """
    if source:
        path = os.path.abspath(os.path.expanduser(str(source)))
        return path if os.path.exists(path) else input_path(source) or path
    return _list["widget"].value if "widget" in _list else _source_of_the_dataset() or DEMO


def _source_of_the_dataset():
    """Return the path of the images that the dataset that the notebooks work on was made from; None where it is not there."""
    here = workspace()
    name, manifest = here.choices.get("dataset"), None
    with suppress(UserError):
        manifest = read_manifest(os.path.join(here.datasets, str(name))) if name else None
    path = str((manifest or {}).get("source", ""))
    return path if os.path.exists(path) else None


def images_on(root: str, workspace_root: str, levels: int = LEVELS) -> Tuple[List[Tuple[str, str]], bool]:
    """Return ([(label, path)] of the archives and folders of images below a folder, whether all of it was looked at).

    Args:
        root: My Drive, or any folder.
        workspace_root: The workspace, of which only the uploads are looked at.
        levels: How many levels of folders are looked into.
    """
    deadline = time.monotonic() + LOOK_S
    waiting: List[Tuple[str, int]] = [(root, levels)]
    found: List[Tuple[str, str]] = []
    uploads = os.path.join(workspace_root, UPLOADS)
    if os.path.isdir(uploads):
        waiting.insert(0, (uploads, 1))
    while waiting and time.monotonic() < deadline and len(found) < MOST_SHOWN:
        folder, levels = waiting.pop(0)
        images, archives, folders = _listed(folder, deadline)
        found += [(f"{_short(path, root)} ({size_text(size)})", path) for path, size in archives]
        if images >= LEAST_IMAGES and folder != root:
            found.append((f"{_short(folder, root)} (folder, {counted(images, 'image', 'images')})", folder))
        if levels > 1:
            waiting += [(path, levels - 1) for path in folders if path != workspace_root]
    return found[:MOST_SHOWN], not waiting


def _listed(folder, deadline):
    """Return (number of images, [(archive, bytes)], folders) in a folder, in the order of their names."""
    images, archives, folders = 0, [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name.lower()
                if name.startswith(".") or time.monotonic() > deadline:
                    continue
                if name.endswith(ARCHIVE_SUFFIXES):
                    archives.append((entry.path, entry.stat().st_size))
                elif os.path.splitext(name)[1] in IMAGE_SUFFIXES:
                    images += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    except OSError:
        pass  # a folder that cannot be listed offers nothing
    return images, sorted(archives), sorted(folders)


def _short(path, root):
    return shown(os.path.relpath(path, root))


def upload_images() -> Optional[str]:
    """Ask the browser for files, keep them in the workspace, and return the archive to take the images from, or None.

    Raises:
        UserError: This is not Colab, whose page alone can send files to this machine.
    """
    if not in_colab():
        raise UserError(
            "Files can be uploaded in Colab only.",
            "images that lie on this computer already",
            "write the path of their folder or zip into the field source",
        )
    from google.colab import files

    arriving = os.path.join(MACHINE_FOLDER, UPLOADS)
    shutil.rmtree(arriving, ignore_errors=True)
    os.makedirs(arriving)
    before = os.getcwd()
    os.chdir(arriving)  # where the browser's files are written
    try:
        files.upload()
    finally:
        os.chdir(before)
    kept = os.path.join(workspace().root, UPLOADS)
    os.makedirs(kept, exist_ok=True)
    return _keep(arriving, sorted(os.listdir(arriving)), kept)


def _keep(arriving, names, kept):
    """Move what has arrived to Drive; return the archive to take the images from, or None."""
    archives = [name for name in names if name.lower().endswith(ARCHIVE_SUFFIXES)]
    images = [name for name in names if os.path.splitext(name.lower())[1] in IMAGE_SUFFIXES]
    others = [name for name in names if name not in archives + images]
    if others:
        tell("warn", "{}: no image and no archive, so not taken.".format(", ".join(map(shown, others))))
    for name in archives:
        with atomic_path(os.path.join(kept, name)) as temporary:
            shutil.copyfile(os.path.join(arriving, name), temporary)
    if images:
        archives.insert(0, time.strftime("photos-%Y-%m-%d-%H%M.zip"))
        with atomic_path(os.path.join(kept, archives[0])) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name in images:
                archive.write(os.path.join(arriving, name), name)
    if not archives:
        tell("info", "Nothing was uploaded.")
        return None
    counts = [counted(len(images), "image", "images")] if images else []
    words = " and ".join(counts + list(map(shown, archives[bool(images) :])))
    tell("good", f"Uploaded: {words}. They are kept on Drive, in {shown(kept)}.")
    return os.path.join(kept, archives[0])
