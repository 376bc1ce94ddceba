"""The sub-commands of the original's dataset_tool.py that make data sets, by their names, with their arguments and meanings.

All of them write what `prepare` writes, with the same promises: whole or not there, checked, told in full.
"""

import os
from pathlib import Path

from ..errors import UserError
from ..images.fit import EVERY_IMAGE, FitOptions
from ..images.read import UnreadableImage, read_header
from ..images.scan import scan
from ..images.source import Source
from ..images.sources import open_source
from . import classic
from .hdf5 import hdf5, write_hdf5
from .lsun import lsun
from .options import PrepareOptions
from .plan import make_plan, no_images_error
from .preparation import prepare, strict_error
from .pyramid import is_power_of_two
from .reading import open_dataset
from .torch_images import TorchImages

# How many images a whole collection has; a part of one is converted by `prepare`.
WHOLE = {"mnist": 60000, "cifar10": 50000, "cifar100": 50000, "svhn": 73257, "celeba": 202599}
_CELEBA_PX, _CELEBA_CROP_PX = (178, 218), 128


def _whole(name, source, path):
    """Return the source if the collection is all there; raises UserError."""
    if len(source) != WHOLE[name]:
        raise UserError(
            "{} holds {} images".format(path, len(source)),
            "the {} of the whole collection".format(WHOLE[name]),
            "download it again; to convert a part of it on purpose: sg2ada prepare {} FOLDER".format(path),
        )
    return source


def _existing(path):
    path = Path(os.path.abspath(str(path)))
    if not path.exists():
        raise UserError("{} does not exist".format(path), "the collection as its authors publish it", "check the path")
    return path


def create_mnist(tfrecord_dir, mnist_dir, progress=True):
    """Convert MNIST: 60,000 grey images padded to 32 pixels, 10 classes, shuffled."""
    path = _existing(mnist_dir)
    return prepare(_whole("mnist", classic.mnist(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_mnistrgb(tfrecord_dir, mnist_dir, num_images=1000000, random_seed=123, progress=True):
    """Stack three random MNIST digits as the channels of each of `num_images` images; no labels, not shuffled."""
    source = classic.mnist_rgb(_existing(mnist_dir), num_images, random_seed)
    return prepare(source, tfrecord_dir, PrepareOptions(shuffle=False), progress)


def create_cifar10(tfrecord_dir, cifar10_dir, ignore_labels=False, progress=True):
    """Convert CIFAR-10's 50,000 training images, 10 classes unless ignored, shuffled."""
    path = _existing(cifar10_dir)
    options = PrepareOptions(labels="none" if ignore_labels else "auto")
    return prepare(_whole("cifar10", classic.cifar10(path), path), tfrecord_dir, options, progress)


def create_cifar100(tfrecord_dir, cifar100_dir, progress=True):
    """Convert CIFAR-100's 50,000 training images, 100 fine classes, shuffled."""
    path = _existing(cifar100_dir)
    return prepare(_whole("cifar100", classic.cifar100(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_svhn(tfrecord_dir, svhn_dir, progress=True):
    """Convert SVHN from train_1.pkl, train_2.pkl, train_3.pkl: 73,257 images, 10 classes, shuffled."""
    path = _existing(svhn_dir)
    return prepare(_whole("svhn", classic.svhn_pickles(path), path), tfrecord_dir, PrepareOptions(), progress)


def create_lsun(tfrecord_dir, lmdb_dir, resolution=256, max_images=None, progress=True):
    """Convert an LSUN database: centre squares, Lanczos, in the database's order; items that are no image are left out."""
    options = PrepareOptions(
        resolution=resolution, color="rgb", fit=FitOptions(upscale=True), use_icc=False, shuffle=False, max_images=max_images
    )
    return prepare(lsun(_existing(lmdb_dir)), tfrecord_dir, options, progress)


def create_lsun_wide(tfrecord_dir, lmdb_dir, width=512, height=384, max_images=None, progress=True):
    """Convert an LSUN database to `width` x `height` pictures in the middle of black squares; smaller images are left out.

    The rows that are kept of an image of w x h are the middle round(width * h / w).
    """
    if not 0 < height <= width:
        raise UserError("--height is {}".format(height), "1 to --width, which is {}".format(width), "make it less")
    options = PrepareOptions(
        resolution=width, color="rgb", fit=FitOptions("wide", height_px=height), use_icc=False, shuffle=False,
        max_images=max_images,
    )  # fmt: skip
    return prepare(lsun(_existing(lmdb_dir)), tfrecord_dir, options, progress)


def create_celeba(tfrecord_dir, celeba_dir, cx=89, cy=121, progress=True):
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
        raise UserError("{} is no folder".format(folder), "a folder of images", "give the folder itself")
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
        raise UserError("{}: {}".format(source.names[0], error), "an image", "remove it or copy it again") from error
    if header.width != header.height or not is_power_of_two(header.width):
        raise UserError(
            "{} in {} is {} x {}".format(source.names[0], source.path, header.width, header.height),
            "equal square images, a power of two wide",
            "make them so: sg2ada prepare {} FOLDER --resolution PX".format(source.path),
        )
    return header.width


def _equal_squares(image_dir, shuffle=False):
    """Return (source, PrepareOptions) of a folder whose images must all be like the first; raises UserError."""
    source = _files_directly_in(_existing(image_dir))
    side = _side(source)
    fit = FitOptions("boxes", boxes={EVERY_IMAGE: (0, 0, side, side)}, of_px=(side, side))
    return source, PrepareOptions(resolution=side, fit=fit, use_icc=False, labels="none", shuffle=bool(shuffle), strict=True)


def create_from_images(tfrecord_dir, image_dir, shuffle=True, progress=True):
    """Convert a folder's own files, all of them square images of one size, a power of two, in the order of their names."""
    source, options = _equal_squares(image_dir, shuffle)
    return prepare(source, tfrecord_dir, options, progress)


def create_from_hdf5(tfrecord_dir, hdf5_filename, shuffle=True, progress=True):
    """Convert the widest images of an HDF5 file, with the labels beside it."""
    source = hdf5(_existing(hdf5_filename))
    return prepare(source, tfrecord_dir, PrepareOptions(resolution=_side(source), shuffle=bool(shuffle)), progress)


def convert_to_hdf5(hdf5_filename, tfrecord_dir, compress=False, progress=True):
    """Write a data set as an HDF5 file of all sizes down to 1, and `<base>-labels.npy` where it has labels; return its length."""
    data = open_dataset(tfrecord_dir)
    shape = (data.channels, data.resolution, data.resolution)
    labels = data.labels if data.label_size else None
    write_hdf5(hdf5_filename, lambda rows: data.read(rows).transpose(0, 3, 1, 2), len(data), shape, labels, compress, progress)
    return len(data)


def hdf5_from_images(hdf5_filename, image_dir, compress=False, progress=True):
    """Write a folder's own files, as in `create_from_images`, in order as an HDF5 file; return their number."""
    source, options = _equal_squares(image_dir)
    plan = make_plan(source, scan(source, options.read_options()), options.resolution, "auto", options.fit)
    if plan.problems:
        raise strict_error(source, plan.problems)
    images = TorchImages(source)
    shape = (images.channels, images.width, images.width)
    write_hdf5(hdf5_filename, lambda rows: images.read(rows).transpose(0, 3, 1, 2), len(images), shape, None, compress, progress)
    return len(images)
