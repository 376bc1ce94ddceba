"""Read the datasets of stylegan2-ada-pytorch and stylegan3: a zip or folder of PNGs with a dataset.json."""

from typing import Optional, Tuple

import numpy as np

from ...errors import UserError
from ...files import FilePath
from ...images.find import open_source
from ...images.labels import find_labels
from ...images.read import TRANSPARENCY, ReadOptions, UnreadableImage, read_header, read_image
from ...images.source import Source
from ..pyramid import is_power_of_two


class TorchImages:
    """Reads the images of such a set by index; what `Dataset` expects of a reader.

    Attributes:
        channels, width, height: Of the first image, and required of every other when it is read.
        is_transparent: Whether the first image has transparency, which is put on white here; `prepare --alpha keep` keeps it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        header = self._header(0)
        self.width, self.height, self.channels = header.width, header.height, 1 if header.mode in ("1", "L") else 3
        self.is_transparent = TRANSPARENCY in header.notes
        if header.width != header.height or not is_power_of_two(header.width):
            raise self._error(f"{source.names[0]} is {header.width} x {header.height}")
        self.options = ReadOptions(self.channels, use_icc=False)

    def __len__(self) -> int:
        return len(self.source)

    def _error(self, what):
        return UserError(
            f"{self.source.path}: {what}",
            "equal, square images, a power of two wide",
            f"prepare the images first: sg2ada prepare {self.source.path} FOLDER",
        )

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
        images = np.empty((len(indices), self.width, self.width, self.channels), np.uint8)
        for row, index in enumerate(indices):
            try:
                with self.source.open(int(index)) as file:
                    image = read_image(file, self.options)
            except (UnreadableImage, OSError) as error:
                raise self._error(f"{self.source.names[index]}: {error}") from error
            if image.size != (self.width, self.width):
                raise self._error("{} is {} x {}, not {} pixels wide".format(self.source.names[index], *image.size, self.width))
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
    labels = find_labels(images.source, "auto")
    return images, labels.rows if labels else None
