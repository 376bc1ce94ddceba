"""The sub-commands of the original's dataset_tool.py that make datasets, by their names, with their arguments and meanings.

All of them write what `prepare` writes, with the same guarantees: complete or absent, checked, all problems reported.
They raise UserError where the source is missing, incomplete or damaged.
"""

import os
from pathlib import Path
from typing import Optional

from ...errors import UserError
from ...files import FilePath
from ...images.find import open_source
from ...images.fit import EVERY_IMAGE, FitOptions
from ...images.read import UnreadableImage, read_header
from ...images.scan import scan
from ...images.source import Source
from ..options import PrepareOptions
from ..plan import make_plan, no_images_error
from ..preparation import PrepareResult, prepare, strict_error
from ..pyramid import is_power_of_two
from ..reading import check_square, open_dataset
from . import collections as classic
from .hdf5 import hdf5, write_hdf5
from .lsun import lsun
from .torch_images import TorchImages

# How many images a complete collection has; a part of one is converted by `prepare`.
WHOLE = {"mnist": 60000, "cifar10": 50000, "cifar100": 50000, "svhn": 73257, "celeba": 202599}
_CELEBA_PX, _CELEBA_CROP_PX = (178, 218), 128


def _whole(name, source, path):
    """Return the source if the collection is complete; raises UserError."""
    if len(source) != WHOLE[name]:
        raise UserError(
            f"{path} holds {len(source)} images",
            f"the {WHOLE[name]} of the complete collection",
            f"download it again; to convert a part of it on purpose: sg2ada prepare {path} FOLDER",
        )
    return source


def _existing(path):
    path = Path(os.path.abspath(str(path)))
    if not path.exists():
        raise UserError(f"{path} does not exist", "the collection as its authors publish it", "check the path")
    return path


