"""An RGB network with a fourth channel, and the reverse: the same pictures, the same judgement of them."""

import numpy as np
import pytest

from sg2ada_colab.formats.alpha_channel import GAINED, LOST, change_of_channels, with_other_channels
from sg2ada_colab.formats.transfer import copy_matching, what_is_new
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs
from tests.oracles.small_snapshots import small_snapshot

FORMS = [("skip", "resnet", (4, 4)), ("resnet", "skip", (4, 6)), ("orig", "orig", (6, 4))]


def changed(network, channels):
    """Return (config, values, report) of a NetworkData with another number of channels; every value must be the network's own."""
    kind, specs_of = (GeneratorConfig, generator_specs) if network.is_generator else (DiscriminatorConfig, discriminator_specs)
    config = kind.from_kwargs(dict(network.kwargs, num_channels=channels))
    shapes = {spec.name: spec.shape for spec in specs_of(config)}
    values, lines = copy_matching(network, shapes)
    assert list(values) and set(values) == set(shapes) and what_is_new(lines) == ([], [])
    return config, values, lines


def images_of(config, values):
    z = np.random.RandomState(0).randn(4, config.latent_size).astype(np.float32)
    return Generator(config, values, num_fp16_res=0)(z, np.zeros([4, 0], np.float32)).numpy()


def scores_of(config, values, images):
    return Discriminator(config, values, num_fp16_res=0)(images, np.zeros([len(images), 0], np.float32)).numpy()


@pytest.mark.parametrize("G, D, start", FORMS)
def test_alpha_begins_opaque_and_changes_nothing(G, D, start, relmax):
    snapshot = small_snapshot(g_architecture=G, d_architecture=D, init_res=start)
    config, values, lines = changed(snapshot.Gs, 4)
    before, after = images_of(snapshot.Gs.config, snapshot.Gs.variables), images_of(config, values)
    assert relmax(after[..., :3], before) < 1e-6
    np.testing.assert_array_equal(after[..., 3], 1)
    assert any(line.endswith(GAINED) and "ToRGB" in line for line in lines)
    d_config, d_values, lines = changed(snapshot.D, 4)
    assert relmax(scores_of(d_config, d_values, after), scores_of(snapshot.D.config, snapshot.D.variables, before)) < 1e-5
    assert any(line.endswith(GAINED) and "FromRGB" in line for line in lines)


def test_without_alpha_opaque_pictures_are_judged_as_before(relmax):
    snapshot = small_snapshot(num_channels=4)
    config, values, lines = changed(snapshot.Gs, 3)
    before, after = images_of(snapshot.Gs.config, snapshot.Gs.variables), images_of(config, values)
    assert relmax(after, before[..., :3]) < 1e-6
    opaque = np.concatenate([after, np.ones_like(after[..., :1])], axis=3)
    d_config, d_values, d_lines = changed(snapshot.D, 3)
    assert relmax(scores_of(d_config, d_values, after), scores_of(snapshot.D.config, snapshot.D.variables, opaque)) < 1e-5
    assert any(line.endswith(LOST) for line in lines) and any(line.endswith(LOST) for line in d_lines)


@pytest.mark.parametrize("have, want", [(3, 3), (1, 4), (4, 1), (1, 3), (4, 4)])
def test_other_changes_are_left_alone(have, want):
    source = small_snapshot(num_channels=have).G
    shapes = {spec.name: spec.shape for spec in generator_specs(small_snapshot(num_channels=want).G.config)}
    assert change_of_channels(source, shapes) == 0 and with_other_channels(source, shapes) == {}
