"""A picture of what augmentation does to given images: a row per image, a column per strength, a panel per transform."""

from dataclasses import replace
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UserError
from ..images.sheet import Sheet, SheetStyle, load_font, tile
from ..seeds import step_seed
from .config import TRANSFORMS, AugmentConfig

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
PLAIN_NAMES = {  # of the transforms, for people
    "xflip": "mirrored", "rotate90": "turned by quarters", "xint": "moved", "scale": "enlarged or reduced",
    "rotate": "turned a little", "aniso": "stretched in one direction", "xfrac": "moved by parts of a pixel",
    "brightness": "brighter or darker", "contrast": "more or less contrast", "lumaflip": "light and dark exchanged",
    "hue": "other colours", "saturation": "stronger or weaker colours", "imgfilter": "sharper or softer", "noise": "with noise",
    "cutout": "with a piece cut out",
}  # fmt: skip
HALF_TURNS = "turned upside down"  # what rotate90 does to a rectangle, which does not fill its frame on its side
_LABEL_PX, _GAP_PX = 14, 12
_INK, _PAPER = (20, 20, 20), (255, 255, 255)


def preview(
    images: np.ndarray,
    config: AugmentConfig,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
    tile_px: int = 96,
    panels_across: int = 3,
    progress: Optional[Callable[[list], Iterable]] = None,
) -> Image.Image:
    """Return a picture of the pipe and of each of its transforms alone, at several strengths.

    The draws of a row are the same in all columns, so that going right only opens more gates, and the same in every panel, so
    that the panels show what the whole pipe is made of. Values outside the range are cut off, as on any screen; the
    discriminator sees them.

    Args:
        images: uint8 [n, H, W, C], a few of the user's own.
        config: AugmentConfig; its pipe is shown whole, then each of its members alone.
        strengths: Values of p from 0 upwards, one a column.
        seed: Integer.
        tile_px: Width of an image in the picture.
        panels_across: Panels side by side.
        progress: Callable for the wait, such as tqdm: takes the list of panels and yields it. None: silent.

    Returns:
        PIL image, RGB.

    Raises:
        UserError: No images, a strength below 0, or images that the pipe cannot take.
    """
    drawn = panels(images, config, strengths, seed, tile_px, progress)
    return _arrange([picture for _, picture in drawn], panels_across)


def panels(
    images: np.ndarray,
    config: AugmentConfig,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
    tile_px: int = 96,
    progress: Optional[Callable] = None,
    label_px: int = _LABEL_PX,
) -> List[Tuple[str, Image.Image]]:
    """Return [(name, PIL image)] of the pipe, whose name is "all together", and of each of its transforms alone.

    Args:
        images, config, strengths, seed, tile_px, progress: As for `preview`, which puts them on one picture.
        label_px: Height of a line of text.

    Raises UserError where there are no images, or a strength is not a number from 0 upwards.
    """
    _check(images, strengths)
    config.check_images(*images.shape[1:])
    members = [name for name in TRANSFORMS if config.has(name)]
    wanted = [("all together", config)]
    is_square = images.shape[1] == images.shape[2]
    plain = PLAIN_NAMES if is_square else dict(PLAIN_NAMES, rotate90=HALF_TURNS)
    wanted += [(f"{plain[name]} ({name})", _alone(config, name)) for name in members if len(members) > 1]
    return [
        (name, _panel(name, images, _columns(images, panel, strengths, seed), strengths, tile_px, label_px))
        for name, panel in (progress(wanted) if progress else wanted)
    ]


def _check(images, strengths):
    if len(images) == 0 or len(strengths) == 0:
        raise UserError("There is nothing to show.", "At least one image and one strength.", "Ask for 4 images, for example.")
    wrong = [p for p in strengths if not (np.isfinite(p) and p >= 0)]
    if wrong:
        raise UserError(f"Invalid strengths: {wrong}.", "Numbers from 0 upwards.", "Try 0,0.2,0.4,0.6,0.8,1.")


def _alone(config, name):
    """Return the config with the one transform only, at its own multiplier and spread."""
    return replace(config, **{other: 0.0 for other in TRANSFORMS if other != name})


def _columns(images, config, strengths, seed):
    """Return one float32 array [n, R, R, C] for each strength."""
    from ..tf import tf
    from .pipeline import augment

    as_floats = tf.constant(images.astype(np.float32) * (2 / 255) - 1)
    draws = tf.constant(step_seed(seed, "augment_preview", 0))
    return [augment(as_floats, float(p), config, draws).numpy() for p in strengths]


def _tile(image, tile_px):
    return tile(np.clip(np.rint((image + 1) * 127.5), 0, 255).astype(np.uint8), tile_px)


def _panel(title, images, columns, strengths, tile_px, label_px):
    """Draw the columns under a title and the strengths."""
    head_px, font = 2 * label_px, None if label_px == _LABEL_PX else load_font(label_px - 4)
    panel = Image.new("RGB", (len(columns) * tile_px, head_px + len(images) * tile_px), _PAPER)
    pen = ImageDraw.Draw(panel)
    pen.text((2, 1), title, fill=_INK, font=font)
    for x, (p, column) in enumerate(zip(strengths, columns)):
        pen.text((x * tile_px + 2, label_px), f"p = {p:g}", fill=_INK, font=font)
        for y, image in enumerate(column):
            panel.paste(_tile(image, tile_px), (x * tile_px, head_px + y * tile_px))
    return panel


def _arrange(panels, across):
    """Put panels of one size side by side, `across` in a row."""
    across = min(across, len(panels))
    sheet = Sheet(across, -(-len(panels) // across), panels[0].size, SheetStyle(_GAP_PX, paper=_PAPER))
    for place, panel in enumerate(panels):
        sheet.put(place, panel)
    return sheet.image


def preview_dataset(dataset: Any, pipe: Union[str, AugmentConfig] = "bgc", num_images: int = 4, **options: Any) -> Image.Image:
    """Return `preview` of images spread evenly over a dataset.

    Args:
        dataset: Result of `open_dataset`.
        pipe: Name of an augmentation pipe, or an AugmentConfig.
        num_images: Rows.
        options: Of `preview`.

    Raises UserError where the dataset does not suit the pipe, and as `preview` does.
    """
    return preview(*_of_dataset(dataset, pipe, num_images), **options)


def panels_of_dataset(
    dataset: Any, pipe: Union[str, AugmentConfig] = "bgc", num_images: int = 4, **options: Any
) -> List[Tuple[str, Image.Image]]:
    """Return `panels` of images spread evenly over a dataset; arguments as for `preview_dataset`.

    Raises UserError where the dataset does not suit the pipe, and as `panels` does.
    """
    return panels(*_of_dataset(dataset, pipe, num_images), **options)


def _of_dataset(dataset, pipe, num_images):
    config = pipe if isinstance(pipe, AugmentConfig) else AugmentConfig.from_pipe(pipe)
    if num_images < 1:
        raise UserError("There is nothing to show.", "At least one image.", "Ask for 4 images, for example.")
    count = min(num_images, dataset.num_images)
    indices = np.arange(count) * dataset.num_images // count
    return dataset.read(indices), config
