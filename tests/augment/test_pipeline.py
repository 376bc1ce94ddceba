"""The whole pipeline against arrays of the original, with its draws and percentiles fed in; gradients; skipping; seeds."""
import numpy as np
import pytest

from sg2ada_colab.augment.config import PIPES, TRANSFORMS, AugmentConfig
from sg2ada_colab.augment.parameters import draw, parameters
from sg2ada_colab.augment.pipeline import apply, augment
from sg2ada_colab.errors import UserError
from sg2ada_colab.tf import IS_TF1, compiled, tf

TOLERANCE = 1e-4
FILES = ["augment_rgb32_single", "augment_rgb32_pipes", "augment_gray32", "augment_rgb64"]
PREFIX = {"xflip": "i", "rotate90": "i", "scale": "s", "aniso": "s", "brightness": "b", "contrast": "c", "lumaflip": "i",
          "hue": "theta", "saturation": "s"}  # fmt: skip


def nhwc(x):
    return np.ascontiguousarray(np.transpose(x, [0, 2, 3, 1]))


def nchw(x):
    return np.transpose(np.asarray(x), [0, 3, 1, 2])


def percentile_parameters(transforms, values, count, size, field):
    """Return what every image undergoes at one percentile of all distributions."""
    made = {}

    def every(value, width=()):
        return np.full((count,) + width, value, np.float32)

    for name in transforms:
        if name in PREFIX:
            made[name] = every(values["{}_{}".format(name, PREFIX[name])])
        elif name == "xint":
            made[name] = every(np.rint(values["xint_t"] * size), (2,))
        elif name == "xfrac":
            made[name] = every(values["xfrac_t"] * size, (2,))
        elif name == "rotate":
            made["rotate_pre"], made["rotate_post"] = every(values["rotate_pre_theta"]), every(values["rotate_post_theta"])
        elif name == "imgfilter":
            made[name] = every(values["imgfilter_t"], (4,))
        elif name == "noise":
            made[name], made["noise_field"] = every(values["noise_sigma"]), field
        else:
            made[name] = every(values["cutout_center"], (2,))
    return {name: tf.constant(value) for name, value in made.items()}


def check_percentiles(reference, relmax, name, wanted, run):
    golden = reference(name)
    values = golden.json("parameters_by_percentile")
    entries = [e for e in golden.json("index") if wanted(e)]
    assert entries
    for entry in entries:
        images = golden[entry["images"] + ".images"]
        field = nhwc(golden[entry["images"] + ".noise_field"])
        params = percentile_parameters(
            entry["transforms"], values[str(entry["percentile"])], images.shape[0], images.shape[2], field
        )
        result = nchw(run(tf.constant(nhwc(images)), params))
        assert relmax(result, golden[entry["key"]]) < TOLERANCE, entry["key"]


def run_plain(images, params):
    return apply(images, params, AugmentConfig())


@pytest.mark.parametrize("name", FILES)
def test_percentiles(reference, relmax, name):
    check_percentiles(reference, relmax, name, lambda e: True, run_plain)


@pytest.mark.slow
@pytest.mark.skipif(IS_TF1, reason="no XLA")
@pytest.mark.parametrize("name", FILES)
def test_all_percentiles_compiled(reference, relmax, name):
    check_percentiles(reference, relmax, name, lambda e: True, compiled(run_plain))


def test_smaller_range_of_whole_pixel_shifts(reference, relmax):
    golden = reference(FILES[0])
    images = golden["rgb32.images"]
    config = AugmentConfig(xint=1, xint_max=1 / 32)
    draws = draw(tf.constant([0, 0]), config, [2, 32, 32, 3])
    draws["xint.value"] = tf.fill([2, 2], 0.9)
    params = parameters(draws, 1.0, config, 32)
    np.testing.assert_array_equal(params["xint"], np.full([2, 2], np.rint(0.8)))
    result = apply(tf.constant(nhwc(images)), params, config)
    assert relmax(nchw(result), golden["rgb32.xint_max1_32.p0.9"]) < TOLERANCE


def test_whole_pipe_at_strength_0_is_the_identity(reference, relmax):
    golden = reference(FILES[0])
    images = golden["rgb32.images"]
    result = augment(tf.constant(nhwc(images)), 0.0, AugmentConfig.from_pipe("bgcfnc"), tf.constant([5, 6]))
    assert relmax(nchw(result), golden["rgb32.bgcfnc.strength0"]) < 1e-6
    assert relmax(nchw(result), images) < 1e-6


