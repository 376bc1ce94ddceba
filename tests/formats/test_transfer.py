import numpy as np
import pytest

from sg2ada_colab.formats.transfer import (
    adopted_kwargs,
    adoption_report,
    copy_matching,
    shape_report,
    starting_values,
    what_is_new,
)
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs, initial_values
from tests.oracles.small_snapshots import small_snapshot


def shapes(kind, specs, kwargs):
    return {spec.name: spec.shape for spec in specs(kind.from_kwargs(kwargs))}


def wanted(**changes):
    """Return the settings of G and D that a run with these changes would ask for."""
    snapshot = small_snapshot(**changes)
    return snapshot.G.kwargs, snapshot.D.kwargs


def adopt(snapshot, g_kwargs, d_kwargs, **options):
    """Return (settings of G, settings of D, the report on both)."""
    g, d = adopted_kwargs(snapshot, g_kwargs, d_kwargs, options)
    return g, d, adoption_report("G", g_kwargs, g) + adoption_report("D", d_kwargs, d)


def test_a_snapshot_that_fits_has_no_report():
    g_kwargs, d_kwargs = wanted()
    assert shape_report(small_snapshot().Gs.config, g_kwargs) == [] and adopt(small_snapshot(), g_kwargs, d_kwargs)[2] == []
    g_kwargs.update(num_fp16_res=0, conv_clamp=None, style_mixing_prob=None)  # the run's own business
    d_kwargs.update(mbstd_group_size=8)
    assert shape_report(small_snapshot().Gs.config, g_kwargs) == [] and adopt(small_snapshot(), g_kwargs, d_kwargs)[2] == []


@pytest.mark.parametrize("have, want, words, flag", [
    ({"resolution": 32}, {}, "Resolution: the snapshot has 32, this run wants 16", "sg2ada prepare --resolution 32"),
    ({}, {"resolution": 8, "init_res": [4, 6]}, "the snapshot makes 16x16 px, this run wants 12x8", "--resolution 12x8`"),
    ({"init_res": (4, 6)}, {}, "the snapshot makes 24x16 px, this run wants 16x16", "sg2ada prepare --resolution 24x16"),
    ({"num_channels": 1}, {}, "Image channels: the snapshot has 1, this run wants 3", "--resume-partial"),
    ({"label_size": 3}, {}, "Labels: the snapshot has 3, this run wants 0", "3 classes"),
    ({}, {"label_size": 3}, "Labels: the snapshot has 0, this run wants 3", "--cond=0"),
])  # fmt: skip
def test_what_the_data_decide_is_reported_with_the_way_to_make_it_fit(have, want, words, flag):
    lines = shape_report(small_snapshot(**have).Gs.config, wanted(**want)[0])
    assert len(lines) == 1 and words in lines[0] and flag in lines[0]


@pytest.mark.parametrize("have, sentences", [
    ({"mapping_layers": 8}, ["G's mapping layers: 8, where the options say 2"]),
    ({"fmap_base": 32}, ["G's channels: 2 times as many as the options say", "D's channels: 2 times as many as the options say"]),
    ({"fmap_base": 6}, ["G's channels: 0.375 times as many as", "D's channels: 0.375 times as many as"]),
    ({"fmap_max": 4}, ["G's most channels of a layer: 4, where the", "D's most channels of a layer: 4, where the options"]),
    ({"g_architecture": "orig"}, ["G's architecture: orig, where the options say skip"]),
    ({"d_architecture": "orig"}, ["D's architecture: orig, where the options say resnet"]),
    ({"latent_size": 7}, ["G's length of z: 7, where the options say 5"]),
])  # fmt: skip
def test_what_is_taken_over_is_reported_apart_from_what_does_not_fit(have, sentences):
    snapshot = small_snapshot(**have)
    g_kwargs, d_kwargs, lines = adopt(snapshot, *wanted())
    assert shape_report(snapshot.Gs.config, wanted()[0]) == []  # nothing of it is a reason to refuse
    assert len(lines) == len(sentences) and all(line.startswith(start) for line, start in zip(lines, sentences))
    assert (
        GeneratorConfig.from_kwargs(g_kwargs) == snapshot.G.config
        and DiscriminatorConfig.from_kwargs(d_kwargs) == snapshot.D.config
    )


