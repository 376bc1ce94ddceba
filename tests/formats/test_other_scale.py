"""Networks that begin with many more pixels: which layer takes whose values, and what is new."""

import numpy as np
import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.formats.network_data import check_snapshot
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.other_scale import at_scale_of
from sg2ada_colab.formats.reshape import reshaped
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.runs.transfer import fitted, planned_start
from tests.oracles.small_snapshots import small_snapshot

NEW = "New, to be trained: G synthesis/noise, G synthesis/4x4/Const, D 4x4/Dense0."


def same(after, before, pairs):
    """Assert that layers of one NetworkData are those of another; pairs of their names."""
    for ours, theirs in pairs:
        found = {name[len(ours) :]: value for name, value in after.variables.items() if name.startswith(ours + "/")}
        assert found, ours
        for leaf, value in found.items():
            np.testing.assert_array_equal(value, before.variables[theirs + leaf], err_msg=ours + leaf)


TO_FEWER_DOUBLINGS = {
    "G": [("synthesis/4x4/Conv", "synthesis/16x16/Conv1"), ("synthesis/4x4/ToRGB", "synthesis/16x16/ToRGB"),
          ("synthesis/8x8/Conv0_up", "synthesis/32x32/Conv0_up"), ("synthesis/16x16/Conv1", "synthesis/64x64/Conv1"),
          ("synthesis/16x16/ToRGB", "synthesis/64x64/ToRGB"), ("mapping/Dense1", "mapping/Dense1")],
    "D": [("16x16/FromRGB", "64x64/FromRGB"), ("16x16/Conv0", "64x64/Conv0"), ("8x8/Conv1_down", "32x32/Conv1_down"),
          ("8x8/Skip", "32x32/Skip"), ("4x4/Conv", "4x4/Conv"), ("Output", "Output")],
}  # fmt: skip


@pytest.mark.parametrize("start", [(4, 4), (4, 6)])
def test_from_a_square_to_a_network_of_fewer_doublings(start):
    before = small_snapshot(resolution=64, fmap_base=64, init_res=start)
    after = reshaped(before, (36, 64))
    check_snapshot(after)
    config = after.Gs.config
    assert (config.resolution, config.init_res, config.fmap_base, after.D.config.fmap_base) == (16, (9, 16), 16, 16)
    same(after.G, before.G, TO_FEWER_DOUBLINGS["G"])
    same(after.Gs, before.Gs, TO_FEWER_DOUBLINGS["G"])
    same(after.D, before.D, TO_FEWER_DOUBLINGS["D"])
    assert after.notes[:2] == ["Layers are taken by their scale: 4x4 here is 16x16 there.", NEW]
    left = after.notes[2]
    assert left.startswith("Left behind: ") and "G synthesis/16x16/Conv0_up" in left and "D 8x8/Conv0" in left
    assert "32x32" not in left and "64x64" not in left
    assert TrainedGenerator(after.Gs, xla=False).images([0]).shape == (1, 36, 64, 3)


def test_back_to_more_doublings_where_the_coarse_layers_keep_their_names():
    before = small_snapshot(init_res=(9, 16), fmap_base=256)
    after = reshaped(before, (64, 64))
    check_snapshot(after)
    assert (after.Gs.config.resolution, after.Gs.config.fmap_base) == (64, 1024)
    same(after.G, before.G, [(theirs, ours) for ours, theirs in TO_FEWER_DOUBLINGS["G"]])
    same(after.D, before.D, [(theirs, ours) for ours, theirs in TO_FEWER_DOUBLINGS["D"]])
    same(
        after.G,
        before.G,
        [("synthesis/4x4/Conv", "synthesis/4x4/Conv"), ("synthesis/16x16/Conv0_up", "synthesis/16x16/Conv0_up")],
    )
    assert after.notes == ["Layers are taken by their scale: 16x16 here is 4x4 there.", NEW]


def test_layers_of_other_widths_or_above_are_new():
    before = small_snapshot(init_res=(9, 16), fmap_base=16)  # 4 channels at 8x8, where a square has 6
    new = reshaped(before, (64, 64)).notes[1]
    assert "G synthesis/8x8/Conv0_up" in new and "G synthesis/32x32/Conv1" not in new
    larger = reshaped(small_snapshot(fmap_base=64), (72, 128), alpha=True)
    check_snapshot(larger)
    new = next(note for note in larger.notes if note.startswith("New"))
    assert "G synthesis/8x8/Conv0_up" in new and "G synthesis/32x32/ToRGB" in new and "D 32x32/FromRGB" in new
    assert "G synthesis/4x4/Conv," not in new and larger.Gs.num_channels == 4


def test_of_one_factor_nothing_is_renamed():
    before = small_snapshot(init_res=(4, 6))
    for network, same_start in ((before.G, small_snapshot(resolution=32, init_res=(4, 6)).G), (before.D, before.D)):
        found, left = at_scale_of(network, same_start.config)
        assert found is network and left == []
    for network, other in zip(before.networks(), small_snapshot(init_res=(6, 4)).networks()):
        found, left = at_scale_of(network, other.config)
        assert set(network.variables) - set(found.variables) == (set() if network.is_generator else {"4x4/Dense0/weight"})
        assert left == [] and all(
            found.variables[name] is value for name, value in network.variables.items() if name in found.variables
        )
    assert reshaped(before, (24, 16)).notes == [NEW]


def test_a_partial_start_takes_layers_by_their_scale(tmp_path):
    before = small_snapshot(resolution=64, fmap_base=64)
    write_network_pickle(tmp_path / "a.pkl", before)
    options = TrainOptions(outdir="runs", data="d", resume=str(tmp_path / "a.pkl"), resume_partial=True, metrics=[])
    config = planned_start(resolve(options, DatasetInfo("d", "d", 16, 3, 0, 1000, init_res=(9, 16))))
    assert config.G["fmap_base"] == config.D["fmap_base"] == 16
    assert "Begin anew: G synthesis/noise, G synthesis/4x4/Const, D 4x4/Dense0." in config.notes
    assert "Layers are taken by their scale: 4x4 here is 16x16 there." in config.notes
    after, _ = fitted(config, before)
    same(after.Gs, before.Gs, TO_FEWER_DOUBLINGS["G"])
    same(after.D, before.D, TO_FEWER_DOUBLINGS["D"])
