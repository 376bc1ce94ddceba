"""An untrained network: the layers of another one, fresh numbers."""

import numpy as np
import pytest

from sg2ada_colab.formats.download import local_snapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.untrained import write_untrained


def test_it_has_the_layers_of_the_one_that_ships_and_other_numbers(tmp_path):
    untrained, shipped = (
        read_snapshot(path) for path in (write_untrained(tmp_path / "a.pkl", local_snapshot("flags")), local_snapshot("flags"))
    )
    assert untrained.Gs.kwargs == shipped.Gs.kwargs
    name = "synthesis/4x4/Conv/weight"
    assert np.std(untrained.Gs.variables[name]) == pytest.approx(1, abs=0.05)
    assert not np.array_equal(untrained.Gs.variables[name], shipped.Gs.variables[name])
    np.testing.assert_array_equal(untrained.Gs.variables[name], untrained.G.variables[name])
