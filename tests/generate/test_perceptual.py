"""Distances between pictures: LPIPS as the metrics compute it, EfficientNet in its place, and which one it is."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.perceptual import EfficientNetDistance, LpipsDistance, open_distance, seen
from sg2ada_colab.metrics.vgg import STAGES, lpips_distance
from sg2ada_colab.tf import tf


def small_vgg():
    draws, widths = np.random.RandomState(0), [2, 3, 4, 3, 2]
    convolutions, before = [], 3
    for width, stage in zip(widths, STAGES):
        for _ in stage:
            convolutions.append((draws.randn(3, 3, before, width).astype(np.float32) / 3, draws.randn(width).astype(np.float32)))
            before = width
    return convolutions, [draws.rand(width).astype(np.float32) for width in widths]


def test_lpips_is_that_of_the_metrics_and_large_pictures_are_shrunk_by_means():
    convolutions, layers = small_vgg()
    distance, images = (
        LpipsDistance(convolutions, layers),
        np.random.RandomState(1).uniform(0, 255, [2, 32, 32, 3]).astype(np.float32),
    )
    ours, theirs = distance.embed(tf.constant(images[:1])), distance.embed(tf.constant(images[1:]))
    expected = float(lpips_distance(tf.constant(images[np.newaxis]), convolutions, layers)[0, 0])
    assert float(distance.between(ours, theirs)) == pytest.approx(expected, rel=1e-5) and expected > 0
    large = np.repeat(np.repeat(np.tile(images[:1], [1, 8, 8, 1]), 2, axis=1), 2, axis=2)  # 512 px: pixels of 2 x 2
    shrunk = distance.embed(tf.constant(large))
    for one, other in zip(shrunk, distance.embed(tf.constant(large[:, ::2, ::2]))):
        assert np.abs(one.numpy() - other.numpy()).max() < 1e-4


def test_rgba_is_compared_over_black_and_over_white():
    pixels = np.random.RandomState(0).uniform(0, 255, [2, 4, 6, 4]).astype(np.float32)
    pixels[1, ..., 3] = 255
    black, white = seen(tf.constant(pixels)).numpy().reshape(2, 2, 4, 6, 3)
    alpha = pixels[..., 3:] / 255
    assert np.abs(black - pixels[..., :3] * alpha).max() < 1e-4
    assert np.abs(white - (pixels[..., :3] * alpha + 255 * (1 - alpha))).max() < 1e-4
    assert np.array_equal(black[1], white[1])
    clear = pixels.copy()
    clear[..., 3] = -40
    assert np.array_equal(seen(tf.constant(clear)).numpy()[:2], np.zeros([2, 4, 6, 3])), "colours under zero alpha count nothing"
    with tf.GradientTape() as tape:
        x = tf.Variable(clear)
        value = tf.reduce_sum(seen(x))
    assert np.abs(tape.gradient(value, x).numpy()[..., 3]).min() > 0, "what is transparent can become opaque"
    rgb = tf.constant(pixels[..., :3])
    assert seen(rgb) is rgb


def test_rectangles_keep_their_shape_and_about_the_pixels_of_a_square():
    convolutions, layers = small_vgg()
    efficient, lpips = open_distance("efflite0", say=None), LpipsDistance(convolutions, layers)
    assert [x.shape.as_list()[1:3] for x in efficient.embed(tf.zeros([1, 32, 128, 3]))[:2]] == [[32, 128], [24, 96]]
    assert lpips.embed(tf.zeros([1, 32, 48, 3]))[0].shape.as_list()[1:3] == [32, 48]
    assert lpips.embed(tf.zeros([1, 512, 768, 3]))[0].shape.as_list()[1:3] == [256, 384]


def test_efficientnet_grows_with_what_is_changed_and_has_a_gradient():
    distance = open_distance("efflite0", say=None)
    assert isinstance(distance, EfficientNetDistance)
    picture = np.tile(np.linspace(0, 255, 32, dtype=np.float32)[:, None, None], [1, 32, 1])[np.newaxis]  # grey
    embedded = distance.embed(tf.constant(picture))
    noise = np.random.RandomState(0).randn(*picture.shape).astype(np.float32)
    far = [float(distance.between(distance.embed(tf.constant(picture + size * noise)), embedded)) for size in (0, 5, 40)]
    assert far[0] == 0 and 0 < far[1] < far[2]
    moved = tf.Variable(picture + 40 * noise)
    with tf.GradientTape() as tape:
        value = distance.between(distance.embed(moved), embedded)
    assert np.abs(tape.gradient(value, moved).numpy()).max() > 0


def test_which_distance_it_is_is_said(tmp_path):
    said = []
    assert open_distance("auto", cache_dir=tmp_path, say=said.append).name == "efflite0"
    assert said == ["Pictures are compared by EfficientNet-Lite0, not by LPIPS as usual: "
                    "the weights of the layers of LPIPS on VGG16 are not on this machine."]  # fmt: skip
    with pytest.raises(UserError, match="the layers of LPIPS on VGG16 are not on this machine"):
        open_distance("lpips", cache_dir=tmp_path)
    with pytest.raises(UserError, match="There is no distance 'l2'"):
        open_distance("l2")
