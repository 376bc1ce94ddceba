"""Animations: frames, times, sizes, and what is refused."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.previews.animate import save_animation
from sg2ada_colab.previews.compare import STYLE, side_by_side


def frames(count, size=(65, 33)):
    for number in range(count):
        yield (f"{number} kimg" if number % 2 else None), Image.new("RGB", size, (40 * number, 255 - 40 * number, 9))


@pytest.mark.parametrize("size, shown", [((65, 33), (324, 164)), ((33, 65), (164, 324)), ((64, 64), (320, 320))])
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_come_back(tmp_path, suffix, size, shown):
    path = tmp_path / ("history" + suffix)
    assert save_animation(path, frames(5, size), 10) == 5
    with Image.open(str(path)) as image:
        assert image.n_frames == 5 and image.size == shown, "small pictures are enlarged, to even sides"
        image.seek(4)
        image.load()
        assert list(map(int, np.asarray(image.convert("RGB"))[100, 120])) == pytest.approx([160, 95, 9], abs=12)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_large_frames_are_made_smaller_and_paths_are_read(tmp_path):
    Image.new("RGB", (3000, 1500), "red").save(str(tmp_path / "a.png"))
    save_animation(tmp_path / "a.gif", [(None, str(tmp_path / "a.png"))] * 2)
    with Image.open(str(tmp_path / "a.gif")) as image:
        assert image.size == (480, 240)


@pytest.mark.skipif(importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed")
def test_mp4_is_written(tmp_path):
    import imageio_ffmpeg

    path = tmp_path / "a.mp4"
    save_animation(path, frames(6), 8)
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    shown = sum(1 for _ in reader)
    assert about["size"] == (324, 164) and shown == 6 + 16  # the last one stays for two seconds


def test_nothing_and_strange_names_are_refused(tmp_path):
    with pytest.raises(UserError, match="nothing to animate"):
        save_animation(tmp_path / "a.gif", [])
    with pytest.raises(UserError, match=".mp4, .webp or .gif"):
        save_animation(tmp_path / "a.avi", frames(2))
    assert not list(tmp_path.iterdir())


def test_side_by_side_keeps_pictures_under_their_titles():
    red, blue = Image.new("RGB", (40, 20), "red"), Image.new("RGB", (20, 40), "blue")
    sheet = side_by_side([("120 kimg", red), ("200 kimg", blue)])
    gap, top = STYLE.gap_px, STYLE.head_px + STYLE.gap_px
    assert sheet.size == (2 * 40 + 3 * gap, top + 20 + gap)
    assert sheet.getpixel((gap + 20, top + 10)) == (255, 0, 0), "the first, as wide as its cell"
    second = 2 * gap + 40
    assert sheet.getpixel((second + 20, top + 10)) == (0, 0, 255) and sheet.getpixel((second + 10, top + 10)) == (255, 255, 255)
