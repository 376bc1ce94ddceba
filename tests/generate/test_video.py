"""Videos: NVIDIA's frames, every kind of path, classes on the way, and frames that are streamed."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate import video as module
from sg2ada_colab.generate.directions import Direction, move
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.settings import PictureSettings
from sg2ada_colab.generate.video import VideoSettings, frames_of, latent_walk, make_video, seed_walk, seeds_of_knots
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot

DATA = Path(__file__).parents[1] / "data"
PLAIN = PictureSettings()


@pytest.fixture(scope="module")
def conditional():
    return TrainedGenerator(small_snapshot(label_size=3).Gs, xla=False)


def walk(generator, video, seeds=None, w=None, settings=PLAIN, classes=None):
    if w is None:
        return seed_walk(generator, settings, video, seeds, classes)
    return latent_walk(generator, settings, video, w)


def frames(generator, video, seeds=None, w=None, settings=PLAIN, classes=None):
    """Return all frames of a video, and the one behind its end."""
    w_at, path = walk(generator, video, seeds, w, settings, classes)
    positions = np.append(path.positions(video.frames(path.length)), path.length)
    return np.stack(list(frames_of(generator, settings, video, w_at, positions)))


@pytest.mark.parametrize("case", ["loop4", "two", "grid", "keys2", "keys6", "shuffled"])
def test_nvidias_videos(reference, relmax, case):
    data = reference("generate")
    about = data.json("config")["video"][case]
    generator = TrainedGenerator(read_snapshot(DATA / "network_pt_uncond.pkl").Gs, xla=False)
    video = VideoSettings(keyframes=about["keyframes"], w_frames=about["w_frames"], grid=tuple(about["grid_width_height"]),
                          shuffle_seed=about["shuffle_seed"])  # fmt: skip
    assert seeds_of_knots(about["seeds"], video) == about["seed_of_knot"]
    settings = PictureSettings(trunc=about["truncation"])
    w_at, path = seed_walk(generator, settings, video, about["seeds"])
    assert video.frames(path.length) == about["frames"]
    positions = path.positions(about["frames"])
    ours = np.stack([w_at(position) for position in positions])
    assert relmax(ours[:, :, 0], data[f"video.{case}.w"]) < 1e-5 and (ours == ours[:, :, :1]).all()
    if f"video.{case}.frames" in data:
        shown = [positions[number] for number in data[f"video.{case}.frame_index"]]
        pictures = np.stack(list(frames_of(generator, settings, video, w_at, shown)))
        difference = np.abs(pictures.astype(int) - data[f"video.{case}.frames"])
        assert difference.max() <= 1 and (difference > 0).mean() <= 1e-3


KINDS = [("linear", "w"), ("linear", "z"), ("slerp", "z"), ("cubic", "w"), ("cubic", "z"), ("circular", "z"), ("noise-loop", "z"),
         ("truncation", "w")]  # fmt: skip


@pytest.mark.parametrize("interpolation, space", KINDS)
def test_every_kind_moves_and_closes_exactly(interpolation, space):
    generator = TrainedGenerator(read_snapshot(DATA / "network_pt_uncond.pkl").Gs, xla=False)
    video = VideoSettings(interpolation, space, w_frames=6, grid=(2, 1))
    settings = PictureSettings(trunc=0.7)
    seen = frames(generator, video, [1, 2, 3, 4], settings=settings)
    assert seen.shape == ((12 if interpolation in ("linear", "slerp", "cubic") else 6) + 1, 32, 64, 3)
    w_at, path = walk(generator, video, [1, 2, 3, 4], settings=settings)
    # Each by itself: at another place of a batch some processors round the same image otherwise.
    start, end = (np.stack(list(frames_of(generator, settings, video, w_at, [where]))) for where in (0, path.length))
    np.testing.assert_array_equal(start, end)
    np.testing.assert_allclose(seen[-1].astype(int), seen[0], atol=1)
    assert all((a != b).any() for a, b in zip(seen[:-2], seen[1:-1]))
    if interpolation not in ("noise-loop", "truncation"):
        first = generator.images([1, 3], psi=0.7)
        np.testing.assert_allclose(seen[0].astype(int), np.concatenate(list(first), axis=1), atol=1)


@pytest.mark.parametrize("generator", FORMS, indirect=True)
def test_an_open_walk_ends_at_the_last(generator):
    video = VideoSettings("linear", w_frames=5, loop=False)
    seen = frames(generator, video, [1, 2, 3])[:-1]
    assert len(seen) == 11
    for number, seed in ((0, 1), (5, 2), (10, 3)):
        np.testing.assert_allclose(seen[number].astype(int), generator.images([seed])[0], atol=1)


def test_a_sweep_goes_from_the_average_to_the_picture(generator):
    seen = frames(generator, VideoSettings("truncation", w_frames=4, sweep=(0.0, 1.0)), [5])
    np.testing.assert_allclose(seen[0].astype(int), generator.images([5], psi=0)[0], atol=1)
    np.testing.assert_allclose(seen[2].astype(int), generator.images([5])[0], atol=1)


@pytest.mark.parametrize("interpolation, space", [("linear", "w"), ("slerp", "z")])
def test_a_class_changes_on_the_way(conditional, interpolation, space):
    video = VideoSettings(interpolation, space, w_frames=2, loop=False)
    seen = frames(conditional, video, [1, 2, 3], classes=[2, 0, 1])
    for number, seed, class_ in ((0, 1, 2), (2, 2, 0), (4, 3, 1)):
        np.testing.assert_allclose(seen[number].astype(int), conditional.images([seed], class_)[0], atol=1)
    with pytest.raises(UserError, match="has no class 3"):
        seed_walk(conditional, PLAIN, video, [1, 2], [0, 3])
    with pytest.raises(UserError, match="none is chosen"):
        seed_walk(conditional, PLAIN, video, [1, 2])


def test_between_projected_pictures(generator):
    w = np.random.RandomState(0).randn(2, generator.num_layers, 4).astype(np.float32)
    seen = frames(generator, VideoSettings(w_frames=3, loop=False), w=w)[:-1]
    assert len(seen) == 4
    np.testing.assert_allclose(seen[[0, 3]].astype(int), generator.pictures(w), atol=1)
    with pytest.raises(UserError, match="slerp cannot go from one given w to the next"):
        latent_walk(generator, PLAIN, VideoSettings("slerp", "z"), w)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"interpolation": "spline"}, "There is no interpolation 'spline'"),
        ({"space": "y"}, "There is no space 'y'"),
        ({"easing": "slow"}, "There is no easing 'slow'"),
        ({"interpolation": "slerp"}, "The interpolation slerp works in z alone"),
        ({"fps": 0}, "--fps is 0"),
        ({"seconds": float("inf")}, "--seconds is inf"),
        ({"w_frames": 0}, "--w-frames is 0"),
        ({"w_frames": 10**6}, "The video would have 2,000,000 frames"),
        ({"grid": (9, 9), "interpolation": "linear"}, "There is one keyframe, and a walk needs two"),
        ({"interpolation": "circular", "space": "z", "keyframes": 1}, "A circle goes through two seeds"),
        ({"grid": (5000, 1)}, "would be 80000 x 16 px"),
    ],
)
def test_what_makes_no_sense_leaves_no_file(generator, tmp_path, settings, words):
    with pytest.raises(UserError, match=words):
        make_video(generator, PLAIN, VideoSettings(**settings), tmp_path / "a.webp", seeds=[1, 2])
    assert not list(tmp_path.iterdir())


def test_seconds_are_of_the_whole_video():
    assert VideoSettings(seconds=3, fps=10).frames(5) == 30
    assert VideoSettings(w_frames=7).frames(5) == 35 and VideoSettings(w_frames=7, loop=False).frames(5) == 36


@pytest.mark.parametrize("generator", ["tall", "wide rgba"], indirect=True)
@pytest.mark.parametrize("suffix", [".webp", ".mp4"])
def test_a_file_has_the_size_of_its_pictures(generator, suffix, tmp_path):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    path, config = str(tmp_path / ("a" + suffix)), generator.config
    assert make_video(generator, PLAIN, VideoSettings(w_frames=2, grid=(2, 1), scale=2), path, seeds=[1, 2, 3, 4]) == 4
    size = 4 * config.width, 2 * config.height
    if suffix == ".mp4":
        import imageio_ffmpeg

        assert tuple(next(imageio_ffmpeg.read_frames(path))["size"]) == size
    else:
        with Image.open(path) as video:
            assert (video.size, video.mode) == (size, "RGB")


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".mp4"])
def test_memory_does_not_grow_with_length(generator, tmp_path, monkeypatch, suffix):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    alive, most = weakref.WeakSet(), []
    original = module.frames_of

    class Frame(np.ndarray):
        pass  # an array that weak references can count

    def watched(*inputs):
        for frame in original(*inputs):
            frame = frame.view(Frame)
            alive.add(frame)
            most.append(len(alive))
            yield frame

    monkeypatch.setattr(module, "frames_of", watched)
    monkeypatch.setattr(Frame, "__hash__", lambda self: id(self), raising=False)
    monkeypatch.setattr(Frame, "__eq__", lambda self, other: self is other, raising=False)
    video = VideoSettings("linear", w_frames=60)
    assert make_video(generator, PLAIN, video, tmp_path / ("a" + suffix), seeds=[1, 2]) == 120
    gc.collect()
    assert len(most) == 120 and max(most) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["a" + suffix]


def test_along_a_direction_and_back(generator):
    direction = Direction("tall", np.linspace(-1, 1, generator.config.dlatent_size).astype(np.float32), (0, 1))
    video = VideoSettings("direction", w_frames=4, sweep=(-2.0, 2.0), direction=direction)
    seen, w = frames(generator, video, [5]), generator.w([5])
    for frame, strength in zip(seen, (-2, 0, 2, 0)):
        np.testing.assert_array_equal(frame, generator.pictures(move(w, direction, strength))[0])
    for settings in (VideoSettings("direction"), VideoSettings("cubic", direction=direction)):
        with pytest.raises(UserError, match="direction is named"):
            settings.check()


def test_small_pictures_are_enlarged_by_whole_pixels(generator):
    large, small = (frames(generator, VideoSettings(w_frames=2, scale=scale), [5, 6]) for scale in (3, 1))
    assert len(large) == len(small)
    for one, other in zip(large, small):
        assert one.shape[0] == 3 * other.shape[0]
        np.testing.assert_array_equal(one[1::3, 2::3], other)
    with pytest.raises(UserError, match="--scale is 0"):
        VideoSettings(scale=0).check()
