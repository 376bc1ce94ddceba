"""Squares from BreCaHAD's large tissue images, as the paper on adaptive augmentation trains on."""

import os
from pathlib import Path
from typing import List, Tuple

from ...errors import UserError
from ...files import FilePath
from ...images.progress import Progress
from ...images.read import UnreadableImage, read_image
from ..disk import new_folder

# Side of the squares -> from one to the next: 256 without overlap, 512 with half of one.
STRIDES_PX = {256: 256, 512: 256}


def crop_places(width: int, height: int, cropsize: int) -> List[Tuple[int, int]]:
    """Return (left, top) of every square inside an image, column by column from the left, each from the top."""
    stride = STRIDES_PX[cropsize]
    return [
        (x, y) for x in range(0, width - cropsize + 1, stride) for y in range(0, height - cropsize + 1, stride)
    ]  # fmt: skip


def extract_brecahad_crops(brecahad_dir: FilePath, output_dir: FilePath, cropsize: int = 256, progress: bool = True) -> int:
    """Write the squares of every .tif in a folder as `0000.png`, `0001.png` ... into a new folder; return their number.

    Args:
        brecahad_dir: Folder with the .tif files.
        output_dir: Folder to make; must not exist, or be empty.
        cropsize: 256 or 512.
        progress: Show a progress bar.

    Raises:
        UserError: No .tif file; files that cannot be read, all of them in one message, before anything is written.
    """
    if cropsize not in STRIDES_PX:
        raise UserError(f"--cropsize is {cropsize}", "256 or 512", "choose one of these")
    folder = Path(os.path.abspath(str(brecahad_dir)))
    files = sorted(folder.glob("*.tif")) if folder.is_dir() else []
    if not files:
        raise UserError(
            f"{folder} holds no .tif files",
            "the folder of BreCaHAD's images",
            "give the folder with the .tif files itself",
        )
    _check(files, folder)
    count = 0
    with new_folder(output_dir) as target, Progress(progress, len(files), "Cutting") as bar:
        for path in files:
            image = _read(path)
            for left, top in crop_places(image.width, image.height, cropsize):
                square = image.crop((left, top, left + cropsize, top + cropsize))
                square.save(str(target / f"{count:04d}.png"))
                count += 1
            bar.update(1)
    return count


def _read(path):
    with open(str(path), "rb") as file:
        return read_image(file)


def _check(files, folder):
    bad = []
    for path in files:
        try:
            _read(path)
        except (UnreadableImage, OSError) as error:
            bad.append(f"\n    {path.name}: {error}")
    if bad:
        raise UserError(
            "{} of {} images in {} cannot be read:{}".format(len(bad), len(files), folder, "".join(bad[:20])),
            "every .tif complete, because the squares are numbered through",
            "download these again, or remove them",
        )
