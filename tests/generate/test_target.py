"""Photographs to project: cut, shrunk, made grey, or refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.target import photographs, read_target


def generator(channels=3, width=16, height=16):
    return SimpleNamespace(config=SimpleNamespace(width=width, height=height, num_channels=channels), title="a.pkl")


def test_a_photograph_is_cut_to_its_middle_and_shrunk(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [40, 64, 3]).astype(np.uint8)
    Image.fromarray(pixels).save(str(tmp_path / "me.png"))
    target = read_target(str(tmp_path / "me.png"), generator())
    expected = Image.fromarray(pixels[:, 12:52]).resize((16, 16), Image.LANCZOS)
    assert np.array_equal(target.pixels, np.asarray(expected)) and target.name == "me"
    assert target.notes == ("cut to its centred square of 40 px",)
    assert read_target(str(tmp_path / "me.png"), generator(1)).pixels.shape == (16, 16, 1)
    Image.fromarray(pixels[:20, :20, 0]).save(str(tmp_path / "grey.png"))
    grey = read_target(str(tmp_path / "grey.png"), generator())
    assert grey.pixels.shape == (16, 16, 3) and grey.notes == () and np.array_equal(grey.pixels[..., 0], grey.pixels[..., 2])


@pytest.mark.parametrize("size, box", [((16, 24), (0, 2, 54, 38)), ((24, 16), (13, 0, 40, 40))])
def test_a_photograph_is_cut_to_the_shape_of_the_network(size, box, tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [40, 54, 3]).astype(np.uint8)
    Image.fromarray(pixels).save(str(tmp_path / "me.png"))
    target = read_target(str(tmp_path / "me.png"), generator(width=size[1], height=size[0]))
    expected = Image.fromarray(pixels).crop(box).resize(size[::-1], Image.LANCZOS)
    assert target.pixels.shape == size + (3,) and np.array_equal(target.pixels, np.asarray(expected))
    assert target.notes == (f"cut to its middle {box[2] - box[0]}x{box[3] - box[1]} px",)
    Image.fromarray(pixels[: size[0], : size[1]]).save(str(tmp_path / "fits.png"))
    assert read_target(str(tmp_path / "fits.png"), generator(width=size[1], height=size[0])).notes == ()
    Image.new("RGB", (20, 15)).save(str(tmp_path / "small.png"))
    with pytest.raises(UserError) as refused:
        read_target(str(tmp_path / "small.png"), generator(width=24, height=16))
    assert "20 x 15 is too small for 24x16 pixels" in refused.value.what and "at least 24 x 16 px" in refused.value.expected


def test_a_photograph_for_a_network_with_transparency(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [16, 16, 4]).astype(np.uint8)
    pixels[..., 3] |= 1
    pixels[:8, :, 3] = 0
    Image.fromarray(pixels[..., :3]).save(str(tmp_path / "opaque.png"))
    opaque = read_target(str(tmp_path / "opaque.png"), generator(4)).pixels
    assert np.array_equal(opaque[..., :3], pixels[..., :3]) and (opaque[..., 3] == 255).all()
    Image.fromarray(pixels).save(str(tmp_path / "sticker.png"))
    sticker = read_target(str(tmp_path / "sticker.png"), generator(4)).pixels
    assert np.array_equal(sticker[..., 3], pixels[..., 3]) and np.array_equal(sticker[8:], pixels[8:])
    assert (read_target(str(tmp_path / "sticker.png"), generator()).pixels[:8] == 255).all()  # on white


def test_what_is_no_target(tmp_path):
    Image.new("RGB", (15, 40)).save(str(tmp_path / "small.png"))
    with pytest.raises(UserError) as refused:
        read_target(str(tmp_path / "small.png"), generator())
    assert "15 x 40 is too small for 16 pixels" in refused.value.what and "--enlarge" in refused.value.next_step
    assert read_target(str(tmp_path / "small.png"), generator(), enlarge=True).pixels.shape == (16, 16, 3)
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(UserError, match="text.jpg cannot be read"):
        read_target(str(tmp_path / "text.jpg"), generator())


def test_a_folder_of_photographs(tmp_path):
    with pytest.raises(UserError, match="There is no photograph"):
        photographs(tmp_path / "gone")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds no photographs"):
        photographs(tmp_path)
    for name in ("b.png", "a.jpg"):
        Image.new("RGB", (16, 16)).save(str(tmp_path / name))
    assert [path.rsplit("/", 1)[1] for path in photographs(tmp_path)] == ["a.jpg", "b.png"]
    assert photographs(tmp_path / "b.png") == [str(tmp_path / "b.png")]
