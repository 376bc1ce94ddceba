"""The whole pipeline against arrays of the original, with its draws and percentiles fed in; gradients; skipping; seeds."""

import math

import numpy as np
import pytest

from sg2ada_colab.augment.config import PIPES, TRANSFORMS, AugmentConfig
from sg2ada_colab.augment.parameters import draw, sample_transforms
from sg2ada_colab.augment.pipeline import apply, augment
from sg2ada_colab.errors import UserError
from sg2ada_colab.tf import IS_TF1, compiled, compiling_for, tf

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
            made[name] = every(values[f"{name}_{PREFIX[name]}"])
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
    """Each transform by itself in RGB at 32 pixels, and all of them in each file's pipes: a program takes a second to compile."""
    check_percentiles(reference, relmax, name, lambda e: name == FILES[0] or len(e["transforms"]) > 1, compiled(run_plain))


def test_smaller_range_of_whole_pixel_shifts(reference, relmax):
    golden = reference(FILES[0])
    images = golden["rgb32.images"]
    config = AugmentConfig(xint=1, xint_max=1 / 32)
    draws = draw(tf.constant([0, 0]), config, [2, 32, 32, 3])
    draws["xint.value"] = tf.fill([2, 2], 0.9)
    params = sample_transforms(draws, 1.0, config, 32, 32)
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
        value = golden[f"{tag}.draw.{key}"]
        draws[key] = tf.constant(nhwc(value) if key == "noise.field" else value)
    d_out = tf.constant(nhwc(golden[tag + ".dout"]))

    def run(images, draws):  # draws are an input, for as constants they would be folded at length
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = apply(images, sample_transforms(draws, entry["strength"], config, size, size), config)
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
    params = sample_transforms(draws, 0.9, config, size, size)
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


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: AugmentConfig.from_pipe("bcg"), "There is no augmentation pipe named 'bcg'"),
        (lambda: AugmentConfig.from_apply_args({"xflip": 1, "blur": 1, "solarize": 1}), "settings: blur, solarize."),
        (lambda: AugmentConfig(scale=-1, hue=float("nan"), noise=True), "scale=-1, hue=nan, noise=True"),
        (lambda: AugmentConfig.from_pipe("bgcf").check_images(16, 16, 3), "16x16 pixels are too small for the transform"),
        (lambda: AugmentConfig.from_pipe("bgc").check_images(64, 64, 2), "images with 2 channels"),
        (lambda: AugmentConfig.from_pipe("geom").check_images(2, 2, 3), "2x2 pixels are too small for the geometric"),
    ],
)
def test_bad_settings_are_refused(make, text):
    with pytest.raises(UserError) as caught:
        make()
    assert text in caught.value.what


def test_good_settings_pass():
    AugmentConfig.from_pipe("bgcfnc").check_images(32, 32, 1)
    AugmentConfig.from_pipe("bgc").check_images(4, 4, 3)
    AugmentConfig.from_pipe("bgcfnc").check_images(64, 64, 4)


# RGBA: colours change as those of RGB, everything else does to alpha what it does to a colour, and beyond a picture is nothing.

RGBA_SIZES = [(24, 24), (24, 36)]


def rgba(size, count=3):
    return np.random.RandomState(8).uniform(-1, 1, (count,) + size + (4,)).astype(np.float32)


@pytest.mark.parametrize("size", RGBA_SIZES)
def test_colours_of_rgba_are_those_of_rgb_and_alpha_keeps_still(size, relmax):
    """Against matrices in NumPy: contrast and brightness, then lumaflip, hue and saturation about the grey axis."""
    images, config = rgba(size), AugmentConfig.from_pipe("color")
    params = sample_transforms(draw(tf.constant([1, 2]), config, images.shape), 1.0, config, *size)
    result = apply(tf.constant(images), params, config).numpy()
    np.testing.assert_array_equal(result[..., 3], images[..., 3])
    np.testing.assert_array_equal(result[..., :3], apply(tf.constant(images[..., :3]), params, config).numpy())
    grey = np.ones(3) / np.sqrt(3)
    along, cross = np.outer(grey, grey), np.cross(np.eye(3), grey)
    for k, image in enumerate(images.astype(np.float64)):
        value = {name: float(tensor[k]) for name, tensor in params.items()}
        colours = (image[..., :3] + value["brightness"]) * value["contrast"]
        turn = along + (np.eye(3) - along) * np.cos(value["hue"]) - cross.T * np.sin(value["hue"])
        flip = np.eye(3) - 2 * along * value["lumaflip"]
        saturate = along + (np.eye(3) - along) * value["saturation"]
        assert relmax(result[k, ..., :3], colours @ (saturate @ turn @ flip).T) < TOLERANCE


