"""Video files: frames and times come back, on every Pillow, and what cannot be written is refused."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.previews import video_file
from sg2ada_colab.previews.video_file import check_video_path, video_suffix, write_video


def frames(count, channels=3, size=(32, 48)):
    for number in range(count):
        frame = np.zeros([*size, channels], np.uint8)
        frame[..., 3:] = 255
        frame[:, 2 * number : 2 * number + 8] = 255
        yield frame


@pytest.mark.parametrize("suffix, unit", [(".webp", 1), (".gif", 10)])
@pytest.mark.parametrize("channels, size", [(1, (32, 48)), (3, (32, 48)), (3, (48, 32)), (4, (32, 32))])
def test_frames_and_times_come_back(tmp_path, suffix, unit, channels, size):
    path = tmp_path / ("a" + suffix)
    write_video(path, frames(12, channels, size), 12, 30, hold_s=0.5)
    times = []
    with Image.open(str(path)) as image:
        assert image.n_frames == 12 and image.size == size[::-1] and image.info["loop"] == 0
        for number in range(12):
            image.seek(number)
            image.load()
            times.append(image.info["duration"])
            bright = np.asarray(image.convert("L"), int)
            assert bright[16, 2 * number + 4] > 150 and bright[16, (2 * number + 20) % size[1]] < 100, number
    assert sum(times) == 400 + 500 and set(times[:-1]) <= {30, 33, 34, 40} and times[-1] - 500 in (30, 33, 34, 40)
    assert all(time % unit == 0 for time in times)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_transparency_becomes_white(tmp_path):
    clear = np.zeros([8, 8, 4], np.uint8)
    write_video(tmp_path / "a.gif", iter([clear]), 1, 10)
    with Image.open(str(tmp_path / "a.gif")) as image:
        assert image.convert("RGB").getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.skipif(importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed")
def test_mp4(tmp_path):
    import imageio_ffmpeg

    write_video(tmp_path / "a.mp4", frames(12), 12, 25)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    about = next(reader)
    assert about["size"] == (48, 32) and about["fps"] == 25 and about["codec"] == "h264"
    shown = [np.frombuffer(frame, np.uint8).reshape(32, 48, 3) for frame in reader]
    assert len(shown) == 12 and shown[5][16, 14].min() > 200 and shown[5][16, 40].max() < 60


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".mp4"])
def test_an_interrupted_video_leaves_no_file(tmp_path, suffix):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")

    def breaking():
        yield from frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / ("a" + suffix), breaking(), 12, 25)
    assert not list(tmp_path.iterdir())


def test_no_encoder_and_strange_names(monkeypatch):
    with pytest.raises(UserError, match=".mp4, .webp or .gif"):
        check_video_path("a.avi")
    monkeypatch.setattr(video_file.importlib.util, "find_spec", lambda name: None)
    assert video_suffix() in (".webp", ".gif")
    with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
        check_video_path("a.mp4")
    monkeypatch.setattr(video_file.features, "check", lambda name: False)
    assert video_suffix() == ".gif" and check_video_path("a.GIF") == ".gif"
    with pytest.raises(UserError, match="This Pillow cannot write WebP"):
        check_video_path("a.webp")
