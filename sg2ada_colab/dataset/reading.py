"""Open a dataset, made by this program or another, and read images and labels from it."""

import hashlib
import os
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..shape import NetworkShape, compact_size, image_shape, size_words
from .manifest import JOURNAL_NAME, read_manifest
from .pyramid import SMALLEST_PX, is_power_of_two
from .record_file import RECORDS, SHARD_NAME, ForeignRecords, RecordFile, convert_advice, is_record_name

VALIDATION_PREFIX = "validation-"
_DIGEST_RECORDS = 64


class Dataset:
    """Images and labels by index; the interface of every kind of dataset to training and metrics.

    Attributes:
        path: Where it lies.
        name: For the names of runs.
        num_images, height, width, channels, label_size: Integers.
        resolution: The side of a square; of other images the nominal resolution, a power of two, see `shape.py`.
        size: The side of a square of a power of two, or (height, width).
        labels: float32 [num_images, label_size]; label_size 0 where there are none.
        is_flattened: Whether the files have transparency that is put on white when they are read.
    """

    def __init__(self, path: FilePath, name: str, images: Any, labels: np.ndarray, rows: Optional[np.ndarray] = None) -> None:
        """Join an image reader (`len`, `read(indices, flip_x, flip_y)`, `channels`, `width`) with labels; `rows` picks some."""
        self.path, self.name, self._images, self._rows = str(path), name, images, rows
        self.labels = np.ascontiguousarray(labels if rows is None else labels[rows], dtype=np.float32)
        self.num_images = len(self.labels)
        self.height, self.width, self.channels = images.height, images.width, images.channels
        self.is_flattened = bool(getattr(images, "is_transparent", False))
        self.size, self.label_size = compact_size(self.height, self.width), self.labels.shape[1]
        self.resolution = image_shape(self.size).resolution

    def __len__(self) -> int:
        return self.num_images

    def __repr__(self) -> str:
        return (
            f"Dataset({self.path!r}: {self.num_images} images, {size_words(self.size)} px, {self.channels} "
            f"channels, {self.label_size} labels)"
        )

    def read(
        self, indices: Union[Sequence[int], np.ndarray], flip_x: Optional[np.ndarray] = None, flip_y: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """Return the images at integer `indices` [n], each 0 .. num_images - 1, as uint8 [n, H, W, C].

        Those for which bool [n] `flip_x` is True are mirrored left-right, and those of `flip_y` upside down.

        Raises IndexError for an index outside.
        """
        wanted = np.asarray(indices, np.int64).reshape(-1)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= self.num_images):
            raise IndexError(f"indices {wanted.min()} .. {wanted.max()} of {self.num_images} images")
        return self._images.read(wanted if self._rows is None else self._rows[wanted], flip_x, flip_y)

    def digest(self) -> str:
        """Return a SHA-256 that identifies a dataset, as hex: all labels, and the pixels of up to 64 images spread over the set.

        It depends neither on the place of the set nor on its file format, and is fast for large sets.
        """
        digest = hashlib.sha256(repr((self.num_images, self.resolution, self.channels, self.label_size)).encode())
        digest.update(self.labels.astype("<f4").tobytes())
        picks = np.unique(np.linspace(0, self.num_images - 1, min(self.num_images, _DIGEST_RECORDS)).round().astype(np.int64))
        for index in picks:
            digest.update(self.read([index]).tobytes())
        return digest.hexdigest()


def open_dataset(
    path: FilePath,
    resolution: Optional[int] = None,
    max_label_size: Any = "full",
    validation: bool = False,
    max_images: Optional[int] = None,
    subset_seed: int = 0,
) -> Dataset:
    """Open a dataset for reading.

    Args:
        path: Folder of TFRecords, or a zip or folder as stylegan2-ada-pytorch uses it.
        resolution: Which level to read, see `Dataset.resolution`; None = the largest.
        max_label_size: "full", or take at most this many components of each label; 0 = none.
        validation: Open the set of files that begin with "validation-" instead of the training set.
        max_images: Use a random subset of at most this many images, in their order in the set.
        subset_seed: Seed of that choice.

    Returns:
        Dataset.

    Raises:
        UserError: Not a dataset, unfinished, missing level, mixed sizes, labels that do not fit.
    """
    path = Path(os.path.abspath(str(path)))
    if not path.exists():
        raise UserError(f"{path} does not exist", "a dataset made by `sg2ada prepare`", "check the path, or prepare the dataset")
    if path.is_dir() and has_records(path):
        images, labels = _open_record_folder(path, resolution, validation)
    elif has_foreign_records(path):
        raise ForeignRecords(f"{path} holds TFRecords of another program", RECORDS, convert_advice(path))
    else:
        images, labels = _open_torch_set(path, resolution, validation)
    labels = _limit_labels(labels, len(images), max_label_size)
    rows = None
    if max_images is not None and max_images < len(images):
        rows = np.arange(len(images))
        np.random.RandomState(subset_seed).shuffle(rows)
        rows = np.sort(rows[:max_images])
    return Dataset(path, path.stem if path.is_file() else path.name, images, labels, rows)