@pytest.mark.parametrize("size", RGBA_SIZES)
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_moves_of_rgba_are_those_of_each_channel_and_beyond_them_nothing_is_seen(size, device, relmax):
    images, config = rgba(size), AugmentConfig.from_pipe("bg")
    params = sample_transforms(draw(tf.constant([4, 5]), config, images.shape), 1.0, config, *size)
    params["scale"] = tf.constant([0.15, 1.0, 0.3])  # small ones, around which even the reflections end
    with compiling_for(device):
        result = apply(tf.constant(images), params, config).numpy()

    def moved(channel):
        return apply(tf.constant(np.ascontiguousarray(channel)), params, config).numpy()

    assert relmax(result[..., :3], moved(images[..., :3])) < 2e-5
    opacity = (images[..., 3:] + 1) / 2  # of which there is 0 where nothing is
    assert relmax((result[..., 3:] + 1) / 2, moved(opacity)) < 2e-5
    beyond = np.abs(moved(np.ones_like(opacity))) < 1e-6
    assert beyond.any()
    np.testing.assert_allclose(result[..., 3:][beyond], -1, rtol=0, atol=1e-5)


def test_cutouts_noise_and_filters_are_of_all_four():
    images, size = rgba((24, 24)), (24, 24)
    params = {"cutout": tf.constant(np.full([3, 2], 0.5, np.float32))}
    result = apply(tf.constant(images), params, AugmentConfig()).numpy()
    assert (result[:, 6:18, 6:18] == 0).all()
    np.testing.assert_array_equal(result[:, :6], images[:, :6])
    for name in ("noise", "imgfilter"):
        config = AugmentConfig(**{name: 1.0})
        params = sample_transforms(draw(tf.constant([6, 7]), config, images.shape), 1.0, config, *size)
        result = apply(tf.constant(images), params, config).numpy()
        for channel in range(4):
            alone = dict(params)
            if name == "noise":
                alone["noise_field"] = params["noise_field"][..., channel : channel + 1]
            one = apply(tf.constant(images[..., channel : channel + 1].copy()), alone, config).numpy()
            np.testing.assert_allclose(result[..., channel : channel + 1], one, rtol=0, atol=1e-5)
        assert np.abs(result[..., 3] - images[..., 3]).max() > 0.01


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_gradient_of_rgba_is_the_adjoint(device):
    config, x = AugmentConfig.from_pipe("bgcfnc"), rgba((24, 24))
    y = np.random.RandomState(9).randn(*x.shape).astype(np.float32)
    params = sample_transforms(draw(tf.constant([3, 4]), config, x.shape), 0.9, config, 24, 24)
    with compiling_for(device):
        nothing = apply(tf.zeros(x.shape), params, config).numpy().astype(np.float64)
        with tf.GradientTape() as tape:
            images = tf.constant(x)
            tape.watch(images)
            result = apply(images, params, config)
            score = tf.reduce_sum(result * y)
        adjoint = tape.gradient(score, images).numpy().astype(np.float64)
    np.testing.assert_allclose(np.sum((result.numpy() - nothing) * y), np.sum(adjoint * x), rtol=1e-3)


@pytest.mark.parametrize("pipe", sorted(PIPES))
def test_every_pipe_takes_rgba_and_does_nothing_at_strength_0(pipe):
    config, images = AugmentConfig.from_pipe(pipe), rgba((24, 32), 2)
    assert np.all(np.isfinite(augment(tf.constant(images), 1.0, config, tf.constant([7, 8])).numpy()))
    still = augment(tf.constant(images), 0.0, config, tf.constant([7, 8])).numpy()
    np.testing.assert_allclose(still, images, rtol=0, atol=2e-6)


