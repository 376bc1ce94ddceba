"""Style mixing (StyleGAN section 3.1): some layers of one seed with the rest of another, as a table of pictures."""

import os
from typing import TYPE_CHECKING, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath
from ..previews.sheet import check_side, grid_of
from .picture_files import write_picture
from .pictures import Job, Made, make_pictures
from .seed_list import parse_seeds
from .settings import PictureSettings

if TYPE_CHECKING:
    from .generator import TrainedGenerator

USUAL_STYLES = 7  # layers 0-6, the coarse and the middle ones


def parse_styles(text: Optional[str], num_layers: int) -> List[int]:
    """Return the numbers of the layers in a text such as "0-6"; None is 0-6, or all of a smaller network's.

    Raises:
        UserError: It is not a list of layers, or the network has no such layers.
    """
    if text is None:
        return list(range(min(USUAL_STYLES, num_layers)))
    try:
        layers = parse_seeds(text)
    except UserError:
        layers = [num_layers]
    if max(layers) >= num_layers:
        raise UserError(f"The network has no layers {text!r}.", f"numbers from 0 to {num_layers - 1}, such as 0-3",
                        "write --styles=0-3")  # fmt: skip
    return sorted(set(layers))


def mixing_jobs(
    generator: "TrainedGenerator", settings: PictureSettings, rows: Sequence[int], columns: Sequence[int], styles: Sequence[int]
) -> List[Job]:
    """Return the Jobs of all pairs (ROW-COLUMN) and of every seed alone (SEED-SEED).

    Args:
        rows, columns: Seeds; a picture has the row's w with the layers `styles` of the column's.
        styles: List of layer numbers.
    """
    seeds = list(dict.fromkeys(list(rows) + list(columns)))
    w = dict(zip(seeds, settings.w(generator, seeds)))

    def job(row, column):
        recipe = settings.recipe(generator, "style-mixing", row=row, column=column, styles=styles)
        return Job(f"{row}-{column}", recipe, row, generator.mix(w[row][np.newaxis], w[column][np.newaxis], styles)[0])

    pairs = dict.fromkeys([(seed, seed) for seed in seeds] + [(row, column) for row in rows for column in columns])
    return [job(*pair) for pair in pairs]


def mix_styles(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    rows: Iterable[int],
    columns: Iterable[int],
    styles: Sequence[int],
    outdir: FilePath,
    form: str = "png",
    show: bool = False,
) -> Tuple[Made, str]:
    """Make the pictures of `mixing_jobs`, and grid.png: black corner (of RGBA transparent), columns on top, rows on the left.

    Returns:
        (Made, path of the grid).

    Raises:
        UserError: As of `make_pictures`.
    """
    rows, columns = list(dict.fromkeys(rows)), list(dict.fromkeys(columns))
    check_side(len(columns) + 1, len(rows) + 1, generator.config.width, generator.config.height)
    made = make_pictures(generator, settings, mixing_jobs(generator, settings, rows, columns, styles), outdir, form, show)

    def cells():
        with Image.open(_path(outdir, rows[0], rows[0], form)) as first:
            yield Image.new(first.mode, first.size, (0, 0, 0, 0) if first.mode == "RGBA" else "black")
        for column in columns:
            yield Image.open(_path(outdir, column, column, form))
        for row in rows:
            yield Image.open(_path(outdir, row, row, form))
            for column in columns:
                yield Image.open(_path(outdir, row, column, form))

    recipe = settings.recipe(generator, "style-mixing", rows=rows, columns=columns, styles=styles)
    grid = os.path.join(str(outdir), "grid.png")
    write_picture(grid, grid_of(cells(), len(columns) + 1, len(rows) + 1), recipe)
    return made, grid


def _path(outdir, row, column, form):
    return os.path.join(str(outdir), f"{row}-{column}.{form}")
