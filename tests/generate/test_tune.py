"""Pivotal tuning: the distance at most halves w+'s, w keeps its meaning, the network that was given stays as it is."""

from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.download import local_snapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.perceptual import open_distance
from sg2ada_colab.generate.projector import ProjectOptions, Projector
from sg2ada_colab.generate.target import read_target
from sg2ada_colab.generate.tune import learning_rate, tune
from sg2ada_colab.networks.config import GeneratorConfig
from sg2ada_colab.networks.variables import generator_specs
from tests.oracles.forms import FORMS
from tests.oracles.mean_square import MeanSquare
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot(4).Gs, xla=False)


def test_tuning_comes_much_closer(generator):
    target = np.clip(generator.pictures(generator.w([1]))[0].astype(int) + 30, 0, 255).astype(np.uint8)
    w, before_values = generator.w([1]), {name: value.copy() for name, value in generator.network.variables.items()}
    tuned, before, after = tune(generator, target, w, MeanSquare(), 350)
    assert after <= before / 2
    expected = np.square(np.float64(tuned.synthesize(w)[0] + 1) * 127.5 - target).mean() * 1e-4
    assert after == pytest.approx(expected, rel=1e-3)
    for name, value in tuned.network.variables.items():
        assert np.array_equal(generator.network.variables[name], before_values[name])
        trained = name.startswith("synthesis/") and "synthesis/noise" not in name
        assert not trained or not np.array_equal(value, before_values[name]) or "ToRGB/mod" in name or value.size < 7, name
        assert trained or np.array_equal(value, before_values[name]), name
    assert np.array_equal(tuned.w([3]), generator.w([3]))


def test_a_rectangle_with_transparency_is_tuned_over_black_and_white():
    generator = TrainedGenerator(small_snapshot(4, **FORMS["wide rgba"]).Gs, xla=False)
    target = np.clip(generator.pictures(generator.w([1]))[0].astype(int) + 30, 0, 255).astype(np.uint8)
    target[:4, :, 3] = 0
    _, before, after = tune(generator, target, generator.w([1]), MeanSquare(), 30)
    assert after < 0.8 * before


@pytest.mark.parametrize("channels, expected", [(512, 3e-4), (1024, 3e-4), (64, 2.4e-3), (16, 5e-3)])
def test_narrow_networks_have_a_larger_learning_rate(channels, expected):
    class Network:
        specs = generator_specs(GeneratorConfig(resolution=16, fmap_base=1 << 20, fmap_max=channels))

    assert learning_rate(Network) == pytest.approx(expected)


@pytest.mark.slow
def test_tuning_to_a_photograph_halves_the_distance_of_w_plus():
    """The network that ships, on the photograph that matplotlib brings."""
    matplotlib = pytest.importorskip("matplotlib")
    path = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    if not path.is_file():
        pytest.skip("this matplotlib has no sample photograph")
    network, distance = read_snapshot(local_snapshot("flags")).Gs, open_distance("efflite0", say=None)
    shipped = TrainedGenerator(network, title="flags", xla=False)
    target = read_target(str(path), shipped).pixels
    found = Projector(shipped, distance, ProjectOptions(steps=150, space="w+")).project(target)
    tuned, before, after = tune(shipped, target, found.w, distance, 150)
    print(f"mean picture {found.distance_of_mean:.3f}, w+ {found.distance:.3f}, tuned {after:.3f}")
    assert before == pytest.approx(found.distance, rel=1e-3) and after <= found.distance / 2
    pixels = [np.square(one.pictures(found.w)[0].astype(float) - target).mean() for one in (shipped, tuned)]
    assert pixels[1] <= pixels[0] / 2, "by another measure, too"


def test_a_number_of_steps_that_is_none(generator):
    with pytest.raises(UserError, match="The number of tuning steps is 0"):
        tune(generator, np.zeros([16, 16, 3], np.uint8), generator.w([1]), MeanSquare(), 0)
