"""Animations of pictures that a run wrote, each with a title, brought to one size; see `video_file` for the formats."""

from typing import Any, Iterable, Optional, Tuple

from PIL import Image, ImageDraw

from ..errors import UserError
from ..files import FilePath
from ..images.sheet import load_font
from ..images.transparency import shown_opaque
from .timeline import shrunk
from .video_file import check_video_path, write_video

MAX_SIDE_PX = {".mp4": 1280, ".webp": 720, ".gif": 480}
LEAST_SIDE_PX = 320  # smaller pictures are enlarged by a whole factor, so that they can be seen and their titles read
LAST_FRAME_S = 2.0  # the end stays for a while


def save_animation(
    path: FilePath, frames: Iterable[Tuple[Optional[str], Any]], frames_per_second: float = 8.0, max_side_px: Optional[int] = None
) -> int:
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
    suffix = check_video_path(path)
    pictures = list(frames)
    if not pictures:
        raise UserError("There is nothing to animate.", "at least one picture", "train for a while first")
    made = _of_one_size(pictures, max_side_px or MAX_SIDE_PX[suffix])
    write_video(path, made, len(pictures), frames_per_second, LAST_FRAME_S)
    return len(pictures)


def _of_one_size(frames, max_side_px):
    """Yield RGB images of one even size; RGBA is shown over a checkerboard."""
    size = None
    for title, image in frames:
        if not isinstance(image, Image.Image):
            with Image.open(str(image)) as opened:
                image = shown_opaque(opened)
        if size is None:
            first = _fitted(image, max_side_px).size
            size = tuple(max(2, side // 2 * 2) for side in first)  # encoders want even sides
        image = _fitted(shown_opaque(image), max_side_px).resize(size)
        yield _with_title(image, title) if title else image


def _fitted(image, max_side_px):
    factor = min(-(-LEAST_SIDE_PX // max(image.size)), max_side_px // max(image.size))
    if factor > 1:
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    return shrunk(image, max_side_px)


def _with_title(image, title):
    draw, font = ImageDraw.Draw(image), load_font(max(12, image.height // 40))
    box = draw.textbbox((6, 4), title, font=font)
    draw.rectangle([box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3], fill=(0, 0, 0))
    draw.text((6, 4), title, fill=(255, 255, 255), font=font)
    return image
