"""A picture that a person shapes: its w by the object's own steps, its title, and what its metadata says."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.choice import Choice, choice_recipe, choice_w, mixed_layers, moved
from sg2ada_colab.generate.directions import Direction
from sg2ada_colab.generate.generator import TrainedGenerator
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot(4).Gs, xla=False)


@pytest.fixture(scope="module")
def directions(generator):
    vector = np.arange(generator.config.dlatent_size, dtype=np.float32)
    return [Direction("tall", vector, (1,)), Direction("wide", -vector)]


def test_w_is_that_of_truncation_mixing_and_moving_one_after_the_other(generator, directions):
    choice = Choice(3, 0.5, mix_seed=8, mix_layers=(2, 3), moves=(("tall", 2.0), ("wide", -1.0)))
    a, b = np.split(generator.w_avg + 0.5 * (generator.w([3, 8]) - generator.w_avg), 2)
    expected = a.copy()
    expected[:, 2:4] = b[:, 2:4]
    expected[:, 1] += 2.0 * directions[0].vector
    expected += directions[0].vector
    np.testing.assert_allclose(choice_w(generator, choice, directions), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(choice_w(generator, Choice(3, 1.0)), generator.w([3]))
    start = generator.w([5])
    np.testing.assert_array_equal(choice_w(generator, Choice(3, 1.0), start=start), start)


def test_a_direction_that_is_not_there_and_a_class(generator, directions):
    with pytest.raises(UserError, match="has no direction 'smile'"):
        choice_w(generator, Choice(moves=(("smile", 1.0),)), directions)
    with pytest.raises(UserError, match="trained without classes"):
        choice_w(generator, Choice(class_=2))


def test_only_a_plain_choice_says_a_seed_that_makes_it_again(generator, directions):
    plain = choice_recipe(generator, Choice(7, 0.6))
    assert plain["verb"] == "generate" and plain["seed"] == 7 and plain["settings"]["trunc"] == 0.6
    shaped = choice_recipe(generator, Choice(7, mix_seed=2, mix_layers=(0,), moves=(("tall", 1.5),)), directions)
    assert "seed" not in shaped and shaped["start"] == 7 and shaped["mix"] == 2 and shaped["styles"] == [0]
    assert shaped["moves"][0][:2] == ["tall", 1.5] and shaped["verb"] == "shape"
    assert "start" not in choice_recipe(generator, Choice(), start=generator.w([1]))


def test_titles_and_moves():
    choice = moved(moved(Choice(12, 0.7, mix_seed=3, mix_layers=(0, 1)), "so tall", 1.5), "wide", -2.0)
    assert choice.title() == "seed0012-psi0.7-mix3-0.1-so_tall+1.5-wide-2"
    assert moved(choice, "so tall", 0.0).moves == (("wide", -2.0),)
    assert Choice(1, class_=4).title() == "seed0001-psi0.7-class4"
    assert not Choice(1, mix_seed=3).is_mixed, "no layers take its styles"


def test_thirds_of_the_layers():
    assert [mixed_layers(part, 8) for part in ("coarse", "middle", "fine")] == [(0, 1, 2), (3, 4, 5), (6, 7)]
