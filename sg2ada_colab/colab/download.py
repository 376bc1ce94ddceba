"""Hand files to the person before the browser: in Colab as a download, elsewhere by saying where they are."""

import os
import zipfile

from ..errors import UserError
from ..generate.pictures import zip_pictures
from ..machine import in_colab
from ..words import counted
from .session import plainly, tell


@plainly
def download(path: str) -> str:
    """Download a file to the computer of the person; outside Colab, where it lies there already, say where.

    Args:
        path: Of a file; of a folder, its files are packed into one zip archive beside it first.

    Returns:
        The path of the file.

    Raises:
        UserError: There is nothing.
    """
    path = str(path).rstrip("/")
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if os.path.isfile(os.path.join(path, name)))
        if not names:
            raise UserError(f"{path} is empty.", "a folder with files", "make some pictures first")
        path = zip_pictures([os.path.join(path, name) for name in names], path + ".zip")
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}.", "a file, or a folder of files", "make it first")
    if in_colab():
        from google.colab import files

        files.download(path)
        tell("good", f"The browser downloads {os.path.basename(path)}.", f"It stays here, too: {path}")
    else:
        tell("good", f"Saved: {path}", _content(path))
    return path


def _content(path):
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        return f"{counted(len(archive.namelist()), 'file', 'files')}, {os.path.getsize(path) / 1e6:.1f} MB"
