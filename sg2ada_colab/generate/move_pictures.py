"""Pictures moved along directions: files, and a grid in which each row is one direction or one start."""

import hashlib
import os
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..previews.sheet import check_side, grid_of
from .directions import Direction, move
from .picture_files import write_picture
from .pictures import Job, Made, make_pictures
from .settings import PictureSettings

if TYPE_CHECKING:
    from .generator import TrainedGenerator

STRENGTHS = (-3.0, -1.5, 0.0, 1.5, 3.0)
VERB = "directions"
Start = Tuple[str, int, np.ndarray, Dict[str, Any]]  # (name, seed, w [L, D], what the metadata says of it)


def parse_strengths(text: Optional[str]) -> List[float]:
    """Return the strengths in a text such as "-3,0,3"; None gives the usual five.

    Raises:
        UserError: They are none.
    """
    if text is None:
        return list(STRENGTHS)
    try:
        found = [float(part) for part in str(text).split(",")]
    except ValueError:
        found = []
    if not found or len(found) > 1000 or not np.isfinite(found).all():
        raise UserError(
            f"{text!r} is not a list of strengths.", "1 to 1000 numbers, such as -3,-1.5,0,1.5,3", "write --strengths=-3,0,3"
        )
    return found


def moved_jobs(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    starts: Sequence[Start],
    directions: Sequence[Direction],
    strengths: Sequence[float],
    layers: Optional[Collection[int]] = None,
) -> List[Job]:
    """Return the Jobs of every start, moved along every direction by every strength, in this order.

    Args:
        starts: List of (name, seed, w [L,D], what the metadata says of it).
        directions: List of Direction.
        layers: See `move`.
    """
    jobs = []
    for name, seed, w, source in starts:
        for direction in directions:
            rows = move(np.repeat(w[np.newaxis], len(strengths), axis=0), direction, strengths, layers)
            for strength, row in zip(strengths, rows):
                taken = direction.layers if layers is None else layers
                recipe = settings.recipe(
                    generator, VERB, direction=direction.name, strength=strength, layers=taken and list(taken),
                    vector=hashlib.sha256(direction.vector.astype("<f4").tobytes()).hexdigest()[:16], **source
                )  # fmt: skip
                jobs.append(Job(f"{name}-{direction.name.replace(' ', '_')}{strength:+g}", recipe, seed, row))
    return jobs


def seed_starts(generator: "TrainedGenerator", settings: PictureSettings, seeds: Sequence[int]) -> List[Start]:
    """Return the starts of seeds, for `moved_jobs`."""
    w = settings.w(generator, seeds)
    return [(f"seed{seed:04d}", seed, row, {"start": seed}) for seed, row in zip(seeds, w)]


def latent_starts(generator: "TrainedGenerator", settings: PictureSettings, w: np.ndarray, path: FilePath) -> List[Start]:
    """Return the starts of w [N,L,D] from a file, such as a projection's."""
    digest = sha256_of(path)[1]
    rows = settings.truncate(generator, w)
    return [(f"proj{row:02d}", row, rows[row], {"latents": digest, "row": row}) for row in range(len(rows))]


def make_moved(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    starts: Sequence[Start],
    directions: Sequence[Direction],
    strengths: Sequence[float],
    outdir: FilePath,
    layers: Optional[Collection[int]] = None,
    form: str = "png",
    show: bool = False,
) -> Tuple[Made, str]:
    """Make the pictures of `moved_jobs` and grid.png: a row for each start and direction, a column for each strength.

    Returns:
        (Made, path of the grid).

    Raises:
        UserError: Two pictures would have one name, or as `make_pictures`.
    """
    jobs = moved_jobs(generator, settings, starts, directions, strengths, layers)
    columns, rows = len(strengths), len(starts) * len(directions)
    check_side(columns, rows, generator.config.width, generator.config.height)
    if len({job.name for job in jobs}) < len(jobs):
        raise UserError("Two pictures would have one name.", "each seed, direction and strength once", "leave out the repeats")
    made = make_pictures(generator, settings, jobs, outdir, form, show)
    grid = os.path.join(str(outdir), "grid.png")
    recipe = settings.recipe(generator, VERB, directions=[one.name for one in directions], strengths=list(strengths))
    write_picture(grid, grid_of((Image.open(path) for path in made.paths), columns, rows), recipe)
    return made, grid


def overview(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    directions: Sequence[Direction],
    seed: int,
    path: FilePath,
    strengths: Sequence[float] = STRENGTHS,
) -> FilePath:
    """Write one picture of many directions, a row each, from one seed."""
    starts = seed_starts(generator, settings, [seed])
    jobs = moved_jobs(generator, settings, starts, directions, strengths)
    check_side(len(strengths), len(directions), generator.config.width, generator.config.height)
    w = np.stack([job.w for job in jobs if job.w is not None])
    images = generator.pictures(w, settings.noise_mode, [seed] * len(w))
    pictures = (Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in images)
    recipe = settings.recipe(generator, VERB, directions=[one.name for one in directions], strengths=list(strengths), start=seed)
    write_picture(path, grid_of(pictures, len(strengths), len(directions)), recipe)
    return path
