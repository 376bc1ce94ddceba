"""The file contract of the networks: names, shapes, counts at several resolutions and configurations. No TensorFlow."""

import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.summary import layer_rows, layer_table
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs, initial_values, parameter_count
from tests.oracles.forms import FORMS, picture_shape

# What NVIDIA's program counts: (resolution, fmap_base, mapping layers, labels, D architecture) → parameters of G and D.
COUNTS = {
    (32, 8192, 2, 10, "orig"): (20215315, 20988416),
    (128, 8192, 2, 0, "resnet"): (22949277, 23882369),
    (256, 8192, 2, 0, "resnet"): (23191522, 24001089),
    (512, 16384, 2, 0, "resnet"): (28700647, 28982849),
    (1024, 16384, 2, 0, "resnet"): (28794124, 29012513),
    (1024, 16384, 8, 0, "resnet"): (30370060, 29012513),
}
# The channels at 256x256 with fmap_base 8192.
CHANNELS_256 = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}


def configs(resolution, fmap_base, mapping_layers=2, labels=0, architecture="resnet"):
    return (
        GeneratorConfig(resolution=resolution, fmap_base=fmap_base, mapping_layers=mapping_layers, label_size=labels),
        DiscriminatorConfig(resolution=resolution, fmap_base=fmap_base, label_size=labels, architecture=architecture),
    )


@pytest.mark.parametrize("key", sorted(COUNTS))
def test_parameter_counts(key):
    g, d = configs(*key)
    assert (parameter_count(generator_specs(g)), parameter_count(discriminator_specs(d))) == COUNTS[key]


