"""Blending: whose layer is whose at a hard and a soft step, and what does not fit."""

import math

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.blend import blend, resolution_of, share_of_higher
from sg2ada_colab.generate.generator import TrainedGenerator
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot


def test_resolutions_of_variables_are_those_of_their_shapes():
    snapshot = small_snapshot(resolution=32)
    for name, value in snapshot.Gs.variables.items():
        if "noise" in name and "strength" not in name:
            assert resolution_of(name) == value.shape[-1]
        elif name.startswith("synthesis/"):
            assert f"/{resolution_of(name)}x" in name
        else:
            assert resolution_of(name) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_hard_step_takes_each_layer_from_one_network(form):
    lower, higher = (small_snapshot(seed, **FORMS[form]) for seed in (0, 1))
    for mapping in ("lower", "higher"):
        made = blend(lower, higher, 8, mapping=mapping)
        for name in ("G", "Gs"):
            for variable, value in getattr(made, name).variables.items():
                side = resolution_of(variable)
                source = (mapping == "higher") if side is None else side >= 8
                expected = getattr(higher if source else lower, name).variables[variable]
                assert np.array_equal(value, expected), variable
        assert made.D is higher.D
    picture = TrainedGenerator(made.Gs, xla=False).images([0])
    assert picture.shape == (1, *picture_shape(form))


def test_a_soft_step_is_the_logistic_function_of_the_doublings():
    assert [share_of_higher(side, 16) for side in (4, 8, 16, 32)] == [0, 0, 1, 1]
    for side, above in ((4, -1.5), (8, -0.5), (16, 0.5), (32, 1.5)):
        assert share_of_higher(side, 16, 0.7) == pytest.approx(1 / (1 + math.exp(-above / 0.7)), rel=1e-12)
    lower, higher = small_snapshot(0), small_snapshot(1)
    made = blend(lower, higher, 8, width=2.0)
    share = 1 / (1 + math.exp(-0.25))
    name = "synthesis/8x8/Conv1/weight"
    expected = (1 - share) * lower.Gs.variables[name] + share * higher.Gs.variables[name]
    assert np.abs(made.Gs.variables[name] - expected).max() < 1e-6
    assert share_of_higher(1024, 8, 1e-3) == 1 and share_of_higher(4, 1024, 1e-3) == 0  # no overflow


@pytest.mark.parametrize(
    "other, words",
    [
        ({"fmap_max": 5}, "fmap_max is 6 and 5; synthesis/4x4/Const/const is 1x6x4x4 and 1x5x4x4"),
        ({"resolution": 32}, "resolution is 16 and 32; only one has synthesis/noise5"),
        ({"mapping_layers": 3}, "only one has mapping/Dense2/weight"),
        ({"g_architecture": "resnet"}, "architecture is skip and resnet"),
    ],
)
def test_networks_that_do_not_fit_are_refused_layer_by_layer(other, words):
    with pytest.raises(UserError) as refused:
        blend(small_snapshot(), small_snapshot(**other), 8, titles=("a.pkl", "b.pkl"))
    assert refused.value.what.startswith("a.pkl and b.pkl cannot be blended, their G differ: ")
    assert words in refused.value.what and "snapshots of one run" in refused.value.expected


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"split": 4}, "The split is at 4."),
        ({"split": 12}, "The split is at 12."),
        ({"split": 8, "width": -1}, "The width of the step is -1."),
        ({"split": 8, "width": float("nan")}, "The width of the step is nan."),
        ({"split": 8, "mapping": "both"}, "The mapping network of 'both' is asked for."),
    ],
)
def test_numbers_that_cannot_be_used(arguments, words):
    with pytest.raises(UserError) as refused:
        blend(small_snapshot(), small_snapshot(1), **arguments)
    assert refused.value.what == words
