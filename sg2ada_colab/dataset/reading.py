"""Open a prepared data set, whoever made it, and read images and labels from it."""

import hashlib
import os
from pathlib import Path

import numpy as np

from ..errors import UserError
from .manifest import JOURNAL_NAME, read_manifest
from .pyramid import SMALLEST_PX, is_power_of_two
from .record_file import RecordFile

VALIDATION_PREFIX = "validation-"
_DIGEST_RECORDS = 64


class Dataset:
    """Images and labels by index; what training and metrics see of any kind of data set.

    Attributes:
        path: Where it lies.
        name: For the names of runs.
        num_images, resolution, channels, label_size: Integers.
        labels: float32 [num_images, label_size]; label_size 0 where there are none.
    """

    def __init__(self, path, name, images, labels, rows=None):
        """Join an image reader (`len`, `read(indices, flip_x, flip_y)`, `channels`, `width`) with labels; `rows` picks some."""
        self.path, self.name, self._images, self._rows = str(path), name, images, rows
        self.labels = np.ascontiguousarray(labels if rows is None else labels[rows], dtype=np.float32)
        self.num_images = len(self.labels)
        self.resolution, self.channels, self.label_size = images.width, images.channels, self.labels.shape[1]

    def __len__(self):
        return self.num_images

    def __repr__(self):
        return "Dataset({!r}: {} images, {} px, {} channels, {} labels)".format(
            self.path, self.num_images, self.resolution, self.channels, self.label_size
        )

    def read(self, indices, flip_x=None, flip_y=None):
        """Return the images at integer `indices` [n], each 0 .. num_images - 1, as uint8 [n, H, W, C].

        Those for which bool [n] `flip_x` is True are mirrored left-right, and those of `flip_y` upside down.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        if len(indices) and (indices.min() < 0 or indices.max() >= self.num_images):
            raise IndexError("indices {} .. {} of {} images".format(indices.min(), indices.max(), self.num_images))
        return self._images.read(indices if self._rows is None else self._rows[indices], flip_x, flip_y)

    def digest(self):
        """Return a SHA-256 that tells data sets apart, as hex: all labels, and the pixels of up to 64 images spread over the set.

        It does not depend on where the set lies nor on its kind of file, and is quick for the largest set.
        """
        digest = hashlib.sha256(repr((self.num_images, self.resolution, self.channels, self.label_size)).encode())
        digest.update(self.labels.astype("<f4").tobytes())
        picks = np.unique(np.linspace(0, self.num_images - 1, min(self.num_images, _DIGEST_RECORDS)).round().astype(np.int64))
        for index in picks:
            digest.update(self.read([index]).tobytes())
        return digest.hexdigest()


def open_dataset(path, resolution=None, max_label_size="full", validation=False, max_images=None, subset_seed=0):
    """Open a data set for reading.

    Args:
        path: Folder of TFRecords, or a zip or folder as stylegan2-ada-pytorch uses it.
        resolution: Which level to read, in pixels; None = the largest.
        max_label_size: "full", or take at most so many of each label's components; 0 = none.
        validation: Open the set of files that begin with "validation-" instead of the training set.
        max_images: Use a random subset of at most so many images, in their order in the set.
        subset_seed: Seed of that choice.

    Returns:
        Dataset.

    Raises:
        UserError: Not a data set, unfinished, missing level, mixed sizes, labels that do not fit.
    """
    path = Path(os.path.abspath(str(path)))
    if not path.exists():
        raise UserError(
            "{} does not exist".format(path), "a data set made by `sg2ada prepare`", "check the path, or prepare the data set"
        )
    if path.is_dir() and has_records(path):
        images, labels = _open_record_folder(path, resolution, validation)
    else:
        images, labels = _open_torch_set(path, resolution, validation)
    labels = _limit_labels(labels, len(images), max_label_size)
    rows = None
    if max_images is not None and max_images < len(images):
        rows = np.arange(len(images))
        np.random.RandomState(subset_seed).shuffle(rows)
        rows = np.sort(rows[:max_images])
    return Dataset(path, path.stem if path.is_file() else path.name, images, labels, rows)


def has_records(folder):
    """Return whether a folder holds TFRecords, finished or not."""
    return (
        folder.name.endswith(".partial")
        or (folder / JOURNAL_NAME).exists()
        or any(entry.name.endswith(".tfrecords") for entry in folder.iterdir())
    )


def _open_torch_set(path, resolution, validation):
    from .torch_images import open_torch_set  # Pillow is needed for such sets alone

    if validation:
        raise UserError(
            "{} has no validation set".format(path),
            "a folder of TFRecords with validation-*.tfrecords",
            "split one off with `sg2ada dataset pack`",
        )
    images, labels = open_torch_set(path)
    if resolution not in (None, images.width):
        raise UserError(
            "{} has images of {} pixels, not {}".format(path, images.width, resolution),
            "its own resolution: such a set has one level",
            "leave the resolution out, or prepare it: sg2ada prepare {} FOLDER --resolution {}".format(path, resolution),
        )
    return images, labels


def _limit_labels(labels, count, max_label_size):
    if labels is None:
        labels = np.zeros((count, 0), np.float32)
    return labels if max_label_size == "full" else labels[:, : int(max_label_size)]


def record_files(folder, validation=False):
    """Return the TFRecords files of a folder's training or validation set, sorted by name."""
    names = sorted(entry.name for entry in Path(folder).iterdir() if entry.name.endswith(".tfrecords"))
    return [Path(folder) / name for name in names if name.startswith(VALIDATION_PREFIX) == validation]


