"""Write a data set in the form of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json."""

import contextlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

from ..errors import UserError
from ..images.progress import Progress
from .disk import flush, reporting
from .reading import open_dataset
from .tools import batches, to_image


def export(path, destination, resolution=None, progress=True):
    """Write a data set as a zip, or as a folder, that stylegan2-ada-pytorch and stylegan3 train from.

    PNGs are stored uncompressed as `00000/img00000000.png` ..., with a dataset.json; one-hot labels become class numbers.

    Args:
        path: Data set.
        destination: Name ending in .zip, or a folder; must not exist.
        resolution: Level to write; None = the largest.
        progress: Show a progress bar.

    Returns:
        Number of images.
    """
    data = open_dataset(path, resolution)
    destination = Path(os.path.abspath(str(destination)))
    if destination.exists():
        raise UserError("{} exists already".format(destination), "a new name", "choose another name, or delete it first")
    partial = destination.with_name(destination.name + ".partial")
    with reporting(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        _write(data, partial, (_zip_writer if destination.suffix.lower() == ".zip" else _folder_writer), progress)
        os.replace(str(partial), str(destination))
    return len(data)


def _write(data, partial, writer, progress):
    if partial.is_dir():
        shutil.rmtree(str(partial))
    names = []
    with writer(partial) as write, Progress(progress, len(data), "Writing") as bar:
        for rows in batches(len(data), data.channels * data.resolution**2):
            for index, image in zip(rows, data.read(rows)):
                names.append("{:05d}/img{:08d}.png".format(index // 1000, index))
                stream = io.BytesIO()
                to_image(image).save(stream, "PNG", compress_level=0, optimize=False)
                write(names[-1], stream.getvalue())
            bar.update(len(rows))
        write("dataset.json", json.dumps({"labels": _json_labels(names, data.labels)}).encode())


@contextlib.contextmanager
def _zip_writer(path):
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_STORED) as archive:
        yield archive.writestr
    flush(path)


@contextlib.contextmanager
def _folder_writer(path):
    def write(name, data):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    yield write


def _json_labels(names, labels):
    if not labels.shape[1]:
        return None
    if ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all():
        return [[name, int(number)] for name, number in zip(names, labels.argmax(1))]
    return [[name, [float(value) for value in row]] for name, row in zip(names, labels)]
