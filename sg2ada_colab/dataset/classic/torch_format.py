"""Write a dataset in the form of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json."""

import functools
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Optional

from ...errors import UserError
from ...files import FilePath, atomic_path
from ...images.progress import Progress
from ..disk import new_folder, reporting
from ..reading import open_dataset
from ..tools import batches, to_image


def export(path: FilePath, destination: FilePath, resolution: Optional[int] = None, progress: bool = True) -> int:
    """Write a dataset as a zip, or as a folder, that stylegan2-ada-pytorch and stylegan3 train from.

    PNGs are stored uncompressed as `00000/img00000000.png` ..., with a dataset.json; one-hot labels become class numbers.

    Args:
        path: Dataset.
        destination: Name ending in .zip, or a folder; must not exist.
        resolution: Level to write; None = the largest.
        progress: Show a progress bar.

    Returns:
        Number of images.

    Raises:
        UserError: The destination exists already, or the dataset cannot be read.
    """
    data = open_dataset(path, resolution)
    destination = Path(os.path.abspath(str(destination)))
    if destination.exists():
        raise UserError(f"{destination} exists already", "a new name", "choose another name, or delete it first")
    with reporting(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.suffix.lower() == ".zip":
            with atomic_path(destination) as temporary, zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED) as archive:
                _write(data, archive.writestr, progress)
        else:
            with new_folder(destination) as folder:
                _write(data, functools.partial(_write_file, folder), progress)
    return len(data)


def _write(data, write, progress):
    """Give all files of a set to `write(name, bytes)`."""
    names = []
    with Progress(progress, len(data), "Writing") as bar:
        for rows in batches(len(data), data.channels * data.height * data.width):
            for index, image in zip(rows, data.read(rows)):
                names.append(f"{index // 1000:05d}/img{index:08d}.png")
                stream = io.BytesIO()
                to_image(image).save(stream, "PNG", compress_level=0, optimize=False)
                write(names[-1], stream.getvalue())
            bar.update(len(rows))
        write("dataset.json", json.dumps({"labels": _json_labels(names, data.labels)}).encode())


def _write_file(folder, name, data):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _json_labels(names, labels):
    if not labels.shape[1]:
        return None
    if ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all():
        return [[name, int(number)] for name, number in zip(names, labels.argmax(1))]
    return [[name, [float(value) for value in row]] for name, row in zip(names, labels)]
