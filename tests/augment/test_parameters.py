"""What is drawn: how often gates open, how the parameters are distributed, and that p = 1 is still invertible in distribution."""

import math

import numpy as np
import pytest

from sg2ada_colab.augment.config import TRANSFORMS, AugmentConfig
from sg2ada_colab.augment.parameters import draw, sample_transforms
from sg2ada_colab.tf import tf

COUNT, SIZE = 40000, 64
ALL = AugmentConfig(**dict.fromkeys(TRANSFORMS, 1.0))
WITHOUT_FIELD = AugmentConfig(**{name: 1.0 for name in TRANSFORMS if name != "noise"})
NEUTRAL = {"scale": 1, "aniso": 1, "contrast": 1, "saturation": 1, "imgfilter": 1, "cutout": -10}
# The chance that an open gate leaves the image as it is: one of two flips, one of four turns, shifts that round to 0.
IDLE = {"xflip": 1 / 2, "rotate90": 1 / 4, "lumaflip": 1 / 2, "xint": (1 / 16) ** 2}


@pytest.fixture(scope="module")
def draws():
    return draw(tf.constant([11, 12]), WITHOUT_FIELD, [COUNT, SIZE, SIZE, 3])


def drawn(draws, p, config=WITHOUT_FIELD):
    return {name: value.numpy() for name, value in sample_transforms(draws, p, config, SIZE, SIZE).items()}


def changed(values, name):
    different = values != NEUTRAL.get(name, 0)
    return different.any(axis=1) if name in ("xint", "xfrac", "cutout") else different


def check_rate(mask, expected, what):
    rate, sigma = np.mean(mask), math.sqrt(max(expected * (1 - expected), 1e-12) / mask.size)
    assert abs(rate - expected) <= 5 * sigma + 1e-9, f"{what}: {rate} instead of {expected}"


@pytest.mark.parametrize("p", [0.0, 0.05, 0.3, 0.6, 0.9, 1.0, 2.5])
def test_gates_open_as_often_as_p_says(draws, p):
    made, open_rate = drawn(draws, p), min(p, 1.0)
    assert set(made) == (set(TRANSFORMS) - {"noise", "rotate"}) | {"rotate_pre", "rotate_post"}
    for name, values in made.items():
        if name.startswith("rotate_"):
            check_rate(changed(values, name), 1 - math.sqrt(1 - open_rate), name)
        else:
            check_rate(changed(values, name), open_rate * (1 - IDLE.get(name, 0)), name)
    either = changed(made["rotate_pre"], "rotate_pre") | changed(made["rotate_post"], "rotate_post")
    check_rate(either, open_rate, "either rotation")


def test_gates_of_transforms_are_independent(draws):
    made = drawn(draws, 0.4)
    masks = [changed(made[name], name) for name in ("scale", "aniso", "xfrac", "brightness", "contrast", "hue", "cutout")]
    masks += list((made["imgfilter"] != 1).T)
    for i, one in enumerate(masks):
        for other in masks[:i]:
            check_rate(one & other, 0.16, "two gates")


def test_multipliers_scale_the_rate(draws):
    half = AugmentConfig(scale=0.5, rotate=0.5, cutout=2.0, hue=0.0)
    made = drawn(draws, 0.6, half)
    assert set(made) == {"scale", "rotate_pre", "rotate_post", "cutout"}
    check_rate(changed(made["scale"], "scale"), 0.3, "scale")
    check_rate(changed(made["rotate_pre"], "rotate_pre") | changed(made["rotate_post"], "rotate_post"), 0.3, "rotate")
    check_rate(changed(made["cutout"], "cutout"), 1.0, "cutout")


def normal_cdf(x):
    return np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


def check_distribution(values, cdf, what):
    """Kolmogorov-Smirnov: the largest gap between the empirical and the wanted distribution, at a level of about 1e-6."""
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    wanted = cdf(ordered)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    gap = max(np.max(steps[1:] - wanted), np.max(wanted - steps[:-1]))
    assert gap < 2.7 / math.sqrt(len(ordered)), f"{what}: gap {gap}"


