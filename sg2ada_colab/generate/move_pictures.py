"""Pictures moved along directions: files, and a grid in which each row is one direction or one start."""

import hashlib
import os
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Moves:
    """Which pictures are made: every start, moved along every direction by every strength, in this order."""

    starts: Sequence[Start]
    directions: Sequence[Direction]
    strengths: Sequence[float]
    layers: Optional[Collection[int]] = None  # see `move`

    @property
    def grid(self) -> Tuple[int, int]:
        """(columns, rows): a column for each strength, a row for each start and direction."""
        return len(self.strengths), len(self.starts) * len(self.directions)

    def recipe(self, generator: "TrainedGenerator", settings: PictureSettings, **source: Any) -> Dict[str, Any]:
        """Return what the metadata of the grid says."""
        names = [one.name for one in self.directions]
        return settings.recipe(generator, VERB, directions=names, strengths=list(self.strengths), **source)


def parse_strengths(text: Optional[str]) -> List[float]:
    """Return the strengths in a text such as "-3,0,3"; None gives the usual five.

    Raises:
        UserError: It is not a list of strengths.
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


def moved_jobs(generator: "TrainedGenerator", settings: PictureSettings, moves: Moves) -> List[Job]:
    """Return the Jobs of all pictures of `Moves`."""
    jobs = []
    for name, seed, w, source in moves.starts:
        for direction in moves.directions:
            rows = move(np.repeat(w[np.newaxis], len(moves.strengths), axis=0), direction, moves.strengths, moves.layers)
            for strength, row in zip(moves.strengths, rows):
                taken = direction.layers if moves.layers is None else moves.layers
                recipe = settings.recipe(
                    generator, VERB, direction=direction.name, strength=strength, layers=taken and list(taken),
                    vector=hashlib.sha256(direction.vector.astype("<f4").tobytes()).hexdigest()[:16], **source
                )  # fmt: skip
                jobs.append(Job(f"{name}-{direction.name.replace(' ', '_')}{strength:+g}", recipe, seed, row))
    return jobs


def seed_starts(generator: "TrainedGenerator", settings: PictureSettings, seeds: Sequence[int]) -> List[Start]:
    """Return the starts of seeds, for `Moves`."""
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
    moves: Moves,
    outdir: FilePath,
    form: str = "png",
    show: bool = False,
) -> Tuple[Made, str]:
    """Make the pictures of `Moves` and grid.png: a row for each start and direction, a column for each strength.

    Returns:
        (Made, path of the grid).

    Raises:
        UserError: Two pictures would have one name, or as `make_pictures`.
    """
    jobs = moved_jobs(generator, settings, moves)
    check_side(*moves.grid, generator.config.width, generator.config.height)
    if len({job.name for job in jobs}) < len(jobs):
        raise UserError("Two pictures would have one name.", "each seed, direction and strength once", "leave out the repeats")
    made = make_pictures(generator, settings, jobs, outdir, form, show)
    grid = os.path.join(str(outdir), "grid.png")
    pictures = (Image.open(path) for path in made.paths)
    write_picture(grid, grid_of(pictures, *moves.grid), moves.recipe(generator, settings))
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
    moves = Moves(seed_starts(generator, settings, [seed]), directions, strengths)
    jobs = moved_jobs(generator, settings, moves)
    check_side(*moves.grid, generator.config.width, generator.config.height)
    w = np.stack([job.w for job in jobs if job.w is not None])
    images = generator.pictures(w, settings.noise_mode, [seed] * len(w))
    pictures = (Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in images)
    write_picture(path, grid_of(pictures, *moves.grid), moves.recipe(generator, settings, start=seed))
    return path
