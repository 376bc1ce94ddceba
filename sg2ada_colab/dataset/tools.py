"""Describe a dataset, check it, compare it with another, and extract its images."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..images.labels import find_labels
from ..images.progress import Progress
from ..images.workers import run_parallel
from ..shape import size_words
from ..words import shown, size_text
from .classic.torch_images import open_torch_images
from .disk import files_below, new_folder
from .manifest import read_manifest
from .pyramid import pyramid
from .reading import VALIDATION_PREFIX, has_foreign_records, has_records, open_dataset, open_levels, read_labels
from .records import FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, masked_crcs, payload_checksums

_BATCH_BYTES = 16 << 20
_JOB_IMAGES = 64


def batches(count: int, bytes_each: int) -> Iterator[np.ndarray]:
    """Yield int arrays [n] of indices that cover 0 .. count - 1, each for about 16 MB of images."""
    step = max(1, _BATCH_BYTES // max(1, bytes_each))
    for start in range(0, count, step):
        yield np.arange(start, min(start + step, count))


def info(path: FilePath) -> Dict[str, Any]:
    """Return the facts about a dataset as a dict, in the order in which they are worth printing."""
    data = open_dataset(path)
    files = [Path(path)] if Path(path).is_file() else files_below(path)
    facts = {
        "name": data.name,
        "images": data.num_images,
        "resolution": data.size if isinstance(data.size, int) else size_words(data.size),
        "channels": "4 (RGBA)" if data.channels == 4 else data.channels,
        "label size": data.label_size,
        "size on disk": size_text(sum(file.stat().st_size for file in files)),
        "files": len(files),
    }
    if data.is_flattened:
        facts["transparency"] = "put on white; sg2ada prepare --alpha keep makes an RGBA dataset of it"
    if data.label_size:
        facts["label range"] = f"{data.labels.min():g} .. {data.labels.max():g}"
        facts["mean label length"] = f"{np.linalg.norm(data.labels.astype(np.float64), axis=1).mean():.3f}"
        if ((data.labels == 0) | (data.labels == 1)).all() and (data.labels.sum(1) == 1).all():
            facts["images per class"] = ", ".join(str(int(n)) for n in data.labels.sum(0))
    if Path(path).is_dir() and any(file.name.startswith(VALIDATION_PREFIX) for file in files):
        facts["validation images"] = open_dataset(path, validation=True).num_images
    manifest = read_manifest(path) if Path(path).is_dir() else None
    facts["manifest"] = "yes" if manifest else "no"
    if manifest and manifest.get("classes"):
        facts["classes"] = ", ".join(map(shown, manifest["classes"]))
    facts["digest"] = data.digest()
    return facts


@dataclass
class Verification:
    """What `verify` found: `problems` is empty for a valid dataset."""

    path: str
    records: int = 0  # or images, of a set in PyTorch's form
    unit: str = "records"
    problems: List[str] = field(default_factory=list)
    checked: Dict[str, bool] = field(default_factory=dict)


def verify(path: FilePath, progress: bool = True) -> Verification:
    """Check every byte of a dataset and return a `Verification` with all problems.

    Of a zip or folder as stylegan2-ada-pytorch uses it: that each image can be read, of one size, and that the labels fit. Else
    framing and both checksums of each record, equal sizes, the manifest's sizes and SHA-256, the labels, and that each
    smaller level is the mean of the one above (to the grey level; its rounding needs the full resolution alone).

    Args:
        path: Folder of TFRecords, or a zip or folder of images.
        progress: Show a progress bar.

    Raises:
        UserError: There is no such path.
    """
    result = Verification(str(path))
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{path} does not exist", "a dataset made by `sg2ada prepare`", "check the path")
    if not folder.is_dir() or not has_records(folder):
        return _verify_images(folder, result, progress)
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
        if not result.problems:
            _verify_levels(levels, result)
    return result


def _verify_images(path, result, progress):
    """Check a zip or folder of images in PyTorch's form."""
    result.unit, result.checked["manifest"] = "images", False
    try:
        if has_foreign_records(path):
            raise UserError(f"{path} holds TFRecords of another program", "", "")
        images = open_torch_images(path)
        find_labels(images.source, "auto")
    except UserError as error:
        result.problems.append(error.what)
        return result
    spans = [(start, min(start + _JOB_IMAGES, len(images))) for start in range(0, len(images), _JOB_IMAGES)]
    found = {}
    with Progress(progress, len(images), "Checking") as bar:
        for span, problems in run_parallel(_problems_of_images, images, spans):
            found[span] = problems
            result.records += span[1] - span[0]
            bar.update(span[1] - span[0])
    result.problems += [problem for span in spans for problem in found[span]]
    return result