# Rectangles: the numbers of eps696's fork, whose shifts are shares of the width and of the height.


def of_percentile(names, q, height, width):
    """Return the parameters of one image where every random number is replaced by its percentile."""
    e = erfinv(2 * q - 1)
    values = {
        "xflip": np.floor(2 * q), "rotate90": np.floor(4 * q), "scale": 2 ** (0.2 * e), "aniso": 2 ** (0.2 * e),
        "rotate_pre": (2 * q - 1) * np.pi, "rotate_post": 0.0, "brightness": 0.2 * e, "contrast": 2 ** (0.5 * e),
        "lumaflip": np.floor(2 * q), "hue": (2 * q - 1) * np.pi, "saturation": 2**e,
        "xint": np.rint((2 * q - 1) * 0.125 * np.array([width, height])), "xfrac": 0.125 * e * np.array([width, height]),
        "imgfilter": np.full(4, 2**e), "cutout": np.array([q, q]),
    }  # fmt: skip
    wanted = [name for name in names if name != "rotate"] + ["rotate_pre", "rotate_post"] * ("rotate" in names)
    return {name: tf.constant(np.float32(values[name])[np.newaxis]) for name in wanted}


def erfinv(x):
    """Return the inverse of the error function, by bisection."""
    low, high = -6.0, 6.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return low


def test_rectangles_agree_with_the_forks_pipeline(reference, relmax):
    golden = reference("rectangular_augment")
    cases = golden.json("augment")["cases"]
    assert len(cases) > 20
    for key, group, transforms, q in cases:
        images = golden[f"aug.{group}.image"]
        height, width = images.shape[2:]
        config = AugmentConfig(**dict.fromkeys(transforms, 1.0))
        result = apply(tf.constant(nhwc(images)), of_percentile(transforms, q, height, width), config)
        assert relmax(nchw(result), golden[key]) < TOLERANCE, key


@pytest.mark.parametrize("size", [(6, 10), (10, 6)])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_both_forms_and_the_gradient_of_a_rectangle(size, device):
    """A linear map's gradient is its adjoint: <A x, y> = <x, A' y>; the forms for processors and GPUs give the same."""
    config, shape = AugmentConfig.from_pipe("bg"), [3, *size, 3]
    rng = np.random.RandomState(0)
    x, y = (tf.constant(rng.randn(*shape).astype(np.float32)) for _ in range(2))
    params = sample_transforms(draw(tf.constant([3, 4]), config, shape), 0.9, config, *size)
    plain = apply(x, params, config).numpy()
    with compiling_for(device):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = apply(x, params, config)
            score = tf.reduce_sum(result * y)
        adjoint = tape.gradient(score, x)
    np.testing.assert_allclose(result, plain, rtol=0, atol=2e-5 * np.abs(plain).max())
    np.testing.assert_allclose(np.sum(result * y), np.sum(x * adjoint), rtol=1e-3)


def test_shifts_are_shares_of_each_side_and_a_rectangle_is_turned_by_half_turns_only():
    config, count = AugmentConfig.from_pipe("bgcfnc"), 4000
    made = sample_transforms(draw(tf.constant([5, 6]), config, [count, 32, 64, 1]), 1.0, config, 32, 64)
    xint, xfrac = made["xint"].numpy(), made["xfrac"].numpy()
    assert xint.min(axis=0).tolist() == [-8, -4] and xint.max(axis=0).tolist() == [8, 4]
    np.testing.assert_allclose(xfrac.std(axis=0), [8, 4], rtol=0.1)
    turns, counts = np.unique(made["rotate90"].numpy(), return_counts=True)
    assert turns.tolist() == [0, 2] and np.abs(counts / count - 0.5).max() < 0.05
    square = sample_transforms(draw(tf.constant([5, 6]), config, [count, 32, 32, 1]), 1.0, config, 32, 32)
    assert np.unique(square["rotate90"].numpy()).tolist() == [0, 1, 2, 3]
