"""Feature sets: metrics that need the same features share them, and one pass over the images serves all networks."""

import numpy as np
import pytest

from sg2ada_colab.metrics.feature_set import FeatureSet, FeatureSets, ImageSource, Watch, gather
from sg2ada_colab.metrics.feature_store import GatheredMoments, GatheredRows

from .conftest import images_by_number, random_network


@pytest.fixture
def asked():
    """Return the list of (count, start) that `source` was asked for."""
    return []


@pytest.fixture
def source(asked):
    def images_of(count, start):
        asked.append((count, start))
        return images_by_number(count, start)

    return ImageSource("fakes", "fakes/one", images_of)


def test_equal_requests_share_a_set_and_rows_win_over_sums(source):
    sets, network = FeatureSets(), random_network()
    fid = sets.request(network, "features", source, 64, needs_rows=False)
    same = ImageSource("fakes", "fakes/one", lambda count, start: None)
    assert sets.request(network, "features", same, 64) is fid and fid.needs_rows
    assert isinstance(fid.store, GatheredRows)
    other = sets.request(network, "features", source, 32, needs_rows=False)
    assert other is not fid and isinstance(other.store, GatheredMoments)
    assert sets.request(network, "probabilities", source, 64) is not fid


def test_two_networks_see_each_image_once(source, asked):
    sets, first, second = FeatureSets(), random_network("one"), random_network("two", width=4)
    wanted = [sets.request(first, "features", source, 80), sets.request(second, "features", source, 50)]
    sets.gather(Watch())
    assert asked == [(32, 0), (32, 32), (16, 64)]
    for one, network, count in zip(wanted, (first, second), (80, 50)):
        np.testing.assert_array_equal(one.store.rows(), network(images_by_number(count, 0)))


def test_progress_counts_images_and_a_stop_keeps_what_was_gathered(source, asked, tmp_path):
    kept = ImageSource("reals", "reals/one", source.images_of, tmp_path)
    seen = []
    watch = Watch(lambda *words: seen.append(words), lambda: len(seen) == 2)
    with pytest.raises(KeyboardInterrupt):
        gather([FeatureSet(random_network(), "features", kept, 96)], watch)
    assert seen == [("reals", 32, 96), ("reals", 64, 96)]
    asked.clear()
    again = FeatureSet(random_network(), "features", kept, 96)
    gather([again], Watch())
    assert asked == [(32, 64)] and again.store.count == 96
