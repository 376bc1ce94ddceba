"""The folder of a run that begins: it can be made, and a start that is refused leaves none; imports no TensorFlow."""

import errno
import os
import shutil
from contextlib import contextmanager
from typing import Iterator, Optional

from ..errors import UserError
from ..files import FilePath
from ..system_errors import user_error


def check_can_be_made(folder: FilePath) -> None:
    """Raise a UserError where a run's folder cannot be made; it is not there afterwards if it was not before."""
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.rmdir(folder)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(
                f"The folder {folder} cannot be made: its name is too long.",
                "at most 255 bytes for the run's name, which is made of the dataset's name and the options, --desc among them",
                "give a shorter --desc, or the dataset a shorter name",
            ) from error
        said = user_error(error)
        raise UserError(
            f"The folder {folder} cannot be made: {error.strerror or error}.", said.expected, "choose another --outdir"
        ) from error


class Start:
    """How far a start came; `begun` is set once something was trained."""

    begun = False


@contextmanager
def no_folder_if_refused(*folders: Optional[FilePath]) -> Iterator[Start]:
    """Remove those of a run's folders that were not there before, where what is done inside is refused before it has begun.

    Args:
        folders: Of one run, here and on Drive; None is passed over.

    Yields:
        `Start`.
    """
    new = [str(folder) for folder in folders if folder and not os.path.exists(str(folder))]
    start = Start()
    try:
        yield start
    except (UserError, OSError):
        for folder in () if start.begun else new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