def check_finished(folder):
    """Raise UserError for a folder that `prepare`, `pack` or `local_copy` has begun and not ended."""
    if (Path(folder) / JOURNAL_NAME).exists() or str(folder).endswith(".partial"):
        raise UserError(
            "{} is an unfinished data set".format(folder),
            "a finished one",
            "run the same command that made it again, such as `sg2ada prepare`; it goes on where it stopped",
        )


def open_levels(folder, validation=False):
    """Return {resolution: RecordFile} of a folder; raises UserError for what is no set of square images."""
    check_finished(folder)
    files = record_files(folder, validation)
    if not files:
        kind = "validation files (validation-*.tfrecords)" if validation else ".tfrecords files"
        raise UserError(
            "{} has no {}".format(folder, kind),
            "a data set made by `sg2ada prepare`",
            "prepare one from your images: sg2ada prepare IMAGES FOLDER",
        )
    levels = {}
    for file in files:
        level = RecordFile(file)
        if level.width != level.height or not is_power_of_two(level.width) or level.channels not in (1, 3):
            raise UserError(
                "{} holds images of {} x {} x {} (channels, height, width)".format(
                    file, level.channels, level.height, level.width
                ),
                "square images, a power of two wide, with 1 or 3 channels",
                "prepare the images again with `sg2ada prepare`",
            )
        if level.width in levels:
            raise UserError(
                "{} and {} both hold {} pixel images".format(levels[level.width].path, file, level.width),
                "one file for each resolution",
                "keep one data set in one folder",
            )
        levels[level.width] = level
    _check_agreement(folder, levels)
    return levels


def _check_agreement(folder, levels):
    channels = {level.channels for level in levels.values()}
    counts = {level.width: len(level) for level in levels.values()}
    if len(channels) > 1 or len(set(counts.values())) > 1:
        listed = ", ".join("{} px: {} images, {} channels".format(r, len(f), f.channels) for r, f in sorted(levels.items()))
        raise UserError(
            "the files in {} do not belong together ({})".format(folder, listed),
            "the same images in every resolution",
            "copy the set again if its transfer was interrupted, or prepare it again",
        )


def _open_record_folder(folder, resolution, validation):
    read_manifest(folder)
    levels = open_levels(folder, validation)
    wanted = max(levels) if resolution is None else resolution
    if wanted not in levels:
        raise UserError(
            "{} has no images of {} pixels".format(folder, wanted),
            "one of its resolutions: " + ", ".join(str(r) for r in sorted(levels, reverse=True)),
            "choose one of these, or prepare the images again with --resolution {}".format(wanted)
            if is_power_of_two(wanted) and wanted >= SMALLEST_PX
            else "choose one of these",
        )
    return levels[wanted], read_labels(folder, len(levels[wanted]), validation)


def read_labels(folder, count, validation=False):
    """Return the float32 [count, size] labels of a folder, None where it has none; raises UserError for a bad file."""
    files = sorted(entry for entry in Path(folder).iterdir() if entry.name.endswith(".labels"))
    files = [file for file in files if file.name.startswith(VALIDATION_PREFIX) == validation]
    if not files:
        return None
    expected = "a NumPy array of numbers with one row for each of the {} images".format(count)
    advice = "prepare the data set again, or open it without labels"
    try:
        labels = np.load(str(files[0]), allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged header raises nearly anything, down to TokenError
        raise UserError("{} cannot be read: {}".format(files[0], error), expected, advice) from error
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype.kind not in "fiub" or len(labels) != count:
        shape = "{} of {}".format(getattr(labels, "shape", "?"), getattr(labels, "dtype", type(labels).__name__))
        raise UserError("{} holds {}".format(files[0], shape), expected, advice)
    labels = labels.astype(np.float32)
    if not np.isfinite(labels).all():
        raise UserError("{} holds values that are not finite".format(files[0]), expected, advice)
    return labels