def _problems_of_images(images, span):
    problems = []
    for index in range(*span):
        try:
            images.read([index])
        except UserError as error:
            problems.append(shown(error.what))
    return problems


def _verify_file(path, expected, result):
    if not path.is_file():
        result.problems.append(f"{path} is missing")
    elif path.stat().st_size != expected["bytes"]:
        result.problems.append("{} has {} bytes, not {}".format(path, path.stat().st_size, expected["bytes"]))
    elif sha256_of(path)[1] != expected["sha256"]:
        result.problems.append(f"{path} has changed: its SHA-256 is not the manifest's")


def _verify_records(level, result, bar):
    sizes = np.diff(np.append(level.offsets, level.size))
    for rows in batches(len(level), int(sizes[0])):
        for size in np.unique(sizes[rows]):
            some = rows[sizes[rows] == size]
            records = np.stack([level.bytes[level.offsets[i] : level.offsets[i] + size] for i in some])
            good = (masked_crcs(records[:, :8]) == records[:, 8:FRAME_HEAD_BYTES]).all(1)
            good &= (payload_checksums(records) == records[:, -FRAME_TAIL_BYTES:]).all(1)
            for index in some[~good]:
                result.problems.append(f"{level.path}: record {index} does not match its checksum")
        try:
            level.read(rows)
        except UserError as error:
            result.problems.append(error.what)
        result.records += len(rows)
        bar.update(len(rows))


def _verify_levels(levels, result):
    full = levels[max(levels)]
    smallest_px = min(level.width for level in levels.values())
    by_size = {(level.height, level.width): level for level in levels.values()}
    for rows in batches(len(full), 8 * full.channels * full.height * full.width):
        images = full.read(rows).transpose(0, 3, 1, 2)
        for expected in pyramid(np.ascontiguousarray(images), smallest_px):
            level = by_size.get(expected.shape[2:])
            if level is not None and level is not full:
                wrong = (level.read(rows).transpose(0, 3, 1, 2) != expected).any(axis=(1, 2, 3))
                if wrong.any():
                    result.problems.append(f"{level.path}: record {rows[wrong][0]} is not the mean of the full resolution")


def extract(path: FilePath, destination: FilePath, resolution: Optional[int] = None, progress: bool = True) -> int:
    """Write each image of a dataset as `img00000000.png` ... into a new folder, as the original does; return their number."""
    data = open_dataset(path, resolution)
    with new_folder(destination) as folder, Progress(progress, len(data), "Extracting") as bar:
        for rows in batches(len(data), data.channels * data.height * data.width):
            for index, image in zip(rows, data.read(rows)):
                to_image(image).save(str(folder / f"img{index:08d}.png"))
            bar.update(len(rows))
    return len(data)


def to_image(image: np.ndarray) -> Image.Image:
    """Return a Pillow image of uint8 [H, W, C]."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


@dataclass
class Comparison:
    """How two datasets differ, record by record."""

    images_a: int
    images_b: int
    compared: int
    equal_images: int
    equal_labels: int

    @property
    def equal(self) -> bool:
        """Whether they are the same."""
        return self.images_a == self.images_b == self.equal_images == self.equal_labels


def compare(path_a: FilePath, path_b: FilePath, ignore_labels: bool = False, progress: bool = True) -> Comparison:
    """Compare two datasets record by record and return a `Comparison`."""
    a, b = open_dataset(path_a), open_dataset(path_b)
    count = min(len(a), len(b))
    same_shape = (a.size, a.channels) == (b.size, b.channels)
    equal_images = 0
    with Progress(progress, count, "Comparing") as bar:
        for rows in batches(count if same_shape else 0, a.channels * a.height * a.width):
            equal_images += int((a.read(rows) == b.read(rows)).all(axis=(1, 2, 3)).sum())
            bar.update(len(rows))
    if ignore_labels:
        equal_labels = count
    elif a.label_size == b.label_size:
        equal_labels = int((a.labels[:count] == b.labels[:count]).all(1).sum())
    else:
        equal_labels = 0
    return Comparison(len(a), len(b), count, equal_images, equal_labels)