def test_golden_shapes_at_256():
    g, d = configs(256, 8192)
    shapes = {spec.name: spec.shape for spec in generator_specs(g)}
    assert len(shapes) == 112
    assert shapes["dlatent_avg"] == (512,) and shapes["mapping/Dense1/weight"] == (512, 512)
    sides = [shapes[f"synthesis/noise{i}"][2] for i in range(13)]
    assert sides == [4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256]
    for r, c in CHANNELS_256.items():
        assert shapes[f"synthesis/{r}x{r}/ToRGB/weight"] == (1, 1, c, 3)
        if r > 4:
            below = CHANNELS_256[r // 2]
            block = f"synthesis/{r}x{r}/"
            assert shapes[block + "Conv0_up/weight"] == (3, 3, below, c)
            assert shapes[block + "Conv0_up/mod_weight"] == (512, below) and shapes[block + "Conv0_up/noise_strength"] == ()
            assert shapes[block + "Conv1/weight"] == (3, 3, c, c) and shapes[block + "Conv1/mod_bias"] == (c,)
    shapes = {spec.name: spec.shape for spec in discriminator_specs(d)}
    assert len(shapes) == 38
    for r, c in CHANNELS_256.items():
        if r > 4:
            block, below = f"{r}x{r}/", CHANNELS_256[r // 2]
            assert shapes[block + "Conv0/weight"] == (3, 3, c, c)
            assert shapes[block + "Conv1_down/weight"] == (3, 3, c, below) and shapes[block + "Skip/weight"] == (1, 1, c, below)
            assert block + "Skip/bias" not in shapes
    assert shapes["256x256/FromRGB/weight"] == (1, 1, 3, 64)
    assert shapes["4x4/Conv/weight"] == (3, 3, 513, 512) and shapes["4x4/Dense0/weight"] == (8192, 512)
    assert shapes["Output/weight"] == (512, 1)


def test_variable_counts_at_1024():
    g, d = configs(1024, 16384, 8)
    assert (len(generator_specs(g)), len(discriminator_specs(d))) == (156, 48)


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_changes_in_the_file(form):
    """Constant, noise and D's first dense layer know the shape, what touches the image knows alpha; nothing else does."""
    (height, width, channels), settings = picture_shape(form, 64), {"resolution": 64, "fmap_base": 1024, "fmap_max": 32}
    for kind, specs_of in ((GeneratorConfig, generator_specs), (DiscriminatorConfig, discriminator_specs)):
        square, config = kind(**settings), kind(**settings, **FORMS[form])
        expected = OrderedDict((spec.name, spec.shape) for spec in specs_of(square))
        for name, shape in expected.items():
            if name.startswith("synthesis/noise"):
                expected[name] = (1, 1, shape[2] * height // 64, shape[3] * width // 64)
            elif name.endswith("/Const/const"):
                expected[name] = (1, 32, height // 16, width // 16)
            elif name == "4x4/Dense0/weight":
                expected[name] = (shape[0] * height * width // 64**2, 32)
            elif "RGB/" in name:
                expected[name] = tuple(channels if count == 3 else count for count in shape)
        assert [(spec.name, spec.shape) for spec in specs_of(config)] == list(expected.items())
        assert kind.from_kwargs(config.to_kwargs()) == config and (config == square) == (form == "square")


@pytest.mark.parametrize("resolution", [8, 16, 64])
@pytest.mark.parametrize("g_architecture,d_architecture", [("skip", "resnet"), ("resnet", "skip"), ("orig", "orig")])
def test_kwargs_round_trip(resolution, g_architecture, d_architecture):
    g = GeneratorConfig(
        resolution=resolution, architecture=g_architecture, fmap_base=128, fmap_max=16, dlatent_size=32, conv_clamp=256
    )
    d = DiscriminatorConfig(resolution=resolution, architecture=d_architecture, mbstd_group_size=4, label_size=3, num_fp16_res=4)
    assert GeneratorConfig.from_kwargs(g.to_kwargs()) == g
    assert DiscriminatorConfig.from_kwargs(d.to_kwargs()) == d


def test_initial_values_are_a_function_of_seed_and_name():
    specs = generator_specs(GeneratorConfig(resolution=8, fmap_base=32, fmap_max=8))
    one, same, other = (initial_values(specs, seed, "G") for seed in (1, 1, 2))
    for spec in specs:
        np.testing.assert_array_equal(one[spec.name], same[spec.name])
        assert one[spec.name].dtype == np.float32 and one[spec.name].shape == spec.shape
    assert not np.array_equal(one["synthesis/8x8/Conv1/weight"], other["synthesis/8x8/Conv1/weight"])
    weights = one["mapping/Dense0/weight"]
    assert abs(weights.std() - 100) < 1 and abs(weights.mean()) < 1  # N(0, 1/lrmul²), lrmul 0.01
    assert not one["synthesis/8x8/Conv1/bias"].any() and not one["synthesis/8x8/Conv1/noise_strength"].any()


@pytest.mark.parametrize(
    "kwargs,text,expected",
    [
        ({"resolution": 48}, "resolution is 48", "a power of two, 8 or more"),
        ({"resolution": 4}, "its images have 4x4 pixels", "images of 8x8 pixels or more"),
        ({"architecture": "tower"}, "architecture is 'tower'", "orig, skip or resnet"),
    ],
)
def test_impossible_configurations_are_refused(kwargs, text, expected):
    with pytest.raises(UserError, match=text) as caught:
        GeneratorConfig.from_kwargs(dict({"resolution": 64}, **kwargs))
    assert caught.value.expected == expected


@pytest.mark.parametrize(
    "config,what,expected",
    [(GeneratorConfig(resolution=4), "The resolution is 4.", "a power of two, 8 or more"),
     (GeneratorConfig(architecture="tower"), "The architecture is 'tower'.", "one of orig, skip, resnet"),
     (DiscriminatorConfig(resolution=8, fmap_max=6, mbstd_num_features=4), "4 features of the minibatch", "the channels")],
)  # fmt: skip
def test_a_configuration_made_by_hand_is_checked_too(config, what, expected):
    with pytest.raises(UserError) as caught:
        config.check()
    assert what in caught.value.what and expected in caught.value.expected


def test_a_resolution_as_large_as_a_dataset_may_have_is_taken():
    GeneratorConfig.from_kwargs({"resolution": 4096})


def test_unknown_settings_are_named():
    with pytest.raises(UserError, match="magnitude_ema_beta"):
        GeneratorConfig.from_kwargs({"resolution": 64, "magnitude_ema_beta": 0.5})


def test_layer_table():
    g, _ = configs(256, 8192)
    rows = {row[0]: row for row in layer_rows(g, generator_specs(g))}
    assert rows["synthesis/64x64/Conv0_up"] == ("synthesis/64x64/Conv0_up", "1442561", "(?, 256, 64, 64)", "[3, 3, 512, 256]")
    assert rows["Total"][1] == "23191522"
    assert layer_table("G", g, generator_specs(g)).splitlines()[0].split() == ["G", "Params", "OutputShape", "WeightShape"]


def test_no_tensorflow_is_imported():
    code = (
        "import sys; import sg2ada_colab.networks.variables, sg2ada_colab.networks.summary; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.call([sys.executable, "-c", code]) == 0
