"""The original's `unpack` and `pack`: a set as PNGs with labels beside them, and subsets, mirrored copies, validation sets."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import numpy as np
from PIL import Image

from ...errors import UserError
from ...files import FilePath, sha256_of
from ...images.progress import Progress
from ...shape import compact_size
from ..convert import Levels
from ..disk import LOCK_NAME, flush, new_folder
from ..manifest import JOURNAL_NAME, write_manifest
from ..pyramid import resolutions
from ..reading import VALIDATION_PREFIX, check_square, open_dataset
from ..tools import batches, to_image

EXTRAS_NAME = "pack_extras.npz"


@dataclass(frozen=True)
class PackOptions:
    """Which images `pack` takes from an unpacked set."""

    num_train: Optional[int] = None  # images for training; None = all that are not for validation
    num_validation: int = 0
    mirror: bool = False  # add a left-right mirrored copy of each training image
    seed: Optional[int] = None  # shuffles, the choice as well as the result; None = in order


def unpacked_name(index: int) -> str:
    """Return the original's name of an unpacked image."""
    return f"{index // 1000:05d}/img{index:08d}.png"


def unpack(path: FilePath, destination: FilePath, resolution: Optional[int] = None, progress: bool = True) -> int:
    """Write a set's images as PNGs in folders of a thousand, and its labels to `pack_extras.npz`; return their number.

    Args:
        path: Dataset.
        destination: New or empty folder.
        resolution: Pixels to resize to with a Lanczos filter; None = as they are.
        progress: Show a progress bar.
    """
    data = open_dataset(path)
    if resolution:
        check_square(data, "--resolution resizes squares", "leave --resolution out")
    with new_folder(destination) as folder, Progress(progress, len(data), "Unpacking") as bar:
        for rows in batches(len(data), data.channels * data.height * data.width):
            for index, image in zip(rows, data.read(rows)):
                file = folder / unpacked_name(index)
                file.parent.mkdir(exist_ok=True)
                picture = to_image(image)
                if resolution and resolution != data.width:
                    picture = picture.resize((resolution, resolution), Image.Resampling.LANCZOS)
                picture.save(str(file))
            bar.update(len(rows))
        np.savez(str(folder / EXTRAS_NAME), labels=_as_uint8(data.labels), num_images=len(data))
    return len(data)


def _as_uint8(labels):
    """Return labels as the original stores them; those that do not fit stay float32, which `pack` reads too."""
    small = labels.astype(np.uint8)
    return small if (small == labels).all() else labels


def pack(
    unpacked: FilePath, destination: FilePath, options: PackOptions = PackOptions(), progress: bool = True
) -> Tuple[int, int]:
    """Make a dataset of TFRecords from an unpacked one: all of it, a part, mirrored, or with a validation set split off.

    Args:
        unpacked: Folder made by `unpack`.
        destination: New or empty folder.
        options: PackOptions.
        progress: Show a progress bar.

    Returns:
        (number of training images, number of validation images).
    """
    unpacked, destination = Path(unpacked), Path(os.path.abspath(str(destination)))
    labels, count = _read_extras(unpacked)
    train, validation = _choose(count, options)
    shape = _shape(unpacked)
    facts = {"name": destination.name, "resolution": compact_size(*shape[1:]), "channels": shape[0], "num_images": len(train)}
    facts.update(label_size=labels.shape[1], num_validation=len(validation), source=str(unpacked), options=vars(options))
    with new_folder(destination) as folder:
        (folder / JOURNAL_NAME).write_text("pack\n")  # until it is complete, it is not taken for a dataset
        with Progress(progress, len(train) + len(validation), "Packing") as bar:
            for picks, prefix in ((train, destination.name), (validation, VALIDATION_PREFIX + destination.name)):
                if len(picks):
                    _write_set(unpacked, folder / prefix, picks, labels, shape, bar)
        files = {}
        for file in sorted(folder.iterdir()):
            if file.name not in (JOURNAL_NAME, LOCK_NAME):
                flush(file)
                files[file.name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)[1]}
        write_manifest(folder, facts, files)
        (folder / JOURNAL_NAME).unlink()
    return len(train), len(validation)


def _read_extras(unpacked):
    try:
        with np.load(str(unpacked / EXTRAS_NAME), allow_pickle=False) as extras:
            labels, count = extras["labels"], int(extras["num_images"])
        if labels.ndim != 2 or len(labels) != count:
            raise ValueError(f"labels of shape {labels.shape} for {count} images")
    except Exception as error:  # noqa: BLE001 - a damaged archive or header raises nearly anything
        raise UserError(
            f"{unpacked} is not an unpacked dataset: {error}",
            f"a folder with {EXTRAS_NAME} and numbered PNGs",
            "make one with `sg2ada dataset unpack`, or convert a folder of images with `sg2ada prepare`",
        ) from error
    return labels.astype(np.float32), count


def _choose(count, options):
    """Return (training, validation) lists of (mirrored, index), as the original orders them."""
    num_train = count - options.num_validation if options.num_train is None else options.num_train
    if num_train < 1 or options.num_validation < 0 or num_train + options.num_validation > count:
        raise UserError(
            f"{num_train} training and {options.num_validation} validation images are asked for",
            f"at least one for training, and no more than the {count} there are",
            "change --num-train or --num-validation",
        )
    order = np.arange(count)
    if options.seed is not None:
        np.random.RandomState(options.seed).shuffle(order)
    train = [(0, int(i)) for i in order[:num_train]]
    validation = [(0, int(i)) for i in order[num_train : num_train + options.num_validation]]
    if options.mirror:
        train = train + [(1, i) for _, i in train]
        if options.seed is not None:
            np.random.RandomState(options.seed).shuffle(train)
    return train, validation


def _write_set(unpacked, prefix, picks, labels, shape, bar):
    size = compact_size(*shape[1:])
    paths = {r: f"{prefix}-r{r.bit_length() - 1:02d}.tfrecords" for r in resolutions(size)}
    for path in paths.values():
        open(path, "wb").close()
    for rows in batches(len(picks), 8 * int(np.prod(shape))):
        levels = Levels(len(rows), shape[0], size)
        for row, position in enumerate(rows):
            levels.put(row, _read_unpacked(unpacked, picks[position], shape))
        levels.write([int(position) for position in rows], paths)
        bar.update(len(rows))
    with open(f"{prefix}-rxx.labels", "wb") as file:
        np.save(file, labels[[index for _, index in picks]])


def _pixels(path):
    try:
        with Image.open(str(path)) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} cannot be read: {error}", "a PNG", "unpack the dataset again") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _shape(unpacked):
    """Return (C, H, W) of the first image."""
    pixels = _pixels(unpacked / unpacked_name(0))
    return (len(pixels) if len(pixels) in (1, 4) else 3,) + pixels.shape[1:]


def _read_unpacked(unpacked, pick, shape):
    mirrored, index = pick
    path = unpacked / unpacked_name(index)
    pixels = _pixels(path)
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise UserError(f"{path} is {pixels.shape} (C, H, W)", f"{shape} like the first image", "unpack again")
    return np.ascontiguousarray(pixels[:, :, ::-1] if mirrored else pixels)
