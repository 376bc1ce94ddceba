"""How pictures are made: what is refused, and the way into a picture's metadata and back."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.settings import PictureSettings, same_call, same_picture
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot().Gs, xla=False)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"trunc": float("nan")}, "The truncation is nan"),
        ({"trunc_cutoff": 7}, "The truncation cutoff is 7"),
        ({"trunc_cutoff": -1}, "The truncation cutoff is -1"),
        ({"trunc_clusters": 0}, "The number of clusters is 0"),
        ({"noise_mode": "constant"}, "There is no noise mode 'constant'"),
    ],
)
def test_what_makes_no_sense(generator, settings, words):
    with pytest.raises(UserError, match=words):
        PictureSettings(**settings).check(generator)


def test_w_is_truncated_as_the_settings_say(generator):
    PictureSettings(trunc=0.5, trunc_cutoff=3, trunc_clusters=2).check(generator)
    w = PictureSettings(trunc=0.5, trunc_cutoff=3, trunc_clusters=2).w(generator, [4])
    np.testing.assert_array_equal(w, generator.w([4], None, 0.5, 3, generator.centres(2)))
    np.testing.assert_array_equal(PictureSettings().w(generator, [4]), generator.w([4]))


def test_settings_come_back_from_a_recipe(generator):
    settings = PictureSettings(class_=[0.5, 0.5], trunc=0.7, noise_mode="random")
    recipe = settings.recipe(generator, "generate", seed=4)
    assert recipe["network"] == generator.digest and recipe["seed"] == 4
    assert recipe["settings"] == {"class_": [0.5, 0.5], "trunc": 0.7, "noise_mode": "random"}
    assert PictureSettings.from_recipe(recipe) == settings
    for damaged in ({}, {"settings": 3}, {"settings": {"trunk": 1}}, {"settings": {"class_": {"a": 1}}}):
        with pytest.raises(ValueError):
            PictureSettings.from_recipe(damaged)


def test_which_recipes_are_alike(generator):
    one, two = (PictureSettings().recipe(generator, "generate", seed=seed) for seed in (1, 2))
    assert same_call(one, two) and not same_picture(one, two)
    assert same_picture(one, dict(one, program="sg2ada_colab 99"))
    assert not same_call(one, PictureSettings(trunc=0.9).recipe(generator, "generate", seed=1))