RANDOM = [
    ("augment_random_rgb", "random_bg_rgb32_p1"),
    ("augment_random_rgb", "random_bgcfnc_rgb32"),
    ("augment_random_gray", "random_bgcfnc_gray64"),
    ("augment_random_gray", "random_blit_gray32"),
    ("augment_random_rgb", "random_bgc_rgb32"),
]


@pytest.mark.parametrize("name, tag", RANDOM)
def test_prescribed_draws_and_exact_gradient(reference, relmax, name, tag):
    check_prescribed_draws(reference, relmax, name, tag, lambda function: function)


def test_prescribed_draws_in_a_plain_graph(reference, relmax):
    check_prescribed_draws(reference, relmax, *RANDOM[-1], compile=lambda function: compiled(function, xla=False))


@pytest.mark.skipif(IS_TF1, reason="no XLA")
@pytest.mark.parametrize("name, tag", [pytest.param(*r, marks=pytest.mark.slow) for r in RANDOM[:-1]] + RANDOM[-1:])
def test_prescribed_draws_and_exact_gradient_compiled(reference, relmax, name, tag):
    check_prescribed_draws(reference, relmax, name, tag, compiled)


def check_prescribed_draws(reference, relmax, name, tag, compile):
    golden = reference(name)
    entry = golden.json("random_index")[tag]
    images = golden[tag + ".images"]
    count, channels, size, _ = images.shape
    config = AugmentConfig(**dict.fromkeys(entry["transforms"], 1.0))
    draws = draw(tf.constant([0, 0]), config, [count, size, size, channels])
    for key in entry["draws"]:
        value = golden["{}.draw.{}".format(tag, key)]
        draws[key] = tf.constant(nhwc(value) if key == "noise.field" else value)
    d_out = tf.constant(nhwc(golden[tag + ".dout"]))

    def run(images, draws):  # draws are an input, for as constants they would be folded at length
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = apply(images, parameters(draws, entry["strength"], config, size), config)
            score = tf.reduce_sum(result * d_out)
        return result, tape.gradient(score, images)

    result, d_in = compile(run)(tf.constant(nhwc(images)), draws)
    assert relmax(nchw(result), golden[tag + ".out"]) < TOLERANCE
    assert relmax(nchw(d_in), golden[tag + ".din_exact"]) < TOLERANCE


COMPILED = pytest.param(True, marks=[pytest.mark.slow, pytest.mark.skipif(IS_TF1, reason="no XLA")])


@pytest.mark.parametrize("xla", [False, COMPILED])
def test_second_order_gradient(relmax, xla):
    # The pipeline is affine: A(x) = J x + b. R1's penalty |d Σ weight·A(x)² / dx|² then has a closed form.
    config = AugmentConfig.from_pipe("bgc")
    size, count = 6, 2
    draws = draw(tf.constant([3, 4]), config, [count, size, size, 3])
    params = parameters(draws, 0.9, config, size)
    rng = np.random.RandomState(0)
    images = rng.randn(count, size, size, 3).astype(np.float32)
    weight = rng.randn(count, size, size, 3).astype(np.float32)

    def run(images, weight, params):
        with tf.GradientTape() as outer:
            outer.watch([images, weight])
            with tf.GradientTape() as inner:
                inner.watch(images)
                score = tf.reduce_sum(weight * apply(images, params, config) ** 2)
            penalty = tf.reduce_sum(inner.gradient(score, images) ** 2)
        return [penalty] + outer.gradient(penalty, [images, weight])

    penalty, d_images, d_weight = compiled(run, xla)(tf.constant(images), tf.constant(weight), params)

    pixels = size * size * 3
    basis = np.concatenate([np.zeros([1, pixels]), np.eye(pixels)]).astype(np.float32)
    basis = np.repeat(basis, count, axis=0).reshape([-1, size, size, 3])  # each basis image once for every draw of the batch
    tiled = {key: tf.tile(value, [pixels + 1] + [1] * (len(value.shape) - 1)) for key, value in params.items()}
    columns = apply(tf.constant(basis), tiled, config).numpy().reshape([pixels + 1, count, pixels]).astype(np.float64)
    offset, jacobian = columns[0], np.transpose(columns[1:] - columns[:1], [1, 2, 0])
    x, w = images.reshape([count, pixels]), weight.reshape([count, pixels])
    y = np.einsum("noi,ni->no", jacobian, x) + offset
    gradient = 2 * np.einsum("noi,no->ni", jacobian, w * y)
    pushed = np.einsum("noi,ni->no", jacobian, gradient)  # how the outputs move along the gradient
    assert relmax(penalty, np.sum(gradient**2)) < 1e-4
    assert relmax(np.reshape(d_weight, [count, pixels]), 4 * y * pushed) < 1e-4
    assert relmax(np.reshape(d_images, [count, pixels]), 4 * np.einsum("noi,no->ni", jacobian, w * pushed)) < 1e-4


