"""The preview picture: its size, its columns and panels, and the verb that writes it."""

import argparse

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.augment.config import AugmentConfig
from sg2ada_colab.augment.preview import panels, preview, preview_dataset
from sg2ada_colab.cli import augment as verb
from sg2ada_colab.errors import UserError
from sg2ada_colab.images.sheet import tile
from tests.oracles.forms import FORMS, picture_shape

TILE, HEAD, GAP = 16, 28, 12


def photographs(count, channels=3):
    return np.random.RandomState(0).randint(0, 256, [count, TILE, TILE, channels]).astype(np.uint8)


def tile_at(picture, panel_x, panel_y, column, row, columns, rows):
    x = GAP + panel_x * (columns * TILE + GAP) + column * TILE
    y = GAP + panel_y * (HEAD + rows * TILE + GAP) + HEAD + row * TILE
    return np.asarray(picture)[y : y + TILE, x : x + TILE]


def test_layout_and_the_column_of_strength_0():
    images = photographs(2)
    picture = preview(images, AugmentConfig.from_pipe("blit"), strengths=(0, 0.5, 1), tile_px=TILE, panels_across=3)
    assert picture.size == (3 * (3 * TILE + GAP) + GAP, 2 * (HEAD + 2 * TILE + GAP) + GAP)  # whole pipe and three members
    for panel in range(4):
        for row in range(2):
            shown = tile_at(picture, panel % 3, panel // 3, 0, row, 3, 2).astype(int)
            assert np.abs(shown - images[row]).max() <= 1
    assert len(np.unique(np.asarray(picture)[2:10, :])) == 1  # the margin is plain


@pytest.mark.parametrize("form", FORMS)
def test_pictures_of_every_form_are_shown_whole_and_turned_as_they_can_be(form):
    height, width, channels = picture_shape(form, 16)
    images = np.random.RandomState(0).randint(0, 256, [2, height, width, channels]).astype(np.uint8)
    names, shown = zip(*panels(images, AugmentConfig.from_pipe("blit"), strengths=(0, 1), tile_px=24))
    turned = "turned by quarters (rotate90)" if height == width else "turned upside down (rotate90)"
    assert names == ("all together", "mirrored (xflip)", turned, "moved (xint)")
    for row, image in enumerate(images):
        expected = tile(image, 24)
        for picture in shown:
            cell = np.asarray(picture)[HEAD + 24 * row :, :24][: expected.height, : expected.width].astype(int)
            assert np.abs(cell - np.asarray(expected)).max() <= 1


def test_panels_show_their_transform_alone():
    images = photographs(6)
    config = AugmentConfig(brightness=1, cutout=1)
    picture = preview(images, config, strengths=(0, 1), tile_px=TILE, panels_across=3)
    for row in range(6):
        brighter = tile_at(picture, 1, 0, 1, row, 2, 6).astype(int) - images[row]
        inside = brighter[(images[row] > 100) & (images[row] < 150)]
        assert inside.max() - inside.min() <= 2 and inside.any()
        cut = tile_at(picture, 2, 0, 1, row, 2, 6)
        assert np.all(np.isin(cut, (127, 128)) | (np.abs(cut.astype(int) - images[row]) <= 1))
        assert np.sum(np.all(np.isin(cut, (127, 128)), axis=2)) >= TILE * TILE / 16


def test_same_seed_same_picture_and_grey_images():
    config = AugmentConfig.from_pipe("color")
    first, again, other = (
        np.asarray(preview(photographs(2, 1), config, strengths=(1,), seed=seed, tile_px=8)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


class TinyDataset:
    num_images = 10

    def read(self, indices):
        self.indices = list(indices)
        return photographs(len(indices))


def test_rows_are_spread_over_the_dataset():
    dataset = TinyDataset()
    preview_dataset(dataset, "cutout", num_images=4, strengths=(1,), tile_px=8)
    assert dataset.indices == [0, 2, 5, 7]
    preview_dataset(dataset, "cutout", num_images=99, strengths=(1,), tile_px=8)
    assert dataset.indices == list(range(10))


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: preview(photographs(1), AugmentConfig.from_pipe("bgcf")), "too small for the transform 'imgfilter'"),
        (lambda: preview(photographs(1), AugmentConfig(xflip=1), strengths=(0.5, -1)), "[-1]"),
        (lambda: preview(photographs(1), AugmentConfig(xflip=1), strengths=()), "nothing to show"),
        (lambda: preview_dataset(TinyDataset(), num_images=0), "nothing to show"),
        (lambda: preview_dataset(TinyDataset(), "bgx"), "'bgx'"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises(UserError) as caught:
        call()
    assert text in caught.value.what


def arguments(*argv):
    parser = argparse.ArgumentParser()
    verb.register(parser.add_subparsers())
    return parser.parse_args(["augment-preview"] + list(argv))


def test_the_verb_writes_a_picture(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for index, image in enumerate(photographs(3)):
        Image.fromarray(image).save(str(tmp_path / "data" / f"{index}.png"))
    out = tmp_path / "new" / "preview.png"
    argv = ["--data", str(tmp_path / "data"), "--out", str(out)]
    argv += ["--augpipe", "blit", "--images", "2", "--p", "0,1", "--tile", "16"]
    args = arguments(*argv)
    assert args.run(args) == 0
    assert Image.open(str(out)).size == (3 * (2 * TILE + GAP) + GAP, 2 * (HEAD + 2 * TILE + GAP) + GAP)
    assert f"Wrote {out}" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["preview.png"]


@pytest.mark.parametrize(
    "argv, text", [(["--p", "0,half"], "--p=0,half"), (["--out", "x.gif"], "--out=x.gif"), (["--tile", "2"], "--tile=2")]
)
def test_the_verb_refuses(argv, text, tmp_path):
    args = arguments("--data", str(tmp_path), *argv)
    with pytest.raises(UserError) as caught:
        args.run(args)
    assert text in caught.value.what
