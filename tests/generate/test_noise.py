"""Noise modes: which arrays replace the stored noise."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.noise import noise_arrays

STORED = {f"synthesis/noise{i}": np.ones([1, 1, side, side], np.float32) for i, side in enumerate((4, 8, 8, 16, 16, 32, 32))}


def test_tf_draws_z_and_then_every_layer(reference):
    data = reference("generate")
    drawn = noise_arrays("tf", STORED, data.json("config")["seeds"], 32)
    for index, value in enumerate(drawn.values()):
        np.testing.assert_array_equal(value[-1, 0], data[f"noise_last_seed{index}"])


def test_const_replaces_nothing_and_none_is_zero():
    assert noise_arrays("const", STORED, [1], 32) == {}
    drawn = noise_arrays("none", STORED, [1, 2], 32)
    assert list(drawn) == list(STORED) and not any(value.any() for value in drawn.values())


def test_random_noise_belongs_to_the_seed():
    drawn = noise_arrays("random", STORED, [5, 6, 5], 32)["synthesis/noise5"]
    assert drawn.shape == (3, 1, 32, 32) and abs(drawn.std() - 1) < 0.1
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (drawn[0] != drawn[1]).all()
    np.testing.assert_array_equal(noise_arrays("random", STORED, [6], 32)["synthesis/noise5"][0], drawn[1])
    assert (noise_arrays("tf", STORED, [6], 32)["synthesis/noise5"][0] != drawn[1]).all()


def test_another_mode_is_refused():
    with pytest.raises(UserError, match="There is no noise mode 'fresh'") as error:
        noise_arrays("fresh", STORED, [1], 32)
    assert error.value.expected == "one of const, random, none, tf"