def has_records(folder: Path) -> bool:
    """Return whether a folder holds TFRecords, finished or not."""
    return (
        folder.name.endswith(".partial")
        or (folder / JOURNAL_NAME).exists()
        or any(entry.name.endswith(".tfrecords") for entry in folder.iterdir())
    )


def has_foreign_records(path: Path) -> bool:
    """Return whether a Path is a file of TFRecords, or a folder of such files whose names are not as the original has them."""
    names = [path.name] if path.is_file() else [entry.name for entry in path.iterdir()] if path.is_dir() else []
    return any(map(is_record_name, names))


def _open_torch_set(path, resolution, validation):
    from .classic.torch_images import open_torch_set  # only such sets need Pillow

    if validation:
        raise UserError(
            f"{path} has no validation set",
            "a folder of TFRecords with validation-*.tfrecords",
            "split one off with `sg2ada dataset pack`",
        )
    images, labels = open_torch_set(path)
    own = images.shape.resolution
    if resolution not in (None, own):
        size = compact_size(images.height, images.width)
        raise UserError(
            f"{path} has images of {size_words(size)} pixels{'' if size == own else f', resolution {own}'}, not {resolution}",
            "its own resolution: such a set has one level",
            f"leave the resolution out, or prepare it: sg2ada prepare {path} FOLDER --resolution {resolution}",
        )
    return images, labels


def _limit_labels(labels, count, max_label_size):
    if labels is None:
        labels = np.zeros((count, 0), np.float32)
    return labels if max_label_size == "full" else labels[:, : int(max_label_size)]


def record_files(folder: FilePath, validation: bool = False) -> List[Path]:
    """Return the TFRecords files of a folder's training or validation set, sorted by name."""
    names = sorted(entry.name for entry in Path(folder).iterdir() if entry.name.endswith(".tfrecords"))
    return [Path(folder) / name for name in names if name.startswith(VALIDATION_PREFIX) == validation]


def check_finished(folder: FilePath) -> None:
    """Raise UserError for a folder that `prepare`, `pack` or `local_copy` has not finished."""
    if (Path(folder) / JOURNAL_NAME).exists() or str(folder).endswith(".partial"):
        raise UserError(
            f"{folder} is an unfinished dataset",
            "a finished one",
            "run the same command that made it again, such as `sg2ada prepare`; it continues where it stopped",
        )


def open_levels(folder: FilePath, validation: bool = False) -> Dict[int, RecordFile]:
    """Return {resolution: RecordFile} of a folder; raises UserError for anything but a set of images of one shape."""
    check_finished(folder)
    files = record_files(folder, validation)
    if not files:
        kind = "validation files (validation-*.tfrecords)" if validation else ".tfrecords files"
        raise UserError(
            f"{folder} has no {kind}",
            "a dataset made by `sg2ada prepare`",
            "prepare one from your images: sg2ada prepare IMAGES FOLDER",
        )
    # What others hold under zero alpha is cleared by `prepare` alone, which leaves a manifest.
    known_channels = (1, 3, 4) if (read_manifest(folder) or {}).get("channels") == 4 else (1, 3)
    shape: Optional[NetworkShape] = None
    levels: Dict[int, RecordFile] = {}
    for level in sorted(map(RecordFile, files), key=lambda level: (-level.height * level.width, level.path)):
        shape = shape or _shape_of(folder, level)
        resolution = _resolution_of(level, shape)
        if resolution is None or level.channels not in known_channels:
            raise _other_form(folder, level)
        if resolution in levels:
            in_shards = SHARD_NAME.search(os.path.basename(level.path))
            raise (ForeignRecords if in_shards else UserError)(
                f"{levels[resolution].path} and {level.path} both hold {size_words(compact_size(level.height, level.width))} "
                "pixel images",
                "one file for each resolution",
                convert_advice(folder) if in_shards else "keep one dataset in one folder",
            )
        levels[resolution] = level
    levels = OrderedDict(sorted(levels.items(), key=lambda item: files.index(Path(item[1].path))))
    _check_agreement(folder, levels)
    return levels


