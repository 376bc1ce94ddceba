"""The arithmetic of every metric against numbers that the original program gave."""

import numpy as np
import pytest

from sg2ada_colab.metrics.fid import frechet_distance
from sg2ada_colab.metrics.inception_score import inception_score
from sg2ada_colab.metrics.kid import _from_all_pairs, _from_drawn_pairs, kernel_distance, subset_indices
from sg2ada_colab.metrics.precision_recall import precision_and_recall

from .conftest import statistics_of


def distance(real, fake, fakes_unbiased=True):
    return frechet_distance(statistics_of(real, unbiased=False), statistics_of(fake, unbiased=fakes_unbiased))


@pytest.mark.parametrize("name,tolerance", [("fid_a", 1e-5), ("fid_b", 1e-5), ("fid_singular", 5e-5)])
def test_fid(reference, name, tolerance):
    data = reference("metrics")
    real, fake = data[name + ".real"], data[name + ".fake"]
    assert distance(real, fake) == pytest.approx(float(data[name + ".value"]), rel=tolerance)
    assert distance(real, fake) == pytest.approx(float(data[name + ".value_eigen_float64"]), rel=1e-6)
    assert distance(real, fake, False) == pytest.approx(float(data[name + ".value_pytorch_rule"]), rel=tolerance)


def test_fid_of_fewer_reals_and_fakes(reference):
    data = reference("metrics")
    options = data.json("params")["fid_maxreals"]
    real, fake = data["fid_a.real"][: options["max_reals"]], data["fid_a.fake"][: options["num_fakes"]]
    assert distance(real, fake) == pytest.approx(float(data["fid_maxreals.value"]), rel=1e-5)


@pytest.mark.parametrize("name", ["kid_a", "kid_default", "kid_single"])
def test_kid_with_the_legacy_draws(reference, name):
    data = reference("metrics")
    options = data.json("params")[name]
    real, fake = data[name + ".real"], data[name + ".fake"]
    sizes = {"num_subsets": options["num_subsets"], "max_subset_size": options["max_subset_size"]}
    fakes, reals = subset_indices(len(real), len(fake), np.random.RandomState(options["numpy_seed"]), **sizes)
    np.testing.assert_array_equal(fakes, data[name + ".fake_index"])
    np.testing.assert_array_equal(reals, data[name + ".real_index"])
    value = kernel_distance(real, fake, np.random.RandomState(options["numpy_seed"]), **sizes)
    assert value == pytest.approx(float(data[name + ".value"]), rel=2e-6)
    assert value == pytest.approx(float(data[name + ".value_float64"]), rel=1e-9)


@pytest.mark.parametrize("name", ["pr_a", "pr_b", "pr_int"])
def test_precision_and_recall(reference, name):
    data = reference("metrics")
    values = precision_and_recall(data[name + ".real"], data[name + ".fake"])
    assert values == (float(data[name + ".precision_exact"]), float(data[name + ".recall_exact"]))
    assert values == pytest.approx((float(data[name + ".precision"]), float(data[name + ".recall"])), abs=0.03)


@pytest.mark.parametrize("name", ["is_a", "is_b"])
def test_inception_score(reference, name):
    data = reference("metrics")
    mean, std = inception_score(data[name + ".probabilities"], data.json("params")[name]["num_splits"])
    assert mean == pytest.approx(float(data[name + ".mean"]), rel=1e-5)
    assert std == pytest.approx(float(data[name + ".std"]), rel=1e-5)


def test_fid_equals_scipys_matrix_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    draws = np.random.RandomState(2)
    real, fake = draws.normal(size=[300, 12]), draws.normal(0.2, 1.3, size=[200, 12])
    a, b = np.cov(real, rowvar=False, bias=True), np.cov(fake, rowvar=False)
    root = linalg.sqrtm(a @ b).real
    expected = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2) + np.trace(a + b - 2 * root)
    assert distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_fid_stays_finite_with_far_fewer_images_than_features():
    draws = np.random.RandomState(3)
    real, fake = draws.normal(size=[20, 400]), draws.normal(size=[15, 400])
    assert np.isfinite(distance(real, fake)) and distance(real, fake) > 0
    same = statistics_of(real, unbiased=False)
    assert abs(frechet_distance(same, same)) < 1e-6 * np.trace(same.covariance)


@pytest.mark.parametrize("num_reals, num_fakes, most", [(40, 40, 1000), (30, 90, 1000), (2100, 50, 30), (70, 1500, 20)])
def test_kid_of_few_images_from_all_pairs_equals_that_from_drawn_pairs(num_reals, num_fakes, most):
    draws = np.random.RandomState(5)
    x, y = draws.normal(size=[num_fakes, 12]), draws.normal(size=[num_reals, 12]) + 0.3
    fakes, reals = subset_indices(num_reals, num_fakes, draws, 20, most)
    expected = _from_drawn_pairs(x, y, fakes, reals)
    np.testing.assert_allclose(_from_all_pairs(x, y, fakes, reals), expected, rtol=0, atol=1e-11)
    assert np.ptp(expected) > 1e-6 or num_reals == num_fakes


def test_kid_of_equal_distributions_is_unbiased():
    draws = np.random.RandomState(4)
    values = [kernel_distance(draws.normal(size=[60, 5]), draws.normal(size=[60, 5]), draws, num_subsets=1) for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 300**0.5
