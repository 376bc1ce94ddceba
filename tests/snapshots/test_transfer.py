import numpy as np
import pytest

from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig, discriminator_specs, generator_specs
from sg2ada_colab.snapshots.transfer import adopted_kwargs, copy_matching, fit_report, partial_values
from tests.oracles.small_snapshots import small_snapshot


def shapes(kind, specs, kwargs):
    return {spec.name: spec.shape for spec in specs(kind.from_kwargs(kwargs))}


def wanted(**changes):
    """Return the settings of G and D that a run with these changes would ask for."""
    snapshot = small_snapshot(**changes)
    return snapshot.G.kwargs, snapshot.D.kwargs


def test_a_snapshot_that_fits_has_no_report():
    assert fit_report(small_snapshot(), *wanted()) == []
    g_kwargs, d_kwargs = wanted()
    g_kwargs.update(num_fp16_res=0, conv_clamp=None, style_mixing_prob=None)  # change no variable
    d_kwargs.update(mbstd_group_size=8)
    assert fit_report(small_snapshot(), g_kwargs, d_kwargs) == []


@pytest.mark.parametrize("have, want, words, flag", [
    ({"mapping_layers": 8}, {}, "Mapping layers: the snapshot has 8, this run wants 2", "--map-depth=8"),
    ({"fmap_base": 16}, {"fmap_base": 32}, "fmap_base): the snapshot has 16, this run wants 32", "--cbase=32"),
    ({"fmap_max": 4}, {}, "fmap_max): the snapshot has 4, this run wants 6", "--cmax=4"),
    ({"resolution": 32}, {}, "Resolution: the snapshot has 32, this run wants 16", "sg2ada prepare --resolution 32"),
    ({"num_channels": 1}, {}, "Image channels: the snapshot has 1, this run wants 3", "--resume-partial"),
    ({"label_size": 3}, {}, "Labels: the snapshot has 3, this run wants 0", "3 classes"),
    ({}, {"label_size": 3}, "Labels: the snapshot has 0, this run wants 3", "--cond=0"),
    ({"g_architecture": "orig"}, {}, "Architecture of G: the snapshot has orig", "Leave out"),
    ({"d_architecture": "orig"}, {}, "Architecture of D: the snapshot has orig", "--cfg=cifar"),
    ({"latent_size": 7}, {}, "Length of z: the snapshot has 7, this run wants 5", "Leave out"),
])  # fmt: skip
def test_each_difference_names_the_flag_that_would_fit(have, want, words, flag):
    lines = fit_report(small_snapshot(**have), *wanted(**want))
    assert len(lines) == 1 and words in lines[0] and flag in lines[0]


def test_label_layers_of_pytorch_are_explained():
    lines = fit_report(small_snapshot(label_size=3, d_mapping_layers=8), *wanted(label_size=3))
    assert len(lines) == 1 and "has 8, this run wants 0" in lines[0] and "PyTorch" in lines[0]


def test_adopted_settings_fit():
    snapshot = small_snapshot(mapping_layers=8, fmap_base=32, fmap_max=7, d_architecture="orig", label_size=3, d_mapping_layers=8)
    g_kwargs, d_kwargs = wanted(label_size=3)
    g_kwargs.update(num_fp16_res=0, style_mixing_prob=None)
    d_kwargs.update(mbstd_group_size=8, conv_clamp=None)
    g_adopted, d_adopted = adopted_kwargs(snapshot, g_kwargs, d_kwargs)
    assert len(fit_report(snapshot, g_kwargs, d_kwargs)) == 5 and fit_report(snapshot, g_adopted, d_adopted) == []
    assert g_adopted["num_fp16_res"] == 0 and g_adopted["style_mixing_prob"] is None
    assert d_adopted["mbstd_group_size"] == 8 and d_adopted["conv_clamp"] is None
    # What comes from the dataset is not adopted but reported.
    g_kwargs, d_kwargs = wanted(resolution=32)
    lines = fit_report(snapshot, *adopted_kwargs(snapshot, g_kwargs, d_kwargs))
    assert [line.split(":")[0] for line in lines][:2] == ["Resolution", "Labels"]


def test_fewer_mapping_layers_are_copied_and_the_rest_is_named():
    source = small_snapshot(mapping_layers=8).G
    target = shapes(GeneratorConfig, generator_specs, wanted()[0])
    values, lines = copy_matching(source, target)
    assert set(values) == set(target)
    assert "G mapping/Dense1: copied" in lines
    assert "G mapping/Dense7: left behind, this network has no such layer" in lines
    assert sum("left behind" in line for line in lines) == 6


@pytest.mark.parametrize("have, want", [(16, 32), (32, 16)])
def test_across_resolutions_the_shared_layers_are_copied(have, want):
    """Layers are named by resolution, so 4x4 to 16x16 are shared; G's mapping is, D's layer that sees the image is not."""
    # With few channels the widths at a resolution are the same for both.
    source, (g_kwargs, d_kwargs) = small_snapshot(resolution=have), wanted(resolution=want)
    g_target, d_target = (
        shapes(GeneratorConfig, generator_specs, g_kwargs),
        shapes(DiscriminatorConfig, discriminator_specs, d_kwargs),
    )
    values, lines = copy_matching(source.G, g_target)
    assert all(name.split("/")[1].startswith("32x32") or name in ("synthesis/noise7", "synthesis/noise6", "synthesis/noise5")
               for name in set(g_target) - set(values))  # fmt: skip
    assert "G synthesis/16x16/Conv1: copied" in lines and "G dlatent_avg: copied" in lines
    text = "G synthesis/32x32/Conv1: "
    assert text + ("new (the snapshot has none)" if want == 32 else "left behind, this network has no such layer") in lines
    values, lines = copy_matching(source.D, d_target)
    assert "D 8x8/Conv0: copied" in lines and "D 4x4/Dense0: copied" in lines
    assert "D {0}x{0}/FromRGB: new (the snapshot has none)".format(want) in lines
    assert "D {0}x{0}/FromRGB: left behind, this network has no such layer".format(have) in lines


def test_layers_of_another_shape_are_new_and_say_why():
    source = small_snapshot(num_channels=1).G
    target = shapes(GeneratorConfig, generator_specs, wanted()[0])
    values, lines = copy_matching(source, target)
    assert "synthesis/4x4/ToRGB/weight" not in values
    assert "synthesis/4x4/ToRGB/mod_weight" in values
    assert (
        "G synthesis/4x4/ToRGB: copied mod_weight, mod_bias; the rest is new (the snapshot's is 1, this one is 3; "
        "the snapshot's is 1x1x6x1, this one is 1x1x6x3)" in lines
    )


def test_partial_values_keep_the_given_ones_elsewhere():
    source, target = small_snapshot(seed=1).G, small_snapshot(seed=2, resolution=32).G.variables
    values, lines = partial_values(source, target)
    assert list(values) == list(target)
    np.testing.assert_array_equal(values["synthesis/8x8/Conv1/weight"], source.variables["synthesis/8x8/Conv1/weight"])
    np.testing.assert_array_equal(values["synthesis/32x32/Conv1/weight"], target["synthesis/32x32/Conv1/weight"])
    assert len(lines) == len({line.split(":")[0] for line in lines})  # one a layer
