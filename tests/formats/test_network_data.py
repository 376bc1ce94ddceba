import numpy as np
import pytest

from sg2ada_colab.formats.network_data import NetworkData, component_kwargs, plain_value
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs

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


def test_the_configuration_is_made_once_and_follows_the_settings():
    G = hollow("G", GeneratorConfig(resolution=64), generator_specs)
    assert G.config is G.config and G.config.resolution == 64
    G.kwargs["resolution"] = 32
    assert G.config.resolution == 32 and G.resolution == 32


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
    assert component_kwargs(kwargs, "synthesis", 14) == {"num_channels": 3, "resolution": 256}
    mapping = component_kwargs(kwargs, "mapping", 14)
    assert list(mapping.items()) == [("dlatent_broadcast", 14), ("num_channels", 3), ("resolution", 256)]


def test_plain_values():
    assert plain_value({"a": (1, np.int64(2), np.float32(0.5), None, True, "x")}) == {"a": [1, 2, 0.5, None, True, "x"]}
    for value in (object(), b"bytes", {1: 2}, [[[[1]]]], list(range(1000)), np.zeros(3)):
        with pytest.raises(ValueError):
            plain_value(value)
