"""The sheet of the augmentation in notebook 2: all transforms together at a readable size, each alone folded below."""

import re

import sg2ada_colab as sg2
from sg2ada_colab.augment.config import PIPES, TRANSFORMS
from sg2ada_colab.augment.preview import PLAIN_NAMES
from sg2ada_colab.colab import augment_sheet


def test_the_whole_pipe_comes_first_and_the_rest_is_folded_under_plain_names(home, monkeypatch):
    path = sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    shown = []
    monkeypatch.setattr(augment_sheet, "show", lambda content, plain: shown.append(content))
    drawn = sg2.preview_augment(path, "blit", strengths=(0.0, 0.5), num_images=2)
    assert [name for name, _ in drawn] == [
        "all together", "mirrored (xflip)", "turned by quarters (rotate90)", "moved (xint)"
    ]  # fmt: skip
    assert drawn[0][1].size == (2 * 150, 2 * 22 + 2 * 150), "labels of 22 px: shown at its own size, nothing is scaled down"
    first, folded = shown[0].split("<details>")
    assert first.count("<img") == 1 and folded.count("<img") == 3
    assert "<summary>Each of the 3 transforms alone</summary>" in folded
    assert re.search(r'alt="2 of your images as the discriminator sees them[^"]*: mirrored \(xflip\)"', folded)


def test_a_pipe_of_one_transform_has_nothing_to_fold(home, monkeypatch):
    path = sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    shown = []
    monkeypatch.setattr(augment_sheet, "show", lambda content, plain: shown.append(content))
    assert PIPES["cutout"] == ("cutout",)
    assert len(sg2.preview_augment(path, "cutout", strengths=(1.0,), num_images=1)) == 1 and "<details>" not in shown[0]


def test_every_transform_has_a_plain_name():
    assert tuple(PLAIN_NAMES) == tuple(name for name in TRANSFORMS) and len(set(PLAIN_NAMES.values())) == len(TRANSFORMS)
