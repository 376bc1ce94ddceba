"""Perceptual path length: its arithmetic, its pairs, and LPIPS on thin made-up VGG16 weights against NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from sg2ada_colab.config.metric_names import parse_metric
from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics import vgg
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure_all
from sg2ada_colab.metrics.features import FeatureNetwork, image_pairs, open_network
from sg2ada_colab.metrics.path_length import EPSILON, trimmed_mean
from sg2ada_colab.metrics.path_pairs import PathPairs
from tests.oracles.forms import FORMS, picture_shape

from .test_fakes import tiny_generator


@pytest.mark.parametrize("name", ["ppl_a", "ppl_b"])
def test_trimmed_mean(reference, name):
    data = reference("metrics")
    mean, low, high, kept = trimmed_mean(data[name + ".distances"])
    assert (low, high, kept) == (data[name + ".lo"], data[name + ".hi"], int(data[name + ".kept"]))
    assert mean == pytest.approx(float(data[name + ".value"]), rel=1e-6)


@pytest.mark.parametrize("space,ends,form", [("w", "end", "square"), ("z", "full", "square"), ("w", "end", "wide rgba")])
def test_pairs_are_a_small_step_apart_and_keep_their_numbers(space, ends, form):
    pairs = PathPairs(tiny_generator(**FORMS[form]), space, ends, crop=False, xla=False)
    whole = pairs(40, 0)
    assert whole.shape == (40, 2, *picture_shape(form, 8)[:2], 3) and whole.dtype == np.float32
    np.testing.assert_array_equal(pairs(3, 31), whole[31:34])
    step = np.abs(whole[:, 0] - whole[:, 1]).max()
    assert 0 < step < 0.5 and np.abs(whole[0] - whole[1]).max() > 5


def test_the_crop_is_the_middle_of_a_face():
    network = tiny_generator(resolution=16)
    whole = PathPairs(network, "w", "end", crop=False, xla=False)(2, 0)
    cropped = PathPairs(network, "w", "end", crop=True, xla=False)(2, 0)
    np.testing.assert_array_equal(cropped, whole[:, :, 6:14, 4:12])


def thin_vgg(draws, widths=(3, 4, 5, 6, 6), dense=11):
    arrays, channels = {}, 3
    for stage, width in zip(vgg.STAGES, widths):
        for position in stage:
            name = f"features.{position}."
            arrays[name + "weight"] = draws.normal(0, (2 / (9 * channels)) ** 0.5, [width, channels, 3, 3]).astype(np.float32)
            arrays[name + "bias"] = draws.normal(0, 0.1, width).astype(np.float32)
            channels = width
    for name, shape in (("classifier.0.", (dense, channels * 49)), ("classifier.3.", (dense, dense))):
        arrays[name + "weight"] = draws.normal(0, 0.1, shape).astype(np.float32)
        arrays[name + "bias"] = draws.normal(0, 0.1, dense).astype(np.float32)
    return arrays


def numpy_stages(x, arrays):
    """VGG16's five stages in NumPy on [N, C, H, W], PyTorch's layout."""
    outputs = []
    for stage in vgg.STAGES:
        if outputs:
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
        for position in stage:
            kernel, bias = arrays[f"features.{position}.weight"], arrays[f"features.{position}.bias"]
            padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="constant")
            height, width = x.shape[2:]
            total = bias[:, None, None]
            for row in range(3):
                for column in range(3):
                    part = padded[:, :, row : row + height, column : column + width]
                    total = total + np.einsum("nchw,oc->nohw", part, kernel[:, :, row, column])
            x = np.maximum(total, 0)
        outputs.append(x)
    return outputs


def test_lpips_equals_its_definition(relmax):
    draws = np.random.RandomState(5)
    arrays = thin_vgg(draws)
    layers = [draws.uniform(0, 1, len(arrays[f"features.{stage[-1]}.bias"])).astype(np.float32) for stage in vgg.STAGES]
    pairs = draws.uniform(0, 255, [2, 2, 32, 32, 3]).astype(np.float32)
    expected = np.zeros([2, 1])
    prepared = ((pairs / 127.5 - 1 - vgg.SHIFT) / vgg.SCALE).transpose(0, 1, 4, 2, 3)
    for a, b, weights in zip(numpy_stages(prepared[:, 0], arrays), numpy_stages(prepared[:, 1], arrays), layers):
        a, b = (x / (np.sqrt((x**2).sum(axis=1, keepdims=True)) + 1e-10) for x in (a, b))
        expected[:, 0] += ((a - b) ** 2 * weights[:, None, None]).sum(axis=1).mean(axis=(1, 2))
    assert relmax(vgg.lpips_distance(pairs, vgg.convolution_weights(arrays), layers), expected) < 1e-5


def test_vgg_features_equal_numpy(relmax):
    draws = np.random.RandomState(6)
    arrays = thin_vgg(draws)
    images = draws.randint(0, 256, [2, 224, 224, 3]).astype(np.float32)
    x = numpy_stages(((images / 255 - vgg.MEAN) / vgg.DEVIATION).transpose(0, 3, 1, 2), arrays)[-1]
    x = x.reshape(2, -1, 7, 2, 7, 2).max(axis=(3, 5)).reshape(2, -1)
    for name in ("classifier.0.", "classifier.3."):
        x = np.maximum(x @ arrays[name + "weight"].T + arrays[name + "bias"], 0)
    ours = vgg.vgg16_features(images, vgg.convolution_weights(arrays), vgg.dense_weights(arrays))
    assert relmax(ours, x) < 1e-5


def test_a_path_length_is_measured_from_end_to_end_and_resumed(tmp_path):
    """With the mean square for a distance, whose value can be computed by hand."""

    def forward(pairs):
        return {"features": np.mean((pairs[:, 0] - pairs[:, 1]) ** 2, axis=(1, 2, 3))[:, None]}

    def network(name):
        return FeatureNetwork(name, "squares", {"features": 1}, forward, check=image_pairs)

    spec = replace(parse_metric("ppl2_wend"), num_fakes=80)
    pairs = PathPairs(tiny_generator(), "w", "end", crop=False, xla=False)
    options = {"networks": network, "path_pairs": lambda spec: pairs, "source": "one", "partial_dir": tmp_path}
    calls = []
    with pytest.raises(KeyboardInterrupt):
        measure_all([spec], None, None, MeasureOptions(should_stop=lambda: calls.append(1) or len(calls) == 2, **options))
    result = measure_all([spec], None, None, MeasureOptions(**options))[0]
    distances = forward(pairs(80, 0))["features"][:, 0] / EPSILON**2
    low, high = np.sort(distances)[[0, -1]]
    assert result.values[""] == pytest.approx(distances[(distances >= low) & (distances <= high)].mean(), rel=1e-6)
    assert result.num_reals == 0


def test_without_lpips_it_is_said_what_to_install(tmp_path):
    with pytest.raises(UserError) as error:
        open_network("lpips", cache_dir=tmp_path)
    assert "lpips" in error.value.next_step or "vgg16" in error.value.next_step
