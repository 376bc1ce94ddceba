"""Picture files: what is in them, what made them, and that they are complete or absent."""

import errno

import numpy as np
import pytest
from PIL import Image, features

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate import picture_files
from sg2ada_colab.generate.picture_files import check_format, encode, has_note, is_complete, note_of, read_recipe, write_picture

RECIPE = {"verb": "generate", "seed": 3, "settings": {"trunc": 0.7}, "network": "ab" * 32}
FORMS = [form for form in ("png", "jpg", "webp") if form != "webp" or features.check("webp")]


def image(channels=3):
    ramp = np.linspace(0, 255, 24 * 16).reshape(24, 16, 1)
    return np.concatenate([ramp] * channels, axis=2).astype(np.uint8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_says_what_made_it(tmp_path, form, channels):
    if (form, channels) == ("jpg", 4):
        return
    path = tmp_path / f"a.{form}"
    write_picture(path, image(channels), RECIPE)
    assert read_recipe(path) == RECIPE and is_complete(path)
    with Image.open(str(path)) as opened:
        assert opened.size == (16, 24)
        seen = np.asarray(opened.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]), int).reshape(24, 16, channels)
    assert np.abs(seen - image(channels)).max() <= (0 if form == "png" else 40)
    assert [one.name for one in tmp_path.iterdir()] == [path.name], "no temporary file stays"


@pytest.mark.parametrize("form", FORMS)
def test_an_incomplete_file_is_noticed(tmp_path, form):
    path, content = tmp_path / "a.x", encode(image(), form, RECIPE)
    for size in (0, 5, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert not is_complete(path), size
    path.write_bytes(content)
    assert is_complete(path)


def test_the_note_that_is_expected_is_seen_without_opening_the_picture(tmp_path):
    path, note = tmp_path / "a.png", note_of(RECIPE)
    content = encode(image(), "png", RECIPE)
    path.write_bytes(content)
    assert has_note(path, note) and not has_note(path, note_of(dict(RECIPE, seed=4)))
    for size in (0, 5, 40, 400, len(content) - 1):
        path.write_bytes(content[:size])
        assert not has_note(path, note), size
    write_picture(tmp_path / "a.jpg", image(), RECIPE)
    assert not has_note(tmp_path / "a.jpg", note)  # which says nothing: `read_recipe` does


def test_other_pictures_say_nothing(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(str(path))
    assert read_recipe(path) is None
    for content in (b"", b"no picture", encode(image(), "png", RECIPE)[:40]):
        path.write_bytes(content)
        assert read_recipe(path) is None
    path.write_bytes(encode(image(), "png", ["a list"]))
    assert read_recipe(path) is None


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def full(path, durable):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(picture_files, "atomic_file", full)
    with pytest.raises(UserError, match="a.png cannot be written: No space left on device") as error:
        write_picture(tmp_path / "a.png", image(), RECIPE)
    assert "the same command goes on" in error.value.next_step and not list(tmp_path.iterdir())


def test_formats():
    with pytest.raises(UserError, match="There is no format 'bmp'") as error:
        check_format("bmp")
    assert error.value.expected == "one of png, jpg, webp"
    with pytest.raises(UserError, match="JPEG has no transparency"):
        check_format("jpg", channels=4)
    check_format("jpg")
