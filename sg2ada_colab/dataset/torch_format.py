"""The data sets of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json. Read, and written."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..images.labels import find_labels
from ..images.progress import Progress
from ..images.read import ReadOptions, UnreadableImage, read_header, read_image
from ..images.sources import open_source
from .pyramid import is_power_of_two
from .reading import open_dataset
from .tools import batches, to_image


class TorchImages:
    """Reads the images of such a set by index; what `Dataset` expects of a reader.

    Attributes:
        channels, width: Of the first image, and required of every other when it is read.
    """

    def __init__(self, source):
        self.source = source
        header = self._header(0)
        self.width, self.channels = header.width, 1 if header.mode in ("1", "L") else 3
        if header.width != header.height or not is_power_of_two(header.width):
            raise self._error("{} is {} x {}".format(source.names[0], header.width, header.height))
        self.options = ReadOptions(self.channels, use_icc=False)

    def __len__(self):
        return len(self.source)

    def _error(self, what):
        return UserError(
            "{}: {}".format(self.source.path, what),
            "equal, square images, a power of two wide",
            "prepare the images first: sg2ada prepare {} FOLDER".format(self.source.path),
        )

    def _header(self, index):
        try:
            with self.source.open(index) as file:
                return read_header(file)
        except (UnreadableImage, OSError) as error:
            raise self._error("{}: {}".format(self.source.names[index], error)) from error

    def read(self, indices, flip_x=None, flip_y=None):
        """Return the images at integer `indices` [n] as uint8 [n, H, W, C], mirrored where bool [n] `flip_x`, `flip_y` say so."""
        indices = np.asarray(indices, np.int64).reshape(-1)
        images = np.empty((len(indices), self.width, self.width, self.channels), np.uint8)
        for row, index in enumerate(indices):
            try:
                with self.source.open(int(index)) as file:
                    image = read_image(file, self.options)
            except (UnreadableImage, OSError) as error:
                raise self._error("{}: {}".format(self.source.names[index], error)) from error
            if image.size != (self.width, self.width):
                raise self._error("{} is {} x {}, not {} pixels wide".format(self.source.names[index], *image.size, self.width))
            pixels = np.asarray(image).reshape(images.shape[1:])
            pixels = pixels[:, ::-1] if flip_x is not None and flip_x[row] else pixels
            images[row] = pixels[::-1] if flip_y is not None and flip_y[row] else pixels
        return images


def open_torch_set(path):
    """Return (TorchImages, labels float32 [N, L] or None) of a zip or folder; raises UserError."""
    source = open_source(path)
    if not len(source):
        raise UserError(
            "{} holds neither TFRecords nor images".format(path),
            "a data set made by `sg2ada prepare`, or by stylegan2-ada-pytorch's dataset_tool.py",
            "prepare one from your images: sg2ada prepare IMAGES FOLDER",
        )
    labels = find_labels(source, "auto")
    return TorchImages(source), labels.rows if labels else None


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
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(destination.name + ".partial")
    write, finish = (_zip_writer if destination.suffix.lower() == ".zip" else _folder_writer)(partial)
    names = []
    with Progress(progress, len(data), "Writing") as bar:
        for rows in batches(len(data), data.channels * data.resolution**2):
            for index, image in zip(rows, data.read(rows)):
                names.append("{:05d}/img{:08d}.png".format(index // 1000, index))
                stream = io.BytesIO()
                to_image(image).save(stream, "PNG", compress_level=0, optimize=False)
                write(names[-1], stream.getvalue())
            bar.update(len(rows))
    write("dataset.json", json.dumps({"labels": _json_labels(names, data.labels)}).encode())
    finish()
    os.replace(str(partial), str(destination))
    return len(data)


def _zip_writer(path):
    archive = zipfile.ZipFile(str(path), "w", zipfile.ZIP_STORED)
    return archive.writestr, archive.close


def _folder_writer(path):
    def write(name, data):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    return write, lambda: None


def _json_labels(names, labels):
    if not labels.shape[1]:
        return None
    if ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all():
        return [[name, int(number)] for name, number in zip(names, labels.argmax(1))]
    return [[name, [float(value) for value in row]] for name, row in zip(names, labels)]
