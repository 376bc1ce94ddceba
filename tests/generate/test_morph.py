"""From one photograph to another: both ends are the two pictures, the way between tuned networks goes through their weights."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_data import NetworkData
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.morph import make_morph, morph_frames
from sg2ada_colab.networks.config import GeneratorConfig
from sg2ada_colab.networks.variables import generator_specs, initial_values


def network(seed, **settings):
    config = GeneratorConfig(
        resolution=16, fmap_base=64, fmap_max=16, latent_size=12, dlatent_size=12, mapping_layers=2, **settings
    )
    values = initial_values(generator_specs(config), seed, "G")
    return TrainedGenerator(NetworkData("Gs", config.to_kwargs(), values), title=f"network {seed}", xla=False)


@pytest.fixture(scope="module")
def networks():
    return network(1), network(2)


def test_with_one_network_it_is_the_way_from_w_to_w(networks):
    a, _ = networks
    w_a, w_b = a.w([1]), a.w([2])
    frames = list(morph_frames((a, w_a), (a, w_b), 8, scale=2))
    assert len(frames) == 8 and frames[0].shape == (32, 32, 3)
    np.testing.assert_array_equal(frames[0][::2, ::2], a.pictures(w_a)[0])
    np.testing.assert_array_equal(frames[4][1::2, 1::2], a.pictures(w_b)[0])
    halfway = a.pictures((w_a + w_b) / 2)[0]
    assert np.abs(frames[2][::2, ::2].astype(int) - halfway).max() <= 1 and np.abs(frames[6].astype(int) - frames[2]).max() <= 1


def test_between_two_networks_the_weights_go_along(networks):
    a, b = networks
    frames = list(morph_frames((a, a.w([1])), (b, b.w([2])), 4))
    np.testing.assert_array_equal(frames[0], a.pictures(a.w([1]))[0])
    np.testing.assert_array_equal(frames[2], b.pictures(b.w([2]))[0])
    values = {name: (np.asarray(a.network.variables[name]) + b.network.variables[name]) / 2 for name in a.network.variables}
    between = TrainedGenerator(NetworkData("Gs", a.config.to_kwargs(), values), xla=False)
    expected = between.pictures((a.w([1]) + b.w([2])) / 2)[0]
    assert np.abs(frames[1].astype(int) - expected).max() <= 1
    assert np.array_equal(a.pictures(a.w([1]))[0], frames[0]), "the networks stay as they are"


def test_the_file_and_what_is_refused(networks, tmp_path):
    a, b = networks
    assert make_morph((a, a.w([1])), (b, b.w([2])), tmp_path / "a.webp", seconds=0.5, fps=8, scale=3) == 4
    with Image.open(str(tmp_path / "a.webp")) as video:
        assert video.size == (48, 48) and video.n_frames == 4
    with pytest.raises(UserError, match="would have 0 frames"):
        make_morph((a, a.w([1])), (a, a.w([2])), tmp_path / "b.webp", seconds=0)
    other = network(3, num_channels=1)
    with pytest.raises(UserError, match="cannot be joined by a video, their Gs differ: num_channels is 3 and 1"):
        make_morph((a, a.w([1])), (other, other.w([2])), tmp_path / "b.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]
