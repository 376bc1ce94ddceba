"""The mean of snapshots: its numbers, D of the last, and what does not fit."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.average import average
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot


@pytest.mark.parametrize("form", ["square", "tall", "wide rgba"])
def test_the_mean_of_generators_and_the_last_discriminator(form):
    snapshots = [small_snapshot(seed, **FORMS[form]) for seed in range(3)]
    made = average(iter(snapshots))
    for name in ("G", "Gs"):
        for variable, value in getattr(made, name).variables.items():
            stack = np.stack([getattr(one, name).variables[variable] for one in snapshots])
            assert value.dtype == np.float32 and value.shape == stack.shape[1:]
            assert np.abs(value - stack.mean(axis=0, dtype=np.float64)).max() < 1e-6
    assert made.D is snapshots[-1].D
    assert made.notes == ["G and Gs are the means of 3 networks; D is that of the newest."]


def test_what_does_not_fit_is_refused_layer_by_layer():
    with pytest.raises(UserError) as refused:
        average([small_snapshot(0), small_snapshot(1, fmap_base=8)], ["a.pkl", "b.pkl"])
    assert refused.value.what.startswith("a.pkl and b.pkl cannot be averaged, their G differ: fmap_base is 16 and 8; ")
    assert "synthesis/8x8/Conv0_up/mod_weight is 4x6 and 4x4" in refused.value.what
    for few, words in (([], "No network is given"), ([small_snapshot()], "1 network is given")):
        with pytest.raises(UserError) as refused:
            average(few)
        assert refused.value.what.startswith(words)