def test_one_seed_gives_one_result_and_other_seeds_others():
    images = tf.constant(np.random.RandomState(1).randn(4, 16, 16, 3).astype(np.float32))
    config = AugmentConfig.from_pipe("bgc", noise=1)
    first = augment(images, 0.8, config, tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(first, augment(images, 0.8, config, tf.constant([1, 2])).numpy())
    other = augment(images, 0.8, config, tf.constant([1, 3])).numpy()
    assert np.abs(first - other).max() > 0.1


def test_images_do_not_mix():
    # Every image is changed by its own draws alone; only the margins are shared, and they are wide enough here.
    images = np.random.RandomState(2).randn(3, 32, 32, 3).astype(np.float32)
    config = AugmentConfig.from_pipe("bgcfnc")
    first = augment(tf.constant(images), 0.5, config, tf.constant([9, 9])).numpy()
    changed = images.copy()
    changed[1] += 1
    second = augment(tf.constant(changed), 0.5, config, tf.constant([9, 9])).numpy()
    np.testing.assert_array_equal(first[[0, 2]], second[[0, 2]])
    assert np.abs(first[1] - second[1]).max() > 0.1


@pytest.mark.parametrize("pipe", sorted(PIPES))
def test_every_pipe_runs_and_is_finite_at_any_strength(pipe):
    config = AugmentConfig.from_pipe(pipe)
    images = tf.constant(np.random.RandomState(3).uniform(-1, 1, [4, 32, 32, 1]).astype(np.float32))
    for p in (0.0, 0.5, 1.0, 21.0):
        result = augment(images, p, config, tf.constant([7, 8])).numpy()
        assert result.shape == (4, 32, 32, 1) and np.all(np.isfinite(result))


def test_config_from_pipe_and_arguments():
    config = AugmentConfig.from_pipe("bgc")
    assert [t for t in TRANSFORMS if config.has(t)] == list(PIPES["bgc"]) and len(PIPES["bgc"]) == 12
    assert config == AugmentConfig.from_apply_args(dict.fromkeys(PIPES["bgc"], 1))
    assert AugmentConfig.from_apply_args(config.to_dict()) == config
    assert AugmentConfig.from_pipe("blit", xint_max=1 / 32).xint_max == 1 / 32
    assert config.enabled(0.1) and not config.enabled(0.0) and not AugmentConfig().enabled(1.0)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: AugmentConfig.from_pipe("bcg"), "There is no augmentation pipe named 'bcg'"),
        (lambda: AugmentConfig.from_apply_args({"xflip": 1, "blur": 1, "solarize": 1}), "settings: blur, solarize."),
        (lambda: AugmentConfig(scale=-1, hue=float("nan"), noise=True), "scale=-1, hue=nan, noise=True"),
        (lambda: AugmentConfig.from_pipe("bgcf").check_images(16, 3), "16x16 pixels are too small for the transform 'imgfilter'"),
        (lambda: AugmentConfig.from_pipe("bgc").check_images(64, 4), "images with 4 channels"),
        (lambda: AugmentConfig.from_pipe("geom").check_images(2, 3), "2x2 pixels are too small for the geometric"),
    ],
)
def test_bad_settings_are_refused(make, text):
    with pytest.raises(UserError) as caught:
        make()
    assert text in caught.value.what


def test_good_settings_pass():
    AugmentConfig.from_pipe("bgcfnc").check_images(32, 1)
    AugmentConfig.from_pipe("bgc").check_images(4, 3)
    AugmentConfig.from_pipe("bg").check_images(64, 4)
