"""Read the data sets of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json."""

import numpy as np

from ..errors import UserError
from ..images.labels import find_labels
from ..images.read import ReadOptions, UnreadableImage, read_header, read_image
from ..images.sources import open_source
from .pyramid import is_power_of_two


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
