"""Paths: NVIDIA's spline, loops that close exactly, ends that are met, and how a noise loop wanders."""

import numpy as np
import pytest

from sg2ada_colab.generate.paths import (
    EASINGS,
    circular_path,
    cubic_path,
    linear_path,
    noise_loop,
    slerp_path,
    there_and_back,
)

CASES = ("loop4", "two", "grid", "keys2", "keys6", "shuffled")
KNOTS = np.random.RandomState(0).randn(2, 4, 3)
BETWEEN = (linear_path, slerp_path, cubic_path)


@pytest.mark.parametrize("case", CASES)
def test_the_spline_is_that_of_nvidias_program(reference, relmax, case):
    data = reference("generate")
    about = data.json("config")["video"][case]
    path = cubic_path(data[f"video.{case}.knots"], closed=True)
    positions = path.positions(about["frames"])
    ours = np.stack([path(position) for position in positions])
    assert relmax(ours, data[f"video.{case}.w"]) < 1e-9


def test_a_spline_through_many_knots_is_that_of_the_whole_system():
    scipy = pytest.importorskip("scipy.interpolate")
    knots = np.random.RandomState(3).randn(1, 40, 2)
    theirs = scipy.CubicSpline(np.arange(-80, 120), np.tile(knots[0], [5, 1]), bc_type="not-a-knot")
    path = cubic_path(knots, closed=True)
    for position in (0.3, 17.5, 39.9):
        np.testing.assert_allclose(path(position)[0], theirs(position), atol=1e-12)


def test_an_open_spline_is_natural():
    scipy = pytest.importorskip("scipy.interpolate")
    for count in (2, 3, 6):
        knots = np.random.RandomState(4).randn(1, count, 2)
        theirs = scipy.CubicSpline(np.arange(count), knots[0], bc_type="natural")
        path = cubic_path(knots, closed=False)
        for position in np.linspace(0, count - 1, 7):
            np.testing.assert_allclose(path(position)[0], theirs(position), atol=1e-9)


@pytest.mark.parametrize("make", BETWEEN)
@pytest.mark.parametrize("easing", sorted(EASINGS))
def test_knots_are_met_and_loops_close_exactly(make, easing):
    loop = make(KNOTS, True, easing)
    assert loop.length == 4
    np.testing.assert_array_equal(loop(4), loop(0))
    np.testing.assert_array_equal(loop(5.25), loop(1.25))
    way = make(KNOTS, False, easing)
    assert way.length == 3
    for path in (loop, way):
        for number in range(path.length + 1 - path.closed):
            np.testing.assert_allclose(path(number), KNOTS[:, number], atol=1e-12)
    assert way.positions(7)[-1] == 3 and loop.positions(8)[-1] == 3.5 and list(way.positions(1)) == [0]


def test_a_step_near_the_end_of_a_loop_is_near_its_beginning():
    for path in [make(KNOTS, True) for make in BETWEEN] + [circular_path(KNOTS[:, 0], KNOTS[:, 1]), noise_loop([1, 2], 3)]:
        assert np.abs(path(path.length - 1e-6) - path(0)).max() < 1e-4


def test_easing():
    knots = np.array([[[0.0], [1.0]]])
    values = {name: [linear_path(knots, False, name)(at).item() for at in (0, 0.25, 0.5, 0.75, 1)] for name in EASINGS}
    assert values["linear"] == [0, 0.25, 0.5, 0.75, 1] and values["in"][1] == 0.0625 and values["out"][1] == 0.4375
    assert values["in-out"] == [0, 0.15625, 0.5, 0.84375, 1]


def test_a_circle_goes_through_both_and_keeps_its_radius():
    a, b = np.random.RandomState(1).randn(2, 1, 8)
    circle = circular_path(a, b)
    np.testing.assert_array_equal(circle(0), a)
    np.testing.assert_array_equal(circle(1), a)
    angle = np.arccos(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))
    met = circle(angle / (2 * np.pi))
    np.testing.assert_allclose(met / np.linalg.norm(met), b / np.linalg.norm(b), atol=1e-9)
    assert all(np.linalg.norm(circle(at)) == pytest.approx(np.linalg.norm(a)) for at in np.linspace(0, 1, 7))


def test_a_noise_loop_is_smooth_closed_and_normal():
    loop = noise_loop([5, 6], 512, diameter=4.0)
    points = np.stack([loop(at) for at in np.linspace(0, 1, 101)])
    np.testing.assert_array_equal(points[0], points[-1])
    assert abs(points.std() - 1) < 0.05 and abs(points.mean()) < 0.05
    steps = np.linalg.norm(np.diff(points[:, 0], axis=0), axis=1)
    assert steps.max() < 2 * steps.min()
    correlation = [np.corrcoef(points[0, 0], points[number, 0])[0, 1] for number in (10, 50)]
    distances = 4.0 * np.sin(np.pi * np.array([0.1, 0.5]))
    np.testing.assert_allclose(correlation, np.exp(-(distances**2) / 2), atol=0.1)
    assert abs(np.corrcoef(points[0, 0], points[0, 1])[0, 1]) < 0.15, "each cell goes its own way"
    near = noise_loop([5], 512, diameter=0.5)
    assert np.corrcoef(near(0)[0], near(0.5)[0])[0, 1] > 0.8


def test_there_and_back():
    sweep = there_and_back(0.2, 1.0)
    assert [float(sweep(at)) for at in (0, 0.5, 1)] == [0.2, 1.0, 0.2]