def _shape_of(folder, level):
    """Return the NetworkShape of a folder's largest images."""
    try:
        return image_shape((level.height, level.width))
    except UserError:
        raise _other_form(folder, level) from None


def _resolution_of(level, shape):
    """Return the resolution of a level in a dataset of this shape, None where it is not one of its levels."""
    resolution = shape.resolution
    while resolution >= SMALLEST_PX and shape.level(resolution) != (level.height, level.width):
        resolution //= 2
    return resolution if resolution >= SMALLEST_PX else None


def _other_form(folder, level):
    what = f"{level.path} holds images of {level.channels} x {level.height} x {level.width} (channels, height, width)"
    if level.channels == 4:
        return ForeignRecords(
            what,
            "RGBA images of `sg2ada prepare`, where invisible pixels hold no colours of their own; or 1 or 3 channels",
            convert_advice(folder) + " --alpha keep; without --alpha keep it puts them over a background",
        )
    return ForeignRecords(
        what,
        "images of one size that networks can have, such as squares a power of two wide, with 1 or 3 channels",
        convert_advice(folder) + "; --fit chooses what becomes of their shape",
    )


def _check_agreement(folder, levels):
    channels = {level.channels for level in levels.values()}
    counts = {resolution: len(level) for resolution, level in levels.items()}
    if len(channels) > 1 or len(set(counts.values())) > 1:
        listed = ", ".join(f"{r} px: {len(f)} images, {f.channels} channels" for r, f in sorted(levels.items()))
        raise UserError(
            f"the files in {folder} do not belong together ({listed})",
            "the same images in every resolution",
            "copy the set again if its transfer was interrupted, or prepare it again",
        )


def _open_record_folder(folder, resolution, validation):
    read_manifest(folder)
    levels = open_levels(folder, validation)
    wanted = max(levels) if resolution is None else resolution
    if wanted not in levels:
        raise UserError(
            f"{folder} has no images of {wanted} pixels",
            "one of its resolutions: " + ", ".join(str(r) for r in sorted(levels, reverse=True)),
            f"choose one of these, or prepare the images again with --resolution {wanted}"
            if is_power_of_two(wanted) and wanted >= SMALLEST_PX
            else "choose one of these",
        )
    return levels[wanted], read_labels(folder, len(levels[wanted]), validation)


def read_labels(folder: FilePath, count: int, validation: bool = False) -> Optional[np.ndarray]:
    """Return the float32 [count, size] labels of a folder, None where it has none; raises UserError for a bad file."""
    files = sorted(entry for entry in Path(folder).iterdir() if entry.name.endswith(".labels"))
    files = [file for file in files if file.name.startswith(VALIDATION_PREFIX) == validation]
    if not files:
        return None
    expected = f"a NumPy array of numbers with one row for each of the {count} images"
    advice = "prepare the dataset again, or open it without labels"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python 2 wrote
            labels = np.load(str(files[0]), allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged header raises nearly anything, down to TokenError
        raise UserError(f"{files[0]} cannot be read: {error}", expected, advice) from error
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype.kind not in "fiub" or len(labels) != count:
        shape = "{} of {}".format(getattr(labels, "shape", "?"), getattr(labels, "dtype", type(labels).__name__))
        raise UserError(f"{files[0]} holds {shape}", expected, advice)
    labels = labels.astype(np.float32)
    if not np.isfinite(labels).all():
        raise UserError(f"{files[0]} holds values that are not finite", expected, advice)
    return labels


def check_square(data: Dataset, why: str, next_step: str) -> None:
    """Raise UserError for a Dataset whose images are not squares of a power of two."""
    if not isinstance(data.size, int):
        raise UserError(f"{data.path} holds images of {size_words(data.size)} pixels", f"squares: {why}", next_step)
