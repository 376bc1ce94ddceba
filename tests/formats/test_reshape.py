"""Snapshots for other images: which values stay, which are new, and what is said."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.convert import convert
from sg2ada_colab.formats.network_data import check_snapshot
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.reshape import reshaped
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

NEW_IN_A_RECTANGLE = "G synthesis/noise, G synthesis/4x4/Const, D 4x4/Dense0"


def differing(one, other):
    """Return the names of variables that are not equal in two NetworkData."""
    assert sorted(one.variables) == sorted(other.variables)
    return {name for name, value in one.variables.items() if not np.array_equal(value, other.variables[name])}


@pytest.mark.parametrize("size, start", [((16, 24), [4, 6]), ((24, 16), [6, 4]), ((12, 16), [3, 4])])
def test_a_square_becomes_a_rectangle_of_the_same_layers(size, start):
    before = small_snapshot()
    after = reshaped(before, size)
    check_snapshot(after)
    assert (after.Gs.height, after.Gs.width) == size and after.D.kwargs["init_res"] == start
    for one, other in ((before.G, after.G), (before.Gs, after.Gs)):
        assert differing(one, other) == {"synthesis/4x4/Const/const"} | {f"synthesis/noise{i}" for i in range(5)}
    assert differing(before.D, after.D) == {"4x4/Dense0/weight"}
    assert after.notes == [f"New, to be trained: {NEW_IN_A_RECTANGLE}."]
    for name in ("synthesis/4x4/Const/const", "synthesis/noise3"):
        np.testing.assert_array_equal(after.G.variables[name], after.Gs.variables[name])
    assert reshaped(after, (16, 16)).Gs.config.is_square


@pytest.mark.parametrize("form", FORMS)
def test_twice_the_resolution_keeps_the_layers_below(form):
    before = small_snapshot(**FORMS[form])
    height, width, channels = picture_shape(form, 32)
    after = reshaped(before, (height, width))
    check_snapshot(after)
    assert (after.Gs.height, after.Gs.width, after.Gs.num_channels) == (height, width, channels)
    assert after.Gs.config.init_res == before.Gs.config.init_res and after.D.config.init_res == before.D.config.init_res
    for name, value in before.G.variables.items():
        np.testing.assert_array_equal(after.G.variables[name], value, err_msg=name)
    new = set(after.D.variables) - set(before.D.variables)
    assert new and all(name.startswith("32x32/") for name in new)
    np.testing.assert_array_equal(
        after.G.variables["synthesis/16x16/Conv1/weight"], before.G.variables["synthesis/16x16/Conv1/weight"]
    )
    assert "G synthesis/32x32/Conv1" in after.notes[0] and "16x16/Conv1" not in after.notes[0]
    assert after.notes[1] == "Left behind: D 16x16/FromRGB."


def test_alpha_and_a_shape_at_once_and_back(tmp_path):
    write_network_pickle(tmp_path / "rgb.pkl", small_snapshot())
    convert(tmp_path / "rgb.pkl", tmp_path / "new.pkl", size=(16, 24), alpha=True)
    new = read_snapshot(tmp_path / "new.pkl")
    check_snapshot(new)
    assert (new.Gs.num_channels, new.Gs.width, new.D.num_channels) == (4, 24, 4)
    assert any("begins opaque" in note for note in reshaped(small_snapshot(), alpha=True).notes)
    back = reshaped(new, alpha=False)
    assert back.Gs.num_channels == 3 and len(back.notes) == 1 and "Alpha is gone" in back.notes[0]
    new_in_it = {"synthesis/4x4/Const/const"} | {f"synthesis/noise{i}" for i in range(5)}
    assert differing(back.Gs, small_snapshot().Gs) == new_in_it


@pytest.mark.parametrize("have, wanted, words", [
    ({}, {"size": (16, 16)}, "makes pictures of 16x16 px already"),
    ({}, {"size": (17, 16)}, "no network for images of 16x17"),
    ({}, {"alpha": False}, "The network is RGB already"),
    ({"num_channels": 4}, {"alpha": True}, "The network is RGBA already"),
    ({"num_channels": 1}, {"alpha": True}, "pictures of 1 channel"),
])  # fmt: skip
def test_what_has_no_way_is_refused(have, wanted, words):
    with pytest.raises(UserError) as caught:
        reshaped(small_snapshot(**have), **wanted)
    assert words in caught.value.what and caught.value.expected and caught.value.next_step
