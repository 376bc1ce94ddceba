"""Read the datasets of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json; rectangles, too."""

from typing import Optional, Tuple

import numpy as np

from ...errors import UserError
from ...files import FilePath
from ...images.find import open_source
from ...images.labels import find_labels
from ...images.read import TRANSPARENCY, ReadOptions, UnreadableImage, read_header, read_image
from ...images.source import Source
from ...shape import image_shape, size_text

LOOKED_AT = 64  # of a set, spread over it, are looked at when it is opened


class TorchImages:
    """Reads the images of such a set by index; what `Dataset` expects of a reader.

    Attributes:
        channels, width, height: Of the first image, and required of every other when it is read.
        shape: The NetworkShape of this size.
        is_transparent: Whether the first image has transparency, which is put on white here; `prepare --alpha keep` keeps it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        header = self._header(0)
        self.width, self.height, self.channels = header.width, header.height, 1 if header.mode in ("1", "L") else 3
        self.is_transparent = TRANSPARENCY in header.notes
        try:
            self.shape = image_shape((self.height, self.width))
        except UserError:
            raise self._error(f"{source.names[0]} is {header.width} x {header.height}") from None
        self.options = ReadOptions(self.channels, use_icc=False)

    def __len__(self) -> int:
        return len(self.source)

    def _error(self, what):
        return UserError(
            f"{self.source.path}: {what}",
            "images of one size that networks can have, such as squares a power of two wide",
            f"prepare the images first: sg2ada prepare {self.source.path} FOLDER, which makes squares; --resolution auto keeps "
            "the shape that most of them have",
        )

    def check_sizes(self) -> None:
        """Raise UserError where one of some images spread over the set has another size than the first: before any is read."""
        for index in np.unique(np.linspace(0, len(self) - 1, min(len(self), LOOKED_AT)).round().astype(int)):
            header = self._header(index)
            self._check_size(index, (header.width, header.height))

    def _check_size(self, index, size):
        if size != (self.width, self.height):
            wanted = size_text(self.height, self.width)
            raise self._error("{} is {}x{}, not {} pixels (width x height)".format(self.source.names[index], *size, wanted))

    def _header(self, index):
        try:
            with self.source.open(index) as file:
                return read_header(file)
        except (UnreadableImage, OSError) as error:
            raise self._error(f"{self.source.names[index]}: {error}") from error

    def read(self, indices: np.ndarray, flip_x: Optional[np.ndarray] = None, flip_y: Optional[np.ndarray] = None) -> np.ndarray:
        """Return the images at integer `indices` [n] as uint8 [n, H, W, C], mirrored where bool [n] `flip_x`, `flip_y` say so.

        Raises UserError where a file is damaged or of another size.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        images = np.empty((len(indices), self.height, self.width, self.channels), np.uint8)
        for row, index in enumerate(indices):
            try:
                with self.source.open(int(index)) as file:
                    image = read_image(file, self.options)
            except (UnreadableImage, OSError) as error:
                raise self._error(f"{self.source.names[index]}: {error}") from error
            self._check_size(index, image.size)
            pixels = np.asarray(image).reshape(images.shape[1:])
            pixels = pixels[:, ::-1] if flip_x is not None and flip_x[row] else pixels
            images[row] = pixels[::-1] if flip_y is not None and flip_y[row] else pixels
        return images


def open_torch_images(path: FilePath) -> TorchImages:
    """Return the TorchImages of a zip or folder; raises UserError."""
    source = open_source(path)
    if not len(source):
        raise UserError(
            f"{path} holds neither TFRecords nor images",
            "a dataset made by `sg2ada prepare`, or by stylegan2-ada-pytorch's dataset_tool.py",
            "prepare one from your images: sg2ada prepare IMAGES FOLDER",
        )
    return TorchImages(source)


def open_torch_set(path: FilePath) -> Tuple[TorchImages, Optional[np.ndarray]]:
    """Return (TorchImages, labels float32 [N, L] or None) of a zip or folder; raises UserError."""
    images = open_torch_images(path)
    images.check_sizes()
    labels = find_labels(images.source, "auto")
    return images, labels.rows if labels else None
