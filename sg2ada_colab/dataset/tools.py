"""Look at a data set, check it, compare it with another, and get its images out again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List

import numpy as np
from PIL import Image

from ..errors import UserError
from ..images.progress import Progress
from ..images.wording import size_text
from .crc32c import crc32c_rows, mask
from .disk import new_folder
from .manifest import read_manifest, sha256_of_file
from .pyramid import pyramid
from .reading import VALIDATION_PREFIX, open_dataset, open_levels, read_labels
from .records import FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, payload_checksums

_BATCH_BYTES = 16 << 20


def batches(count, bytes_each):
    """Yield index arrays that cover 0 .. count - 1, each for about 16 MB of images."""
    step = max(1, _BATCH_BYTES // max(1, bytes_each))
    for start in range(0, count, step):
        yield np.arange(start, min(start + step, count))


def info(path):
    """Return the facts about a data set as a dict, in the order in which they are worth printing."""
    data = open_dataset(path)
    files = sorted(entry for entry in Path(path).iterdir() if entry.is_file()) if Path(path).is_dir() else [Path(path)]
    facts = {
        "name": data.name,
        "images": data.num_images,
        "resolution": data.resolution,
        "channels": data.channels,
        "label size": data.label_size,
        "size on disk": size_text(sum(file.stat().st_size for file in files)),
        "files": len(files),
    }
    if data.label_size:
        facts["label range"] = "{:g} .. {:g}".format(data.labels.min(), data.labels.max())
        facts["mean label length"] = "{:.3f}".format(np.linalg.norm(data.labels, axis=1).mean())
        if ((data.labels == 0) | (data.labels == 1)).all() and (data.labels.sum(1) == 1).all():
            facts["images per class"] = ", ".join(str(int(n)) for n in data.labels.sum(0))
    if Path(path).is_dir() and any(file.name.startswith(VALIDATION_PREFIX) for file in files):
        facts["validation images"] = open_dataset(path, validation=True).num_images
    manifest = read_manifest(path) if Path(path).is_dir() else None
    facts["manifest"] = "yes" if manifest else "no"
    if manifest and manifest.get("classes"):
        facts["classes"] = ", ".join(manifest["classes"])
    facts["digest"] = data.digest()
    return facts


@dataclass
class Verification:
    """What `verify` found: `problems` is empty for a data set that is whole."""

    path: str
    records: int = 0
    problems: List[str] = field(default_factory=list)
    checked: Dict[str, bool] = field(default_factory=dict)


def verify(path, progress=True, levels_too=True):
    """Check every byte of a folder of TFRecords and return a `Verification` with all problems.

    Checks framing and both checksums of each record, equal sizes, the manifest's sizes and SHA-256, the labels, and that each
    smaller level is the mean of the one above (to the grey level; its rounding needs the full resolution alone).

    Args:
        path: Folder.
        progress: Show a progress bar.
        levels_too: Compare the levels with the full resolution.
    """
    result = Verification(str(path))
    folder = Path(path)
    manifest = read_manifest(folder)
    result.checked["manifest"] = manifest is not None
    for name, expected in (manifest or {"files": {}})["files"].items():
        _verify_file(folder / name, expected, result)
    for validation in (False, True):
        if validation and not any(entry.name.startswith(VALIDATION_PREFIX) for entry in folder.iterdir()):
            continue
        try:
            levels = open_levels(folder, validation)
            read_labels(folder, len(next(iter(levels.values()))), validation)
        except UserError as error:
            result.problems.append(error.what)
            continue
        with Progress(progress, sum(map(len, levels.values())), "Checking", "rec") as bar:
            for level in levels.values():
                _verify_records(level, result, bar)
        if levels_too and not result.problems:
            _verify_levels(levels, result)
    return result


def _verify_file(path, expected, result):
    if not path.is_file():
        result.problems.append("{} is missing".format(path))
    elif path.stat().st_size != expected["bytes"]:
        result.problems.append("{} has {} bytes, not {}".format(path, path.stat().st_size, expected["bytes"]))
    elif sha256_of_file(path) != expected["sha256"]:
        result.problems.append("{} has changed: its SHA-256 is not the manifest's".format(path))


def _verify_records(level, result, bar):
    sizes = np.diff(np.append(level.offsets, level.size))
    for rows in batches(len(level), int(sizes[0])):
        for size in np.unique(sizes[rows]):
            some = rows[sizes[rows] == size]
            records = np.stack([level.bytes[level.offsets[i] : level.offsets[i] + size] for i in some])
            length_crcs = mask(crc32c_rows(records[:, :8])).astype("<u4").view(np.uint8).reshape(-1, 4)
            good = (length_crcs == records[:, 8:FRAME_HEAD_BYTES]).all(1)
            good &= (payload_checksums([records])[0] == records[:, -FRAME_TAIL_BYTES:]).all(1)
            for index in some[~good]:
                result.problems.append("{}: record {} does not match its checksum".format(level.path, index))
        try:
            level.read(rows)
        except UserError as error:
            result.problems.append(error.what)
        result.records += len(rows)
        bar.update(len(rows))


def _verify_levels(levels, result):
    full = levels[max(levels)]
    for rows in batches(len(full), 8 * full.channels * full.width**2):
        images = full.read(rows).transpose(0, 3, 1, 2)
        for expected in pyramid(np.ascontiguousarray(images)):
            side = expected.shape[-1]
            if side in levels and side != full.width:
                wrong = (levels[side].read(rows).transpose(0, 3, 1, 2) != expected).any(axis=(1, 2, 3))
                if wrong.any():
                    result.problems.append(
                        "{}: record {} is not the mean of the full resolution".format(levels[side].path, rows[wrong][0])
                    )


def extract(path, destination, resolution=None, progress=True):
    """Write each image of a data set as `img00000000.png` ... into a new folder, as the original does; return their number."""
    data = open_dataset(path, resolution)
    with new_folder(destination) as folder, Progress(progress, len(data), "Extracting") as bar:
        for rows in batches(len(data), data.channels * data.resolution**2):
            for index, image in zip(rows, data.read(rows)):
                to_image(image).save(str(folder / "img{:08d}.png".format(index)))
            bar.update(len(rows))
    return len(data)


def to_image(image):
    """Return a Pillow image of uint8 [H, W, C]."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


@dataclass
class Comparison:
    """How two data sets differ, record by record."""

    images_a: int
    images_b: int
    compared: int
    equal_images: int
    equal_labels: int

    @property
    def equal(self):
        """Whether they are the same."""
        return self.images_a == self.images_b == self.equal_images == self.equal_labels


def compare(path_a, path_b, ignore_labels=False, progress=True):
    """Compare two data sets record by record and return a `Comparison`."""
    a, b = open_dataset(path_a), open_dataset(path_b)
    count = min(len(a), len(b))
    same_shape = (a.resolution, a.channels) == (b.resolution, b.channels)
    equal_images = 0
    with Progress(progress, count, "Comparing") as bar:
        for rows in batches(count if same_shape else 0, a.channels * a.resolution**2):
            equal_images += int((a.read(rows) == b.read(rows)).all(axis=(1, 2, 3)).sum())
            bar.update(len(rows))
    if ignore_labels:
        equal_labels = count
    elif a.label_size == b.label_size:
        equal_labels = int((a.labels[:count] == b.labels[:count]).all(1).sum())
    else:
        equal_labels = 0
    return Comparison(len(a), len(b), count, equal_images, equal_labels)
