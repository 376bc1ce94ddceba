"""The list of layers: it says what the networks really do."""

import numpy as np
import pytest

from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.discriminator import discriminate
from sg2ada_colab.networks.layout import discriminator_layers, image_layers, layers_of, synthesis_layers
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs, initial_values
from sg2ada_colab.tf import tf

SMALL = {"resolution": 16, "fmap_base": 64, "fmap_max": 12}


def test_the_layers_of_a_generator_stand_in_the_order_of_the_pickle():
    layers = layers_of(GeneratorConfig(**SMALL, mapping_layers=2, label_size=3, latent_size=6, dlatent_size=7))
    assert [(layer.name, layer.kind, layer.inputs, layer.outputs, layer.style, layer.noise) for layer in layers] == [
        ("synthesis/4x4/Const", "const", 0, 12, None, None),
        ("synthesis/4x4/Conv", "conv", 12, 12, 0, 0),
        ("synthesis/4x4/ToRGB", "to_rgb", 12, 3, 1, None),
        ("synthesis/8x8/Conv0_up", "up", 12, 12, 1, 1),
        ("synthesis/8x8/Conv1", "conv", 12, 12, 2, 2),
        ("synthesis/8x8/ToRGB", "to_rgb", 12, 3, 3, None),
        ("synthesis/16x16/Conv0_up", "up", 12, 8, 3, 3),
        ("synthesis/16x16/Conv1", "conv", 8, 8, 4, 4),
        ("synthesis/16x16/ToRGB", "to_rgb", 8, 3, 5, None),
        ("mapping/LabelEmbed", "dense", 3, 6, None, None),
        ("mapping/Dense0", "dense", 12, 7, None, None),
        ("mapping/Dense1", "dense", 7, 7, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("label_size", [0, 3])
def test_every_variable_belongs_to_a_layer(architecture, label_size):
    settings = {**SMALL, "architecture": architecture, "label_size": label_size}
    for config, specs in (
        (GeneratorConfig(**settings), generator_specs(GeneratorConfig(**settings))),
        (DiscriminatorConfig(**settings), discriminator_specs(DiscriminatorConfig(**settings))),
    ):
        names = {layer.name for layer in layers_of(config)}
        assert {spec.name.rsplit("/", 1)[0] for spec in specs if "/noise" not in spec.name} - {"dlatent_avg"} - names <= {""} | {
            spec.name.rsplit("/", 1)[0] for spec in specs if spec.name.endswith("/noise_strength")
        }
        assert len(names) == len(layers_of(config))


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_the_discriminators_layers_have_the_sizes_that_are_listed(architecture):
    config = DiscriminatorConfig(**SMALL, architecture=architecture)
    weights = {name: tf.constant(value) for name, value in initial_values(discriminator_specs(config), 0, "D").items()}
    seen = {}

    def note(x, name):
        seen[name] = x.shape.as_list()[1:]
        return x

    height, width = config.block_size(config.resolution)
    discriminate(weights, config, tf.zeros([2, height, width, 3]), tf.zeros([2, 0]), after_layer=note)
    listed = {
        layer.name: [layer.outputs] if layer.kind == "dense" else [layer.height, layer.width, layer.outputs]
        for layer in image_layers(config)
        if layer.kind != "skip" and layer.name != "Output"
    }
    assert seen == listed


def test_freezing_counts_from_the_image_and_leaves_output_and_labels():
    layers = discriminator_layers(DiscriminatorConfig(**SMALL, label_size=3, mapping_layers=1), freeze_layers=3)
    assert [layer.name for layer in layers if not layer.trainable] == ["16x16/FromRGB", "16x16/Conv0", "16x16/Conv1_down"]
    layers = discriminator_layers(DiscriminatorConfig(**SMALL, label_size=3, mapping_layers=1), freeze_layers=99)
    assert [layer.name for layer in layers if layer.trainable] == ["LabelEmbed", "Mapping0", "Output"]


def test_noise_and_styles_are_numbered_without_a_gap():
    config = GeneratorConfig(resolution=64)
    layers = synthesis_layers(config)
    assert [layer.noise for layer in layers if layer.noise is not None] == list(range(config.num_layers - 1))
    assert sorted({layer.style for layer in layers if layer.style is not None}) == list(np.arange(config.num_layers))
