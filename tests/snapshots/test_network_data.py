import numpy as np
import pytest

from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig, discriminator_specs, generator_specs
from sg2ada_colab.snapshots.network_data import NetworkData, check_settings, component_kwargs, is_trained, plain_value

# Numbers that the original program reports for its configurations.
COUNTS = {
    "auto 128": ({"resolution": 128, "fmap_base": 8192, "mapping_layers": 2}, 22949277, 23882369),
    "auto 256": ({"resolution": 256, "fmap_base": 8192, "mapping_layers": 2}, 23191522, 24001089),
    "auto 512": ({"resolution": 512, "mapping_layers": 2}, 28700647, 28982849),
    "stylegan2 1024": ({"resolution": 1024, "mapping_layers": 8}, 30370060, 29012513),
}


def hollow(name, config, specs):
    """Return a network whose arrays have shapes but take no memory."""
    variables = {spec.name: np.broadcast_to(np.float32(0), spec.shape) for spec in specs(config)}
    return NetworkData(name, config.to_kwargs(), variables)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parameter_counts_are_those_of_the_original(name):
    settings, g_count, d_count = COUNTS[name]
    assert hollow("Gs", GeneratorConfig(**settings), generator_specs).parameter_count() == g_count
    settings = {key: value for key, value in settings.items() if key != "mapping_layers"}
    assert hollow("D", DiscriminatorConfig(**settings), discriminator_specs).parameter_count() == d_count


def test_what_is_trained():
    assert is_trained("synthesis/4x4/Conv/noise_strength") and is_trained("D/bias")
    assert not any(map(is_trained, ["dlatent_avg", "synthesis/noise0", "lod", "32x32/Conv0/weight_sn"]))


def test_sizes_and_components():
    G = hollow("G", GeneratorConfig(resolution=64), generator_specs)
    assert (G.resolution, G.num_layers, G.latent_size, G.label_size, G.num_channels) == (64, 10, 512, 0, 3)
    assert list(G.own_variables()) == ["dlatent_avg"]
    assert list(G.component("mapping"))[0] == "Dense0/weight" and "4x4/Const/const" in G.component("synthesis")
    assert len(G.component("mapping")) + len(G.component("synthesis")) + 1 == len(G.variables)
    D = hollow("D", DiscriminatorConfig(resolution=64), discriminator_specs)
    assert D.own_variables() == D.variables


def test_settings_of_components():
    kwargs = {"num_channels": 3, "resolution": 256, "style_mixing_prob": None, "w_avg_beta": 0.998}
    assert component_kwargs(kwargs, "synthesis") == {"num_channels": 3, "resolution": 256}
    mapping = component_kwargs(kwargs, "mapping")
    assert list(mapping.items()) == [("dlatent_broadcast", 14), ("num_channels", 3), ("resolution", 256)]


def test_plain_values():
    assert plain_value({"a": (1, np.int64(2), np.float32(0.5), None, True, "x")}) == {"a": [1, 2, 0.5, None, True, "x"]}
    for value in (object(), b"bytes", {1: 2}, [[[[1]]]], list(range(1000)), np.zeros(3)):
        with pytest.raises(ValueError):
            plain_value(value)


@pytest.mark.parametrize("settings, message", [
    ({"resolution": 48}, "no power of two"), ({"resolution": "big"}, "resolution"), ({"label_size": -1}, "label_size"),
    ({"fmap_base": 0}, "fmap_base"), ({"fmap_base": float("nan")}, "fmap_base"), ({"mapping_layers": True}, "mapping_layers"),
])  # fmt: skip
def test_impossible_settings(settings, message):
    check_settings({})
    with pytest.raises(ValueError, match=message):
        check_settings(settings)
