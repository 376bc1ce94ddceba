"""RGBA while it is measured: the same mixture under reals and fakes, by number; named where the result is written."""

import json

import numpy as np
import pytest

from sg2ada_colab.config.metric_names import parse_metric
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_data import NetworkData
from sg2ada_colab.metrics.backgrounds import OverBackgrounds, backgrounds_of, backgrounds_words, composited
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure_all
from sg2ada_colab.metrics.path_pairs import PathPairs
from sg2ada_colab.metrics.reals import real_features, real_images
from sg2ada_colab.metrics.report import write_result
from tests.oracles.small_snapshots import small_snapshot

from .conftest import MemoryDataset, images_by_number, random_network


def rgba_by_number(count, start, stream="fakes"):
    return images_by_number(count, start, channels=4, stream=stream)


def rgba_dataset(count=100):
    dataset = MemoryDataset(rgba_by_number(count, 0, "reals"))
    dataset.channels = 4
    return dataset


def test_the_mixture_is_of_numbers_alone():
    whole = backgrounds_of(3, 4000, 0)
    np.testing.assert_array_equal(backgrounds_of(3, 70, 31), whole[31:101])
    assert (backgrounds_of(4, 100, 0) != whole[:100]).any()
    assert abs((whole == 255).all(axis=1).mean() - 0.25) < 0.03 and abs((whole == 0).all(axis=1).mean() - 0.25) < 0.03
    assert len(np.unique(whole, axis=0)) > 1500


def test_pixels_lie_over_their_own_background():
    images, below = rgba_by_number(5, 7), backgrounds_of(0, 5, 7).astype(np.float64)
    alpha = images[..., 3:] / 255.0
    expected = images[..., :3] * alpha + below[:, None, None] * (1 - alpha)
    assert np.abs(composited(images, 0, 7) - expected).max() <= 0.51
    np.testing.assert_array_equal(OverBackgrounds(rgba_by_number, 0)(5, 7), composited(images, 0, 7))
    np.testing.assert_array_equal(OverBackgrounds(rgba_by_number, 0).launch(5, 7)[0], composited(images, 0, 7))
    rgb = images_by_number(2, 0)
    assert composited(rgb, 0, 0) is rgb


def test_values_equal_those_of_images_composited_before(tmp_path):
    dataset, options = rgba_dataset(), MeasureOptions(networks=random_network, cache_dir=tmp_path / "cache", seed=2)
    names = ["kid64_efflite0", "fd64_efflite0"]
    results = measure_all(names, rgba_by_number, dataset, options)
    reals = MemoryDataset(composited(rgba_by_number(100, 0, "reals"), 2, 0))
    fakes = composited(rgba_by_number(64, 0), 2, 0)
    plain = MeasureOptions(networks=random_network, cache_dir=tmp_path / "other", seed=2)
    for ours, other in zip(results, measure_all(names, lambda count, start: fakes[start : start + count], reals, plain)):
        assert ours.values == other.values and set(other.notes) < set(ours.notes)
        assert ours.notes[-1] == backgrounds_words(2) and "white" in ours.notes[-1]
    write_result(tmp_path, tmp_path / "network-snapshot-000001.pkl", results[0])
    line = json.loads((tmp_path / "metric-kid64_efflite0.jsonl").read_text())
    assert backgrounds_words(2) in line["notes"]


def test_kept_features_are_of_one_mixture():
    dataset = rgba_dataset()
    assert real_images(dataset, background_seed=1).identity != real_images(dataset, background_seed=2).identity
    rgb = MemoryDataset(images_by_number(9, 0))
    assert real_images(rgb, background_seed=1).identity == real_images(rgb).identity
    assert "over" not in real_images(rgb).identity


def test_neighbours_are_looked_for_over_one_grey(tmp_path, network):
    dataset = rgba_dataset(9)
    np.testing.assert_array_equal(real_features(dataset, network, tmp_path), network(composited(dataset.images, None, 0)))
    assert (composited(np.zeros([1, 2, 2, 4], np.uint8), None, 0) == 128).all()


def test_rgb_against_rgba_is_refused():
    specs = [parse_metric("kid64_efflite0")]
    with pytest.raises(UserError) as caught:
        measure_all(specs, rgba_by_number, MemoryDataset(images_by_number(9, 0)), MeasureOptions(networks=random_network))
    assert "images of 16x16 px in RGBA, the dataset holds 16x16 px in RGB" in caught.value.what
    assert caught.value.next_step.endswith("prepared with --alpha keep")
    with pytest.raises(UserError) as caught:
        measure_all(specs, images_by_number, rgba_dataset(9), MeasureOptions(networks=random_network))
    assert caught.value.next_step.endswith("prepared without --alpha keep")


def test_pairs_of_rgba_are_rgb_over_one_colour():
    Gs = small_snapshot(num_channels=4).Gs
    variables = {name: value * 0 if "ToRGB" in name else value for name, value in Gs.variables.items()}
    clear = NetworkData("Gs", Gs.kwargs, dict(variables, **{"synthesis/16x16/ToRGB/bias": np.float32([1, 1, 1, -1])}))
    pairs = PathPairs(clear, "w", "end", crop=False, xla=False)(34, 0)
    assert pairs.shape == (34, 2, 16, 16, 3)
    below = np.broadcast_to(backgrounds_of(0, 34, 0)[:, None, None, None], pairs.shape)
    np.testing.assert_allclose(pairs, below, rtol=0, atol=1e-3)
