"""This library as a wheel, packed from the checkout or the installation that it runs from, for another Python to install."""

import base64
import glob
import hashlib
import os
import zipfile
from typing import List

from .. import __version__
from ..errors import UserError
from ..processes import is_installed, package_parent

PACKAGE = "sg2ada_colab"
INFO = f"{PACKAGE}-{__version__}.dist-info"
ENTRY_POINTS = f"[console_scripts]\nsg2ada = {PACKAGE}.__main__:main\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: sg2ada_colab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: str, tensorflow: str = "tensorflow") -> str:
    """Write the wheel and return its path.

    Args:
        folder: Where to.
        tensorflow: Name of the package that takes tensorflow's place in the requirements.

    Raises:
        UserError: It is not known what the library requires.
    """
    lines = [f"Requires-Dist: {line.replace('tensorflow==', tensorflow + '==')}" for line in requirements()]
    metadata = "\n".join(["Metadata-Version: 2.1", f"Name: {PACKAGE}", f"Version: {__version__}"] + lines) + "\n"
    path = os.path.join(str(folder), f"{PACKAGE}-{__version__}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        record = []
        texts = {"METADATA": metadata, "WHEEL": WHEEL, "entry_points.txt": ENTRY_POINTS}
        for name, content in list(_package_files()) + [(f"{INFO}/{key}", text.encode()) for key, text in texts.items()]:
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
            record.append(f"{name},sha256={digest},{len(content)}\n")
        archive.writestr(f"{INFO}/RECORD", "".join(record) + f"{INFO}/RECORD,,\n")
    return path


def library_digest() -> str:
    """Return a digest of all files of this library as it runs, or "" where it is a checkout, which all Pythons take as it is."""
    if not is_installed():
        return ""
    digest = hashlib.sha256()
    for name, content in _package_files():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _package_files():
    """Yield (name in the wheel, content) of each file of the package."""
    parent = package_parent()
    for path in sorted(glob.glob(os.path.join(glob.escape(parent), PACKAGE, "**", "*"), recursive=True)):
        if os.path.isfile(path) and "__pycache__" not in path:
            with open(path, "rb") as file:
                yield os.path.relpath(path, parent).replace(os.sep, "/"), file.read()


def requirements() -> List[str]:
    """Return the requirements of this library with their markers, without those of extras.

    Raises UserError where neither the installed package nor a checkout says them.
    """
    parent = package_parent()
    for path in [os.path.join(parent, INFO, "METADATA"), os.path.join(parent, "requirements.txt")]:
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            if path.endswith("METADATA"):
                lines = [line.partition(":")[2] for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
            return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    raise UserError(
        f"It is not known what sg2ada_colab in {parent} requires: neither {INFO} nor requirements.txt is there.",
        "a checkout of the repository, or a library that pip has installed",
        "install it with pip, and run the command again",
    )
