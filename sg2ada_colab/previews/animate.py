"""Animations of pictures: MP4 where an encoder is installed, otherwise animated WebP or GIF by Pillow."""

import importlib.util
import os

import numpy as np
from PIL import Image, ImageDraw, features

from ..errors import UserError
from ..metrics.plot import load_font
from ..snapshots.atomic import atomic_file
from .timeline import shrunk

MAX_SIDE_PX = {".mp4": 1280, ".webp": 720, ".gif": 480}
LAST_FRAME_S = 2.0  # the end stays for a while


def video_suffix():
    """Return the suffix of the best form that can be written here: .mp4, .webp or .gif."""
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        return ".mp4"
    return ".webp" if features.check("webp") else ".gif"


def save_animation(path, frames, frames_per_second=8.0, max_side_px=None):
    """Write pictures one after the other as an animation; the last one stays for a while.

    Args:
        path: File that ends in .mp4 (needs imageio-ffmpeg), .webp or .gif.
        frames: Iterable of (title or None, Pillow image, or a path of one); all are brought to the size of the first.
        frames_per_second: Speed.
        max_side_px: Longest side; None is what suits the form.

    Returns:
        The number of frames.

    Raises:
        UserError: Another suffix, no encoder, or no frames.
    """
    suffix = os.path.splitext(str(path))[1].lower()
    if suffix not in MAX_SIDE_PX:
        raise UserError("{} is no animation.".format(path), "a name that ends in .mp4, .webp or .gif", "change the name")
    if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError("MP4 needs an encoder.", "the package imageio-ffmpeg", "pip install imageio-ffmpeg, or write .webp")
    made = _of_one_size(frames, max_side_px or MAX_SIDE_PX[suffix])
    count = (_write_mp4 if suffix == ".mp4" else _write_with_pillow)(str(path), made, frames_per_second)
    if not count:
        raise UserError("There is nothing to animate.", "at least one picture", "train for a while first")
    return count


def _of_one_size(frames, max_side_px):
    """Yield RGB images of one even size."""
    size = None
    for title, image in frames:
        if not isinstance(image, Image.Image):
            with Image.open(str(image)) as opened:
                image = opened.convert("RGB")
        if size is None:
            first = shrunk(image, max_side_px).size
            size = tuple(max(2, side // 2 * 2) for side in first)  # encoders want even sides
        image = shrunk(image.convert("RGB"), max_side_px).resize(size)
        yield _with_title(image, title) if title else image


def _with_title(image, title):
    draw, font = ImageDraw.Draw(image), load_font(max(12, image.height // 40))
    box = draw.textbbox((6, 4), title, font=font)
    draw.rectangle([box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3], fill=(0, 0, 0))
    draw.text((6, 4), title, fill=(255, 255, 255), font=font)
    return image


def _write_mp4(path, frames, frames_per_second):
    import imageio_ffmpeg

    writer, image, count, temporary = None, None, 0, path + ".tmp.mp4"
    try:
        for image in frames:
            if writer is None:
                writer = imageio_ffmpeg.write_frames(temporary, image.size, fps=frames_per_second, macro_block_size=2)
                writer.send(None)
            writer.send(np.ascontiguousarray(image))
            count += 1
        for _ in range(int(LAST_FRAME_S * frames_per_second) if count else 0):
            writer.send(np.ascontiguousarray(image))
    finally:
        if writer is not None:
            writer.close()
    if count:
        os.replace(temporary, path)
    return count


def _write_with_pillow(path, frames, frames_per_second):
    images = list(frames)
    if not images:
        return 0
    times_ms = [round(1000 / frames_per_second)] * len(images)
    times_ms[-1] += round(1000 * LAST_FRAME_S)
    form = "WEBP" if path.lower().endswith(".webp") else "GIF"
    with atomic_file(path) as file:
        options = {"quality": 80, "method": 2} if form == "WEBP" else {}
        images[0].save(file, form, save_all=True, append_images=images[1:], duration=times_ms, loop=0, **options)
    return len(images)
