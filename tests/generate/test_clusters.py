"""Cluster centres of vectors."""

import numpy as np

from sg2ada_colab.generate.clusters import cluster_centres, nearest_centres

CORNERS = np.array([[0, 0, 9], [9, 0, 0], [-9, 0, 0], [0, 9, 0]], np.float64)


def clouds():
    return np.concatenate([corner + np.random.RandomState(i).randn(100, 3) for i, corner in enumerate(CORNERS)])


def test_centres_are_the_means_of_clouds_that_lie_apart():
    vectors = clouds()
    centres = cluster_centres(vectors, 4)
    order = [int(np.argmin(((centres - corner) ** 2).sum(axis=1))) for corner in CORNERS]
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_allclose(centres[order], vectors.reshape(4, 100, 3).mean(axis=1), atol=1e-5)


def test_each_vector_is_nearest_to_its_own_cloud():
    np.testing.assert_array_equal(nearest_centres(clouds(), CORNERS), np.repeat(CORNERS, 100, axis=0))


def test_the_same_vectors_give_the_same_centres_and_one_centre_is_the_mean():
    np.testing.assert_array_equal(cluster_centres(clouds(), 7), cluster_centres(clouds(), 7))
    np.testing.assert_allclose(cluster_centres(clouds(), 1)[0], clouds().mean(axis=0), atol=1e-5)
    assert cluster_centres(np.zeros([5, 2]), 3).shape == (3, 2)  # fewer different vectors than centres
