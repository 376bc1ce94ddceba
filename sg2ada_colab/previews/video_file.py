"""Video files: H.264 where an encoder is installed, otherwise animated WebP or GIF by Pillow; one frame is held at a time."""

import functools
import importlib.util
import itertools
import os
from contextlib import closing
from typing import Iterable, Iterator, Union

import numpy as np
from PIL import GifImagePlugin, Image, features

from ..errors import UserError
from ..files import FilePath, atomic_file, atomic_path

SUFFIXES = (".mp4", ".webp", ".gif")
MP4_QUALITY = 7  # of 10, imageio-ffmpeg's scale: CRF 15
WEBP_OPTIONS = {"quality": 80, "method": 2}


def video_suffix() -> str:
    """Return the suffix of the best form that can be written here: .mp4, .webp or .gif."""
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        return ".mp4"
    return ".webp" if features.check("webp") else ".gif"


def check_video_path(path: FilePath) -> str:
    """Return the suffix of a video's path; raise a UserError for another one, or one that needs an encoder which is not there."""
    suffix = os.path.splitext(str(path))[1].lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path} is not a video.", "a name that ends in .mp4, .webp or .gif", "change the name")
    if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError("MP4 needs an encoder.", "the package imageio-ffmpeg", "pip install imageio-ffmpeg, or write .webp")
    if suffix == ".webp" and not features.check("webp"):
        raise UserError("This Pillow cannot write WebP.", "a Pillow with WebP", "write .gif, or install imageio-ffmpeg for .mp4")
    return suffix


def write_video(
    path: FilePath, frames: Iterable[Union[Image.Image, np.ndarray]], count: int, frames_per_second: float, hold_s: float = 0.0
) -> None:
    """Write a video that plays in a loop where its format has that; complete or absent.

    Args:
        path: File that ends in .mp4, .webp or .gif.
        frames: Iterable of Pillow images or uint8 arrays [H,W,C] of one size; read one at a time.
        count: How many there are.
        frames_per_second: Speed; WebP and GIF round a frame's time to 1 and to 10 ms.
        hold_s: How long the last frame stays in addition.

    Raises:
        UserError: See `check_video_path`.
    """
    suffix = check_video_path(path)
    write = {".mp4": _write_mp4, ".webp": _write_webp, ".gif": _write_gif}[suffix]
    write(str(path), (_rgb(frame) for frame in frames), count, frames_per_second, hold_s)


def _rgb(frame):
    """Return a frame as an RGB Pillow image; transparency becomes white."""
    if not isinstance(frame, Image.Image):
        frame = Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame)
    if frame.mode == "RGBA":
        return Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")
    return frame.convert("RGB")


def _write_mp4(path, frames, count, frames_per_second, hold_s):
    import imageio_ffmpeg

    first, frame = next(frames), None
    writing = functools.partial(imageio_ffmpeg.write_frames, fps=frames_per_second, quality=MP4_QUALITY, macro_block_size=2)
    with atomic_path(path, ".mp4") as temporary, closing(writing(temporary, first.size)) as writer:
        writer.send(None)
        for frame in itertools.chain([first], frames):
            writer.send(np.ascontiguousarray(frame))
        for _ in range(int(hold_s * frames_per_second)):
            writer.send(np.ascontiguousarray(frame))


class _Frames(Image.Image):
    """An image of many frames that takes each from an iterator when Pillow seeks it."""

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self._frames, self.n_frames, self.is_animated, self._number = frames, count, count > 1, -1
        self.seek(0)

    def seek(self, frame):
        if frame == self._number + 1:  # Pillow goes through them in order, and back to where it began at the end
            self.__dict__.update(next(self._frames).__dict__)
            self._number = frame

    def tell(self):
        return self._number


def _write_webp(path, frames, count, frames_per_second, hold_s):
    times_ms = _times(count, 1000.0 / frames_per_second, 1)
    times_ms[-1] += round(1000 * hold_s)
    with atomic_file(path) as file:
        _Frames(frames, count).save(file, "WEBP", save_all=True, duration=times_ms, loop=0, **WEBP_OPTIONS)


def _write_gif(path, frames, count, frames_per_second, hold_s):
    times_ms = _times(count, 1000.0 / frames_per_second, 10)
    times_ms[-1] += round(1000 * hold_s)
    with atomic_file(path) as file:
        for number, (frame, time_ms) in enumerate(zip(frames, times_ms)):
            frame = frame.convert("P", palette=Image.Palette.ADAPTIVE)
            if not number:
                for block in GifImagePlugin.getheader(frame, info={"loop": 0})[0]:
                    file.write(block)
            for block in GifImagePlugin.getdata(frame, duration=time_ms, include_color_table=True):
                file.write(block)
        file.write(b";")


def _times(count, frame_ms, unit_ms):
    """Return whole times in ms, multiples of `unit_ms`, that do not drift from `frame_ms` each."""
    ends = np.rint(np.arange(count + 1) * frame_ms / unit_ms).astype(int) * unit_ms
    return [int(time) for time in np.diff(ends)]
