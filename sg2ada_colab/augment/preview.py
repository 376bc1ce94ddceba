"""A picture of what augmentation does to given images: a row per image, a column per strength, a panel per transform."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UserError
from ..seeds import step_seed
from .config import TRANSFORMS, AugmentConfig

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LABEL_PX, _GAP_PX = 14, 12
_INK, _PAPER = (20, 20, 20), (255, 255, 255)


def preview(images, config, strengths=STRENGTHS, seed=0, tile_px=96, panels_across=3, progress=None):
    """Return a picture of the pipe and of each of its transforms alone, at several strengths.

    The draws of a row are the same in all columns, so that going right only opens more gates, and the same in every panel, so
    that the panels show what the whole pipe is made of. Values outside the range are cut off, as on any screen; the
    discriminator sees them.

    Args:
        images: uint8 [n, R, R, C], a few of the user's own.
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
    _check(images, strengths)
    config.check_images(images.shape[1], images.shape[3])
    members = [name for name in TRANSFORMS if config.has(name)]
    panels = [("whole pipe", config)] + [(name, _alone(config, name)) for name in members if len(members) > 1]
    drawn = [
        _panel(name, images, _columns(images, panel, strengths, seed), strengths, tile_px)
        for name, panel in (progress(panels) if progress else panels)
    ]
    return _arrange(drawn, panels_across)


def _check(images, strengths):
    if len(images) == 0 or len(strengths) == 0:
        raise UserError("There is nothing to show.", "At least one image and one strength.", "Ask for 4 images, for example.")
    wrong = [p for p in strengths if not (np.isfinite(p) and p >= 0)]
    if wrong:
        raise UserError("Strengths that cannot be: {}.".format(wrong), "Numbers from 0 upwards.", "Try 0,0.2,0.4,0.6,0.8,1.")


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
    pixels = np.clip(np.rint((image + 1) * 127.5), 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3]).convert("RGB")
    return picture if picture.width == tile_px else picture.resize((tile_px, tile_px), Image.LANCZOS)


def _panel(title, images, columns, strengths, tile_px):
    """Draw the columns under a title and the strengths."""
    head_px = 2 * _LABEL_PX
    panel = Image.new("RGB", (len(columns) * tile_px, head_px + len(images) * tile_px), _PAPER)
    pen = ImageDraw.Draw(panel)
    pen.text((2, 1), title, fill=_INK)
    for x, (p, column) in enumerate(zip(strengths, columns)):
        pen.text((x * tile_px + 2, _LABEL_PX), "p = {:g}".format(p), fill=_INK)
        for y, image in enumerate(column):
            panel.paste(_tile(image, tile_px), (x * tile_px, head_px + y * tile_px))
    return panel


def _arrange(panels, across):
    """Put panels of one size side by side, `across` in a row."""
    across = min(across, len(panels))
    width, height = panels[0].width + _GAP_PX, panels[0].height + _GAP_PX
    rows = -(-len(panels) // across)
    picture = Image.new("RGB", (across * width + _GAP_PX, rows * height + _GAP_PX), _PAPER)
    for index, panel in enumerate(panels):
        picture.paste(panel, (_GAP_PX + index % across * width, _GAP_PX + index // across * height))
    return picture


def preview_dataset(dataset, pipe="bgc", num_images=4, **options):
    """Return `preview` of images spread evenly over a dataset.

    Args:
        dataset: Result of `open_dataset`.
        pipe: Name of an augmentation pipe, or an AugmentConfig.
        num_images: Rows.
        options: Of `preview`.
    """
    config = pipe if isinstance(pipe, AugmentConfig) else AugmentConfig.from_pipe(pipe)
    if num_images < 1:
        raise UserError("There is nothing to show.", "At least one image.", "Ask for 4 images, for example.")
    count = min(num_images, dataset.num_images)
    indices = np.arange(count) * dataset.num_images // count
    return preview(dataset.read(indices), config, **options)
