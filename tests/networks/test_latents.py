"""Latent vectors of seeds, and the arc between two."""

import numpy as np
import pytest

from sg2ada_colab.networks.latents import seed_latents, slerp, unit


def test_a_seed_is_the_first_draw_of_its_random_state():
    z = seed_latents([5, 5, 7], 8)
    assert z.dtype == np.float32 and z.shape == (3, 8)
    np.testing.assert_array_equal(z[0], np.random.RandomState(5).randn(8).astype(np.float32))
    np.testing.assert_array_equal(z[0], z[1])
    assert seed_latents([], 8).shape == (0, 8)


def test_slerp_as_in_the_reference(reference, relmax):
    data = reference("metrics")
    assert relmax(slerp(unit(data["slerp.a"]), unit(data["slerp.b"]), data["slerp.t"]), data["slerp.out"]) < 1e-6
    a, b = np.eye(2)
    np.testing.assert_allclose(slerp(a[None], b[None], np.array([[0.5]])), [[0.5**0.5, 0.5**0.5]])


def test_slerp_ends_at_its_ends_and_keeps_the_length_between():
    a, b = np.random.RandomState(0).randn(2, 512)
    assert np.allclose(slerp(a, b, 0), a) and np.allclose(slerp(a, b, 1), b)
    assert np.linalg.norm(slerp(unit(a), unit(b), 0.37)) == pytest.approx(1)
    assert np.allclose(slerp(a, a, 0.5), a)