def create_mnist(tfrecord_dir: FilePath, mnist_dir: FilePath, progress: bool = True) -> PrepareResult:
    """Convert MNIST: 60,000 grey images padded to 32 pixels, 10 classes, shuffled."""
    path = _existing(mnist_dir)
    return prepare(_whole("mnist", classic.mnist(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_mnistrgb(
    tfrecord_dir: FilePath, mnist_dir: FilePath, num_images: int = 1000000, random_seed: int = 123, progress: bool = True
) -> PrepareResult:
    """Stack three random MNIST digits as the channels of each of `num_images` images; no labels, not shuffled."""
    source = classic.mnist_rgb(_existing(mnist_dir), num_images, random_seed)
    return prepare(source, tfrecord_dir, PrepareOptions(shuffle=False), progress)


def create_cifar10(
    tfrecord_dir: FilePath, cifar10_dir: FilePath, ignore_labels: bool = False, progress: bool = True
) -> PrepareResult:
    """Convert CIFAR-10's 50,000 training images, 10 classes unless ignored, shuffled."""
    path = _existing(cifar10_dir)
    options = PrepareOptions(labels="none" if ignore_labels else "auto")
    return prepare(_whole("cifar10", classic.cifar10(path), path), tfrecord_dir, options, progress)


def create_cifar100(tfrecord_dir: FilePath, cifar100_dir: FilePath, progress: bool = True) -> PrepareResult:
    """Convert CIFAR-100's 50,000 training images, 100 fine classes, shuffled."""
    path = _existing(cifar100_dir)
    return prepare(_whole("cifar100", classic.cifar100(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_svhn(tfrecord_dir: FilePath, svhn_dir: FilePath, progress: bool = True) -> PrepareResult:
    """Convert SVHN from train_1.pkl, train_2.pkl, train_3.pkl: 73,257 images, 10 classes, shuffled."""
    path = _existing(svhn_dir)
    return prepare(_whole("svhn", classic.svhn_pickles(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_lsun(
    tfrecord_dir: FilePath, lmdb_dir: FilePath, resolution: int = 256, max_images: Optional[int] = None, progress: bool = True
) -> PrepareResult:
    """Convert an LSUN database: centre squares, Lanczos, in the database's order; items that are not images are left out."""
    options = PrepareOptions(
        resolution=resolution, color="rgb", fit=FitOptions(upscale=True), use_icc=False, shuffle=False, max_images=max_images
    )
    return prepare(lsun(_existing(lmdb_dir)), tfrecord_dir, options, progress)


def create_lsun_wide(
    tfrecord_dir: FilePath,
    lmdb_dir: FilePath,
    width: int = 512,
    height: int = 384,
    max_images: Optional[int] = None,
    progress: bool = True,
) -> PrepareResult:
    """Convert an LSUN database to `width` x `height` pictures in the middle of black squares; smaller images are left out.

    The rows that are kept of an image of w x h are the middle round(width * h / w).

    Raises UserError where `height` is not from 1 to `width`, and as `prepare` does.
    """
    if not 0 < height <= width:
        raise UserError(f"--height is {height}", f"1 to --width, which is {width}", "make it less")
    options = PrepareOptions(
        resolution=width, color="rgb", fit=FitOptions("wide", height_px=height), use_icc=False, shuffle=False,
        max_images=max_images,
    )  # fmt: skip
    return prepare(lsun(_existing(lmdb_dir)), tfrecord_dir, options, progress)


def create_celeba(
    tfrecord_dir: FilePath, celeba_dir: FilePath, cx: int = 89, cy: int = 121, progress: bool = True
) -> PrepareResult:
    """Convert CelebA: 202,599 PNGs of 178 x 218, the 128 pixels around (cx, cy) of each, shuffled."""
    path, half = _existing(celeba_dir), _CELEBA_CROP_PX // 2
    source = _whole("celeba", _files_directly_in(path, (".png",)), path)
    box = (cx - half, cy - half, cx + half, cy + half)
    fit = FitOptions("boxes", boxes={EVERY_IMAGE: box}, of_px=_CELEBA_PX)
    options = PrepareOptions(resolution=_CELEBA_CROP_PX, color="rgb", fit=fit, use_icc=False, labels="none", strict=True)
    return prepare(source, tfrecord_dir, options, progress)


def _files_directly_in(folder, suffixes=None):
    """Return the source of the image files in a folder, without its sub-folders, in the order of their names."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "a folder of images", "give the folder itself")
    everything = open_source(folder)
    source = Source(str(folder), ignored=everything.ignored)
    for name, location in zip(everything.names, everything.locations):
        if "/" in name:
            source.ignored["in a sub-folder"] += 1
        elif suffixes is None or name.lower().endswith(suffixes):
            source.add(name, location)
    return source


def _side(source):
    """Return the width of a source's first image, which must be square and a power of two wide; raises UserError."""
    if not len(source):
        raise no_images_error(source, [])
    try:
        with source.open(0) as file:
            header = read_header(file)
    except (UnreadableImage, OSError) as error:
        raise UserError(f"{source.names[0]}: {error}", "an image", "remove it or copy it again") from error
    if header.width != header.height or not is_power_of_two(header.width):
        raise UserError(
            f"{source.names[0]} in {source.path} is {header.width} x {header.height}",
            "equal square images, a power of two wide",
            f"make them so: sg2ada prepare {source.path} FOLDER --resolution PX",
        )
    return header.width


def _equal_squares(image_dir, shuffle=False):
    """Return (source, PrepareOptions) of a folder whose images must all be like the first; raises UserError."""
    source = _files_directly_in(_existing(image_dir))
    side = _side(source)
    fit = FitOptions("boxes", boxes={EVERY_IMAGE: (0, 0, side, side)}, of_px=(side, side))
    return source, PrepareOptions(resolution=side, fit=fit, use_icc=False, labels="none", shuffle=bool(shuffle), strict=True)


def create_from_images(tfrecord_dir: FilePath, image_dir: FilePath, shuffle: bool = True, progress: bool = True) -> PrepareResult:
    """Convert a folder's own files, all of them square images of one size, a power of two, in the order of their names."""
    source, options = _equal_squares(image_dir, shuffle)
    return prepare(source, tfrecord_dir, options, progress)


def create_from_hdf5(
    tfrecord_dir: FilePath, hdf5_filename: FilePath, shuffle: bool = True, progress: bool = True
) -> PrepareResult:
    """Convert the widest images of an HDF5 file, with the labels beside it."""
    source = hdf5(_existing(hdf5_filename))
    return prepare(source, tfrecord_dir, PrepareOptions(resolution=_side(source), shuffle=bool(shuffle)), progress)


def convert_to_hdf5(hdf5_filename: FilePath, tfrecord_dir: FilePath, compress: bool = False, progress: bool = True) -> int:
    """Write a dataset as an HDF5 file of all sizes down to 1, and `<base>-labels.npy` where it has labels; return its length."""
    data = open_dataset(tfrecord_dir)
    check_square(data, "HDF5 files of this form hold squares", "write images with `sg2ada dataset extract`")
    shape = (data.channels, data.height, data.width)
    labels = data.labels if data.label_size else None
    write_hdf5(hdf5_filename, lambda rows: data.read(rows).transpose(0, 3, 1, 2), len(data), shape, labels, compress, progress)
    return len(data)


def hdf5_from_images(hdf5_filename: FilePath, image_dir: FilePath, compress: bool = False, progress: bool = True) -> int:
    """Write a folder's own files, as in `create_from_images`, in order as an HDF5 file; return their number."""
    source, options = _equal_squares(image_dir)
    plan = make_plan(source, scan(source, options.read_options()), options)
    if plan.problems:
        raise strict_error(source, plan.problems)
    images = TorchImages(source)
    shape = (images.channels, images.width, images.width)
    write_hdf5(hdf5_filename, lambda rows: images.read(rows).transpose(0, 3, 1, 2), len(images), shape, None, compress, progress)
    return len(images)
