"""From one photograph to another and back: along w, and between the networks that were tuned to them."""

import copy
from typing import TYPE_CHECKING, Any, Iterator, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..previews.video_file import check_video_path, write_video
from .paths import there_and_back
from .same_layers import check_same_layers

if TYPE_CHECKING:
    from .generator import TrainedGenerator


def between_networks(first: "TrainedGenerator", second: "TrainedGenerator", share: float) -> "TrainedGenerator":
    """Return a TrainedGenerator whose weights lie between those of two: share 0 is the first, 1 the second."""
    if first is second or share == 0:
        return first
    made = copy.copy(first)
    weights: Any = {name: value + share * (second.weights[name] - value) for name, value in first.weights.items()}
    made.weights = weights
    return made


def morph_frames(
    first: Tuple["TrainedGenerator", np.ndarray], second: Tuple["TrainedGenerator", np.ndarray], count: int, scale: int = 1
) -> Iterator[np.ndarray]:
    """Yield `count` uint8 frames [H·scale, W·scale, C] of a closed loop from one picture to another.

    Args:
        first, second: (TrainedGenerator, w [1, num_layers, dlatent_size]) of the two, the generators of the same layers; of one
            generator, frames are made a batch at a time.
        scale: Each pixel becomes this many pixels wide and high.
    """
    (a, w_a), (b, w_b) = first, second
    shares = [float(there_and_back(0.0, 1.0)(frame / count)) for frame in range(count)]
    together = a.batch_size if a is b else 1
    for start in range(0, count, together):
        part = shares[start : start + together]
        w = np.concatenate([w_a + np.float32(share) * (w_b - w_a) for share in part])
        for picture in between_networks(a, b, part[0]).pictures(w):
            yield picture if scale == 1 else picture.repeat(scale, axis=0).repeat(scale, axis=1)


def make_morph(
    first: Tuple["TrainedGenerator", np.ndarray],
    second: Tuple["TrainedGenerator", np.ndarray],
    path: FilePath,
    seconds: float = 4.0,
    fps: float = 30.0,
    scale: int = 1,
) -> int:
    """Write a video that goes from one picture to another and back. Returns the number of its frames.

    Args:
        first, second, scale: As for `morph_frames`.
        seconds, fps: Length of the video, and frames a second.

    Raises:
        UserError: The networks have other layers, the length is out of range, or there is no encoder.
    """
    check_video_path(path)
    count = round(seconds * fps)
    if not 2 <= count <= 100000:
        raise UserError(f"The video would have {count} frames.", "2 to 100,000", "choose other seconds")
    check_same_layers([first[0].network, second[0].network], (first[0].title, second[0].title), "joined by a video")
    write_video(path, morph_frames(first, second, count, scale), count, fps)
    return count