@pytest.mark.parametrize("p", [0.25, 1.0])
def test_parameters_are_distributed_as_in_the_paper(draws, p):
    made = drawn(draws, p)
    opened = {name: values[changed(values, name)] for name, values in made.items() if name != "imgfilter"}

    for name, std in (("scale", 0.2), ("aniso", 0.2), ("contrast", 0.5), ("saturation", 1.0)):
        check_distribution(np.log2(opened[name]) / std, normal_cdf, name)
    check_distribution(opened["brightness"] / 0.2, normal_cdf, "brightness")
    check_distribution(opened["xfrac"] / (0.125 * SIZE), normal_cdf, "xfrac")
    for band in range(4):
        values = made["imgfilter"][:, band]
        check_distribution(np.log2(values[values != 1]), normal_cdf, f"imgfilter {band}")
    for name in ("hue", "rotate_pre", "rotate_post"):
        check_distribution(opened[name] / (2 * math.pi) + 0.5, lambda u: np.clip(u, 0, 1), name)
    check_distribution(opened["cutout"], lambda u: np.clip(u, 0, 1), "cutout")

    for turn in (1, 2, 3):
        check_rate(opened["rotate90"] == turn, 1 / 3, "turns")
    shifts = made["xint"][changed(made["xint"], "xint")]
    assert set(np.unique(shifts)) == set(range(-8, 9)) and np.all(shifts == np.rint(shifts))
    check_rate(np.abs(shifts) == 8, 1 / 16, "widest shift")  # half a pixel at either end of ±8


def test_noise_is_half_normal():
    made = drawn(draw(tf.constant([1, 2]), ALL, [COUNT, 1, 1, 1]), 1.0, ALL)
    check_distribution(made["noise"] / 0.1, lambda s: 2 * normal_cdf(s) - 1, "noise")
    check_distribution(made["noise_field"], normal_cdf, "noise field")


@pytest.mark.parametrize("p", [0.3, 0.6, 0.8])
def test_the_clean_distribution_can_be_recovered(draws, p):
    # Section 2.2 of the paper: a transform drawn with probability p < 1 mixes the distribution invertibly. For turns of 90°
    # the mixing is a circulant matrix whose smallest eigenvalue is 1 - p; undoing it returns the clean shares.
    made = drawn(draws, p)
    shares = np.array([np.mean(made["rotate90"] == turn) for turn in range(4)])
    mixing = np.stack([np.roll(shares, shift) for shift in range(4)], axis=1)
    assert np.min(np.abs(np.linalg.eigvals(mixing))) == pytest.approx(1 - p, abs=0.02)
    clean = np.array([0.7, 0.2, 0.0, 0.1])
    expected = np.stack([np.roll([1 - 0.75 * p] + [p / 4] * 3, shift) for shift in range(4)], axis=1)
    np.testing.assert_allclose(np.linalg.solve(expected, mixing @ clean), clean, atol=0.02 / (1 - p))
    check_rate(made["xflip"] == 1, p / 2, "flips stay the rarer half")


def test_draws_do_not_depend_on_the_pipe():
    seed, shape = tf.constant([5, 5]), [6, 16, 16, 3]
    blit = draw(seed, AugmentConfig.from_pipe("blit"), shape)
    full = draw(seed, AugmentConfig.from_pipe("bgcfnc"), shape)
    for name, value in blit.items():
        np.testing.assert_array_equal(value, full[name])
    assert "noise.field" in full and "noise.field" not in blit


def test_strength_may_differ_by_image(draws):
    few = {name: value[:1000] for name, value in draws.items()}
    p = np.repeat(np.array([0.0, 1.0], np.float32), 500)
    made = drawn(few, tf.constant(p))
    assert not changed(made["scale"][:500], "scale").any() and changed(made["scale"][500:], "scale").all()
    assert not made["rotate_pre"][:500].any() and made["rotate_pre"][500:].all()
