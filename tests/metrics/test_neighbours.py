"""Nearest training images: found by brute force alike, copies are noticed."""

import numpy as np

from sg2ada_colab.metrics.neighbours import memorisation_sentence, nearest_reals


def test_equals_brute_force():
    draws = np.random.RandomState(0)
    reals, fakes = draws.randn(600, 7), draws.randn(300, 7)
    found = nearest_reals(reals, fakes, 4)
    for row in (0, 17, 299):
        distances = np.sqrt(((reals - fakes[row]) ** 2).sum(axis=1))
        np.testing.assert_array_equal(found.indices[row], np.argsort(distances)[:4])
        np.testing.assert_allclose(found.distances[row], np.sort(distances)[:4], rtol=1e-9)
    among = np.sqrt(((reals[:, None] - reals[None]) ** 2).sum(axis=2)) + np.diag(np.full(600, np.inf))
    assert abs(found.usual - np.median(among.min(axis=1))) < 0.03


def test_copies_are_noticed_and_new_images_are_not():
    reals = np.random.RandomState(1).randn(100, 8)
    assert memorisation_sentence(nearest_reals(reals, reals[:40] + 0.01)).startswith("100% of 40 fakes")
    assert "copies" in memorisation_sentence(nearest_reals(reals, reals[:40] + 0.01))
    new = memorisation_sentence(nearest_reals(reals, np.random.RandomState(2).randn(40, 8)))
    assert new.startswith("0% of 40") and "copies" not in new


def test_fewer_reals_than_wanted():
    found = nearest_reals(np.eye(3), np.eye(3)[:2], 5)
    assert found.indices.shape == (2, 3) and found.indices[1, 0] == 1