def test_label_layers_of_pytorch_are_taken_over():
    g_kwargs, d_kwargs, lines = adopt(small_snapshot(label_size=3, d_mapping_layers=8), *wanted(label_size=3))
    assert d_kwargs["mapping_layers"] == 8 and d_kwargs["mapping_lrmul"] == 0.01
    assert lines[0] == "D's mapping layers: 8, where the options say 0"


def test_a_runs_own_settings_stay():
    snapshot = small_snapshot(mapping_layers=8, fmap_base=32, fmap_max=7, d_architecture="orig")
    g_kwargs, d_kwargs = wanted()
    g_kwargs.update(num_fp16_res=0, style_mixing_prob=None)
    d_kwargs.update(mbstd_group_size=8, conv_clamp=None)
    g_adopted, d_adopted, _ = adopt(snapshot, g_kwargs, d_kwargs)
    assert g_adopted["num_fp16_res"] == 0 and g_adopted["style_mixing_prob"] is None
    assert d_adopted["mbstd_group_size"] == 8 and d_adopted["conv_clamp"] is None


@pytest.mark.parametrize("options, g, d", [
    ({"cbase": 64}, {"fmap_base": 16}, {"fmap_base": 16}),
    ({"cmax": 6}, {"fmap_max": 6}, {"fmap_max": 6}),
    ({"dcap": 0.5}, {}, {"fmap_base": 16, "fmap_max": 3}),
    ({"map_depth": 2}, {"mapping_layers": 2}, {}),
    ({"cbase": None, "p": 0.5}, {}, {}),
])  # fmt: skip
def test_a_width_that_is_given_as_an_option_wins(options, g, d):
    snapshot = small_snapshot(mapping_layers=8, fmap_base=32, fmap_max=7)
    g_adopted, d_adopted, _ = adopt(snapshot, *wanted(), **options)
    names = ("fmap_base", "fmap_max", "mapping_layers")
    assert [g_adopted[name] for name in names] == [g.get(name, snapshot.G.kwargs[name]) for name in names]
    assert [d_adopted[name] for name in names[:2]] == [d.get(name, snapshot.D.kwargs[name]) for name in names[:2]]


def test_at_another_scale_widths_are_those_of_the_same_scale():
    snapshot = small_snapshot(resolution=64, fmap_base=64, fmap_max=7)
    g, d, _ = adopt(snapshot, *wanted(init_res=[9, 16]))
    assert (g["fmap_base"], d["fmap_base"], g["fmap_max"]) == (16, 16, 7)
    g, _, _ = adopt(snapshot, *wanted(init_res=[4, 6]))
    assert g["fmap_base"] == 64


# Partial starts: which layers begin anew where the data differ. Everything else is the snapshot's.

G_IMAGE = {f"G synthesis/{side}x{side}/ToRGB" for side in (4, 8, 16)}
D_LABELS = {"D LabelEmbed", "D Output"}
PARTIAL_STARTS = {
    "other colours": ({"num_channels": 1}, {}, G_IMAGE | {"D 16x16/FromRGB"}),
    "more pixels": ({}, {"resolution": 32}, {"G synthesis/32x32/Conv0_up", "G synthesis/32x32/Conv1", "G synthesis/32x32/ToRGB",
                                           "G synthesis/noise", "D 32x32/FromRGB", "D 32x32/Conv0", "D 32x32/Conv1_down",
                                           "D 32x32/Skip"}),
    "fewer pixels": ({"resolution": 32}, {}, {"D 16x16/FromRGB"}),
    "other classes": ({"label_size": 2}, {"label_size": 3}, {"G mapping/LabelEmbed", "D LabelEmbed"}),
    "classes for the first time": ({}, {"label_size": 3}, {"G mapping/LabelEmbed", "G mapping/Dense0"} | D_LABELS),
    "no classes any more": ({"label_size": 3}, {}, {"G mapping/Dense0", "D Output"}),
}  # fmt: skip


