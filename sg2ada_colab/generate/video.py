"""Videos: walks from picture to picture, circles, random loops, sweeps of the truncation; frames are made as they are written."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..images.progress import Progress
from ..previews.sheet import check_side
from ..previews.video_file import check_video_path, write_video
from .directions import Direction, move
from .labels import ChosenClass, label_vectors
from .paths import EASINGS, Path, circular_path, cubic_path, linear_path, noise_loop, slerp_path, there_and_back
from .settings import PictureSettings

if TYPE_CHECKING:
    from .generator import TrainedGenerator

INTERPOLATIONS = ("linear", "slerp", "cubic", "circular", "noise-loop", "truncation", "direction")
SWEEPS = {"truncation": (0.0, 1.0), "direction": (-3.0, 3.0)}
BETWEEN_KEYFRAMES = ("linear", "slerp", "cubic")
MOST_FRAMES = 1000000


@dataclass(frozen=True)
class VideoSettings:
    """What a video shows and how long."""

    interpolation: str = "cubic"
    space: str = "w"  # where the path lies: "z" or "w"; slerp, circular and noise-loop are of z
    keyframes: Optional[int] = None  # of each cell; None: as many as the seeds give
    w_frames: int = 120  # from keyframe to keyframe, or of a circle, a loop or a sweep
    seconds: Optional[float] = None  # of the video, instead of w_frames
    fps: float = 60.0
    easing: str = "linear"
    grid: Tuple[int, int] = (1, 1)  # columns, rows: videos side by side
    loop: bool = True  # the end is the beginning
    shuffle_seed: Optional[int] = None  # shuffle the seeds first
    diameter: float = 2.0  # of a noise loop
    sweep: Optional[Tuple[float, float]] = None  # truncation psi, or strength along a direction; None: see SWEEPS
    direction: Optional[Direction] = None  # of the interpolation "direction"
    scale: int = 1  # each pixel becomes N pixels wide and high, for small networks

    def check(self) -> None:
        """Raise a UserError for what cannot be made."""
        for name, value, known in (("interpolation", self.interpolation, INTERPOLATIONS), ("space", self.space, ("z", "w")),
                                   ("easing", self.easing, tuple(EASINGS))):  # fmt: skip
            if value not in known:
                raise UserError(f"There is no {name} {value!r}.", "one of " + ", ".join(known), f"write --{name}={known[0]}")
        if self.interpolation in ("slerp", "circular", "noise-loop") and self.space == "w":
            raise UserError(
                f"The interpolation {self.interpolation} works in z alone, and --space is w.",
                "--space=z, or linear or cubic",
                "write --space=z",
            )
        for name, number, low in (("w-frames", self.w_frames, 1), ("fps", self.fps, 0.1), ("seconds", self.seconds, 0.01),
                                 ("keyframes", self.keyframes, 1), ("diameter", self.diameter, 0),
                                 ("scale", self.scale, 1)):  # fmt: skip
            if number is not None and not (math.isfinite(number) and number >= low):
                raise UserError(f"--{name} is {number}.", f"a number from {low}", "correct the number")
        if (self.direction is None) == (self.interpolation == "direction"):
            named = "a direction is named" if self.direction else "no direction is named"
            raise UserError(f"The interpolation is {self.interpolation}, and {named}.", "both or neither",
                            "write --interpolation=direction --file=FILE --direction=NAME")  # fmt: skip

    def frames(self, length: float) -> int:
        """Return how many frames a path of this many steps takes."""
        if self.seconds is not None:
            return max(1, round(self.seconds * self.fps))
        return max(1, round(length * self.w_frames)) + (0 if self.loop or self.interpolation not in BETWEEN_KEYFRAMES else 1)


def seeds_of_knots(seeds: Sequence[int], video: VideoSettings) -> List[List[int]]:
    """Return seeds [cells][keyframes] as NVIDIA's video program deals them: knots of one cell follow each other.

    A list that is too short starts again.
    """
    cells = video.grid[0] * video.grid[1]
    keyframes = video.keyframes or max(1, len(seeds) // cells)
    dealt = [seeds[number % len(seeds)] for number in range(cells * keyframes)]
    if video.shuffle_seed is not None:
        np.random.RandomState(video.shuffle_seed).shuffle(dealt)
    return [dealt[cell * keyframes : (cell + 1) * keyframes] for cell in range(cells)]


def seed_walk(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    video: VideoSettings,
    seeds: Sequence[int],
    classes: Optional[Sequence[ChosenClass]] = None,
) -> Tuple[Callable[[float], np.ndarray], Path]:
    """Return (function position → w [cells, num_layers, D], Path) of a video from seeds.

    Args:
        settings: PictureSettings.
        seeds: List of seeds.
        classes: A class for each keyframe, one after the other, on the way; None: the class of the settings throughout.

    Raises:
        UserError: The seeds are too few or the interpolation cannot take them.
    """
    knots = seeds_of_knots(list(seeds), video)
    cells, keyframes = len(knots), len(knots[0])
    if classes:
        labels = np.stack([generator.labels(classes[number % len(classes)])[0] for number in range(keyframes)])
    else:
        labels = label_vectors(settings.class_, 1, generator.config.label_size, generator.title)
    if video.interpolation in SWEEPS:
        w = generator.map(generator.latents([cell[0] for cell in knots]), np.repeat(labels[:1], cells, axis=0))
        return _sweep(generator, settings, video, w)
    z = generator.latents([seed for cell in knots for seed in cell]).reshape(cells, keyframes, -1)
    if video.space == "w":
        return _walk_in_w(generator, settings, video, z, labels if classes else np.repeat(labels, keyframes, axis=0))
    path = _z_path(z, knots, video)
    way = linear_path(labels[np.newaxis], video.loop, video.easing) if classes else None

    def w_at(position):
        label = way(position * way.length / path.length) if way else labels
        return settings.truncate(generator, generator.map(path(position), np.repeat(label, cells, axis=0)))

    return w_at, path


def _walk_in_w(generator, settings, video, z, labels):
    """Return (function position → w, Path) between the w of z [cells, keyframes, Z], with a label for each keyframe."""
    cells, keyframes, size = z.shape
    w = settings.truncate(generator, generator.map(z.reshape(-1, size), np.tile(labels, [cells, 1])))
    w = w if settings.trunc_cutoff is not None else w[:, :1]  # all layers have the same w
    path = _between(w.reshape((cells, keyframes) + w.shape[1:]), video)
    return lambda at: np.broadcast_to(path(at), (cells, generator.num_layers, w.shape[2])).astype(np.float32), path


def _sweep(generator, settings, video, w):
    """Return (function position → w, Path) that goes from one end of a sweep to the other and back; w [cells, num_layers, D]."""
    path = there_and_back(*(video.sweep or SWEEPS[video.interpolation]))
    if video.interpolation == "truncation":
        return lambda at: replace(settings, trunc=float(path(at))).truncate(generator, w), path
    w = settings.truncate(generator, w)
    return lambda at: move(w, video.direction, float(path(at))), path


def _z_path(z, knots, video):
    if video.interpolation == "noise-loop":
        return noise_loop([cell[0] for cell in knots], z.shape[2], video.diameter)
    if video.interpolation == "circular":
        if z.shape[1] < 2:
            raise UserError("A circle goes through two seeds, and a cell has one.", "two seeds or more for each cell of the grid",
                            "write --seeds=0,1, or more for a grid")  # fmt: skip
        return circular_path(z[:, 0].astype(np.float64), z[:, 1].astype(np.float64))
    return _between(z, video)


def latent_walk(
    generator: "TrainedGenerator", settings: PictureSettings, video: VideoSettings, w: np.ndarray
) -> Tuple[Callable[[float], np.ndarray], Path]:
    """Return (function position → w [1, num_layers, D], Path) of a video from w to w [K, num_layers, D], such as projections.

    Along a direction it is the first of them.

    Raises UserError for an interpolation that cannot go from one given w to the next.
    """
    if video.interpolation == "direction":
        return _sweep(generator, settings, video, w[:1])
    if video.interpolation not in ("linear", "cubic") or video.space != "w":
        raise UserError(
            f"The interpolation {video.interpolation} cannot go from one given w to the next.",
            "linear or cubic, with --space=w",
            "write --interpolation=cubic",
        )
    path = _between(settings.truncate(generator, w)[np.newaxis], video)
    return lambda at: path(at).astype(np.float32), path


def _between(knots, video):
    if knots.shape[1] < 2:
        raise UserError("There is one keyframe, and a walk needs two.", "two seeds or more for each cell of the grid",
                        "name more seeds, or choose --interpolation=noise-loop")  # fmt: skip
    make = {"linear": linear_path, "slerp": slerp_path, "cubic": cubic_path}[video.interpolation]
    return make(np.asarray(knots, np.float64), video.loop, video.easing)


def frames_of(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    video: VideoSettings,
    w_at: Callable[[float], np.ndarray],
    positions: np.ndarray,
) -> Iterator[np.ndarray]:
    """Yield uint8 frames [rows·H·scale, columns·W·scale, C]; the next batch is made when the last is used up.

    Args:
        w_at: Function of a position → w [cells, num_layers, D], see `seed_walk`.
        positions: float [frames], one for each frame.
    """
    columns, rows = video.grid
    together = max(1, generator.batch_size // (columns * rows))
    for start in range(0, len(positions), together):
        w = [w_at(position) for position in positions[start : start + together]]
        seeds = list(range(columns * rows)) * len(w)  # a cell's noise stays while its picture moves
        images = generator.pictures(np.concatenate(w), settings.noise_mode, seeds)
        h, wide, channels = images.shape[1:]
        for frame in images.reshape(-1, rows, columns, h, wide, channels):
            frame = frame.transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * wide, channels)
            yield frame if video.scale == 1 else frame.repeat(video.scale, axis=0).repeat(video.scale, axis=1)


def make_video(
    generator: "TrainedGenerator",
    settings: PictureSettings,
    video: VideoSettings,
    path: FilePath,
    seeds: Optional[Sequence[int]] = None,
    w: Optional[np.ndarray] = None,
    classes: Optional[Sequence[ChosenClass]] = None,
    show: bool = False,
) -> int:
    """Write a video; returns the number of its frames. Pictures with transparency lie on white.

    Args:
        generator: TrainedGenerator.
        settings: PictureSettings.
        video: VideoSettings.
        path: File that ends in .mp4 (needs imageio-ffmpeg), .webp or .gif.
        seeds: List of seeds; or
        w: [K, num_layers, D] to walk between.
        classes: See `seed_walk`.
        show: Show a progress bar.

    Raises:
        UserError: What is asked for cannot be made, or there is no encoder. No file is left then.
    """
    check_video_path(path)
    video.check()
    settings.check(generator)
    if settings.noise_mode == "tf":
        raise UserError("The noise mode tf is for pictures of single seeds.", "const, random or none", "leave it out")
    check_side(*video.grid, generator.config.width * video.scale, generator.config.height * video.scale)
    if w is None:
        w_at, way = seed_walk(generator, settings, video, seeds, classes)  # type: ignore[arg-type]
    else:
        w_at, way = latent_walk(generator, settings, video, w)
    count = video.frames(way.length)
    if count > MOST_FRAMES:
        raise UserError(f"The video would have {count:,} frames.", f"at most {MOST_FRAMES:,}", "lower --seconds or --w-frames")
    generator.expect(count * video.grid[0] * video.grid[1])
    with Progress(show, count, "Making frames", unit="frame") as bar:

        def counted():
            for frame in frames_of(generator, settings, video, w_at, way.positions(count)):
                yield frame
                bar.update(1)

        write_video(path, counted(), count, video.fps)
    return count