def partial_start(have, want, **options):
    """Return (snapshot, report, values of G, values of D) for a run whose own settings differ in all that can be adopted."""
    snapshot = small_snapshot(mapping_layers=8, fmap_base=32, fmap_max=7, latent_size=6, dlatent_size=8, **have)
    own = wanted(fmap_base=16, fmap_max=6, mapping_layers=2, latent_size=5, dlatent_size=4, **want)
    g_kwargs, d_kwargs = adopted_kwargs(snapshot, *own, options)
    g, d = GeneratorConfig.from_kwargs(g_kwargs), DiscriminatorConfig.from_kwargs(d_kwargs)
    G, g_lines = starting_values(snapshot.G, generator_specs(g), 1, g.latent_size)
    D, d_lines = starting_values(snapshot.D, discriminator_specs(d), 1)
    return snapshot, g_lines + d_lines, G, D


@pytest.mark.parametrize("name", sorted(PARTIAL_STARTS))
def test_only_layers_of_images_labels_and_further_resolutions_begin_anew(name):
    have, want, expected = PARTIAL_STARTS[name]
    snapshot, lines, G, D = partial_start(have, want)
    assert set(what_is_new(lines)[0]) == expected
    shared = [key for key in G if "ToRGB" not in key and key in snapshot.G.variables and key != "mapping/Dense0/weight"]
    shared = [key for key in shared if "LabelEmbed" not in key]
    assert len(shared) > 40
    for key in shared:
        np.testing.assert_array_equal(G[key], snapshot.G.variables[key], err_msg=key)
    np.testing.assert_array_equal(D["8x8/Conv0/weight"], snapshot.D.variables["8x8/Conv0/weight"])
    np.testing.assert_array_equal(D["4x4/Dense0/weight"], snapshot.D.variables["4x4/Dense0/weight"])


@pytest.mark.parametrize("have, want", [({}, {"label_size": 3}), ({"label_size": 3}, {})])
def test_z_means_the_same_with_labels_and_without(have, want):
    snapshot, lines, G, _ = partial_start(have, want)
    before, after = snapshot.G.variables["mapping/Dense0/weight"], G["mapping/Dense0/weight"]
    z = np.random.RandomState(0).randn(4, 6)
    np.testing.assert_allclose(z @ after[:6] / np.sqrt(len(after)), z @ before[:6] / np.sqrt(len(before)), rtol=1e-5, atol=1e-6)
    assert not after[6:].any()
    assert "G mapping/Dense0: copied as far as z goes; labels have no influence in the beginning" in lines


def test_a_width_that_wins_makes_its_layers_new():
    _, lines, _, _ = partial_start({}, {}, cbase=32)
    new, left = what_is_new(lines)
    assert "G synthesis/16x16/Conv1" in new and "G mapping/Dense7" not in new and left == []
    _, lines, _, _ = partial_start({}, {}, map_depth=2)
    assert what_is_new(lines) == ([], [f"G mapping/Dense{i}" for i in range(2, 8)])


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
    assert f"D {want}x{want}/FromRGB: new (the snapshot has none)" in lines
    assert f"D {have}x{have}/FromRGB: left behind, this network has no such layer" in lines


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


def test_values_that_do_not_fit_are_drawn_from_the_runs_seed():
    source, config = small_snapshot(seed=1).G, small_snapshot(resolution=32).G.config
    values, lines = starting_values(source, generator_specs(config), 7)
    fresh = initial_values(generator_specs(config), 7, "G")
    assert list(values) == list(fresh)
    np.testing.assert_array_equal(values["synthesis/8x8/Conv1/weight"], source.variables["synthesis/8x8/Conv1/weight"])
    np.testing.assert_array_equal(values["synthesis/32x32/Conv1/weight"], fresh["synthesis/32x32/Conv1/weight"])
    assert len(lines) == len({line.split(":")[0] for line in lines})  # one a layer
