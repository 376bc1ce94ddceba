"""The Inception network of 2015 on made-up weights: read from every kind of file, equal to independent implementations."""

import collections
import io
import pickle
import subprocess
import sys
import tarfile
import types

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure
from sg2ada_colab.metrics.features import open_network
from sg2ada_colab.metrics.inception import CONVOLUTIONS
from sg2ada_colab.metrics.inception_weights import GRAPH_FILE, _from_torch, read_inception_weights
from sg2ada_colab.tf import tf1


def made_up_weights():
    """Return the arrays of a graph by name; scaled so that signals neither die nor grow."""
    draws = np.random.RandomState(7)
    arrays = collections.OrderedDict()
    for scope, _, height, width, channels, filters in CONVOLUTIONS:
        deviation = np.sqrt(2.0 / (height * width * channels))
        arrays[scope + "/conv2d_params"] = draws.normal(0, deviation, [height, width, channels, filters])
        arrays[scope + "/batchnorm/beta"] = draws.normal(0.1, 0.1, filters)
        arrays[scope + "/batchnorm/gamma"] = draws.uniform(0.5, 1.5, filters)
        arrays[scope + "/batchnorm/moving_mean"] = draws.normal(0, 0.1, filters)
        arrays[scope + "/batchnorm/moving_variance"] = draws.uniform(0.8, 1.2, filters)
    arrays["softmax/weights"] = draws.normal(0, 0.05, [2048, 1008])
    arrays["softmax/biases"] = draws.normal(0, 1, 1008)
    return collections.OrderedDict((name, array.astype(np.float32)) for name, array in arrays.items())


def torch_names(arrays, gamma=True):
    """Return the same weights as the PyTorch conversion names and lays them out."""
    state = collections.OrderedDict()
    for scope, module, *_ in CONVOLUTIONS:
        norm = scope + "/batchnorm/"
        state[module + ".conv.weight"] = np.ascontiguousarray(arrays[scope + "/conv2d_params"].transpose(3, 2, 0, 1))
        state[module + ".bn.weight"] = arrays[norm + "gamma"] if gamma else np.ones_like(arrays[norm + "gamma"])
        state[module + ".bn.bias"] = arrays[norm + "beta"]
        state[module + ".bn.running_mean"] = arrays[norm + "moving_mean"]
        state[module + ".bn.running_var"] = arrays[norm + "moving_variance"]
    state["fc.weight"] = np.ascontiguousarray(arrays["softmax/weights"].T)
    state["fc.bias"] = arrays["softmax/biases"]
    return state


def graph_of(arrays, scaled=False):
    """Return a GraphDef that holds the arrays as the archive's graph does, with the attribute of its normalisations."""
    graph = tf1.GraphDef()
    for name, array in arrays.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = 1
        node.attr["value"].tensor.CopyFrom(tf1.make_tensor_proto(array))
    for scope, *_ in CONVOLUTIONS:
        node = graph.node.add(name=scope + "/batchnorm", op="BatchNormWithGlobalNormalization")
        node.attr["scale_after_normalization"].b = scaled
    return graph


@pytest.fixture(scope="module")
def arrays():
    return made_up_weights()


@pytest.fixture(scope="module")
def archive(arrays, tmp_path_factory):
    content = graph_of(arrays, scaled=False).SerializeToString()
    path = tmp_path_factory.mktemp("inception") / "inception-2015-12-05.tgz"
    with tarfile.open(str(path), "w:gz", compresslevel=0) as out:
        for name, data in (("LICENSE", b"text"), (GRAPH_FILE, content)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.slow
def test_archive_graph_and_conversion_hold_the_same_weights(arrays, archive, tmp_path):
    from_archive, output = read_inception_weights(archive)
    with tarfile.open(str(archive)) as opened:
        (tmp_path / GRAPH_FILE).write_bytes(opened.extractfile(GRAPH_FILE).read())
    from_graph, _ = read_inception_weights(tmp_path / GRAPH_FILE)
    from_torch, output_torch = _from_torch(torch_names(arrays, gamma=False), "weights.pth")
    assert list(from_archive) == [entry[0] for entry in CONVOLUTIONS] and len(CONVOLUTIONS) == 94
    for scope in from_archive:
        for a, b, c in zip(from_archive[scope], from_graph[scope], from_torch[scope]):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(output, output_torch)


@pytest.mark.slow
def test_the_graphs_own_attribute_decides_whether_gamma_counts(arrays, tmp_path):
    path = tmp_path / GRAPH_FILE
    path.write_bytes(graph_of(arrays, scaled=True).SerializeToString())
    scaled, _ = read_inception_weights(path)
    expected, _ = _from_torch(torch_names(arrays, gamma=True), "weights.pth")
    for scope in ("conv", "mixed_10/tower/mixed/conv_1"):
        np.testing.assert_array_equal(scaled[scope][0], expected[scope][0])


def test_other_files_are_refused(tmp_path):
    wrong = tmp_path / GRAPH_FILE
    first = {"conv/conv2d_params": np.zeros([3, 3, 3, 31], np.float32)}
    cases = [
        (b"no graph at all" * 9, "not a TensorFlow graph"),
        (b"\x1f\x8bbroken", "cannot be unpacked"),
        (graph_of({}).SerializeToString(), "no constant conv/conv2d_params"),
        (graph_of(first).SerializeToString(), r"conv/conv2d_params has shape \(3, 3, 3, 31\) instead of \(3, 3, 3, 32\)"),
    ]
    for content, text in cases:
        wrong.write_bytes(content)
        with pytest.raises(UserError, match=text):
            read_inception_weights(wrong)
    with tarfile.open(str(tmp_path / "other.tgz"), "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("README"))
    with pytest.raises(UserError, match=f"no {GRAPH_FILE} in it"):
        read_inception_weights(tmp_path / "other.tgz")


def legacy_resize(images, size):
    """TF 1's ResizeBilinear: sample i reads position i * in / out, without antialiasing."""

    def neighbours(side):
        position = np.arange(size, dtype=np.float32) * np.float32(side / size)
        low = np.floor(position).astype(int)
        return low, np.minimum(low + 1, side - 1), (position - low)[:, None]

    low, high, part = neighbours(images.shape[1])
    rows = images[:, low] * (1 - part[:, :, None]) + images[:, high] * part[:, :, None]
    low, high, part = neighbours(images.shape[2])
    return rows[:, :, low] * (1 - part) + rows[:, :, high] * part


def numpy_conv(x, kernel, stride, same):
    height, width, _, filters = kernel.shape
    if same:
        x = np.pad(x, [(0, 0), ((height - 1) // 2, height // 2), ((width - 1) // 2, width // 2), (0, 0)], mode="constant")
    out_h, out_w = (x.shape[1] - height) // stride + 1, (x.shape[2] - width) // stride + 1
    out = np.zeros([len(x), out_h, out_w, filters], np.float32)
    for row in range(height):
        for column in range(width):
            part = x[:, row : row + stride * out_h : stride, column : column + stride * out_w : stride]
            out += part[:, :out_h, :out_w] @ kernel[row, column]
    return out


def numpy_pool(x, stride, same, how):
    fill = -np.inf if how is np.max else np.nan
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="constant", constant_values=fill) if same else x
    out = (x.shape[1] - 3) // stride + 1
    offsets = [(row, column) for row in range(3) for column in range(3)]
    parts = [x[:, r : r + stride * out : stride, c : c + stride * out : stride][:, :out, :out] for r, c in offsets]
    return how(np.stack(parts), axis=0)


def numpy_inception(images, arrays):
    """Inception-v3 in NumPy, written from the table of the paper and the graph's names, normalisation unfolded."""

    def conv(x, scope, stride=1, same=True):
        x = numpy_conv(x, arrays[scope + "/conv2d_params"], stride, same)
        norm = scope + "/batchnorm/"
        x = (x - arrays[norm + "moving_mean"]) / np.sqrt(arrays[norm + "moving_variance"] + 1e-3) + arrays[norm + "beta"]
        return np.maximum(x, 0).astype(np.float32)

    def most(x):
        return numpy_pool(x, 2, False, np.max)

    def average(x):
        return numpy_pool(x, 1, True, np.nanmean)

    x = (legacy_resize(images.astype(np.float32), 299) - 128) / 128
    x = most(conv(conv(conv(x, "conv", 2, False), "conv_1", 1, False), "conv_2"))
    x = most(conv(conv(x, "conv_3", 1, False), "conv_4", 1, False))
    for b in ("mixed/", "mixed_1/", "mixed_2/"):
        five = conv(conv(x, b + "tower/conv"), b + "tower/conv_1")
        three = conv(conv(conv(x, b + "tower_1/conv"), b + "tower_1/conv_1"), b + "tower_1/conv_2")
        x = np.concatenate([conv(x, b + "conv"), five, three, conv(average(x), b + "tower_2/conv")], 3)
    three = conv(conv(conv(x, "mixed_3/tower/conv"), "mixed_3/tower/conv_1"), "mixed_3/tower/conv_2", 2, False)
    x = np.concatenate([conv(x, "mixed_3/conv", 2, False), three, most(x)], 3)
    for b in ("mixed_4/", "mixed_5/", "mixed_6/", "mixed_7/"):
        one, two = x, x
        for name in ("conv", "conv_1", "conv_2"):
            one = conv(one, b + "tower/" + name)
        for name in ("conv", "conv_1", "conv_2", "conv_3", "conv_4"):
            two = conv(two, b + "tower_1/" + name)
        x = np.concatenate([conv(x, b + "conv"), one, two, conv(average(x), b + "tower_2/conv")], 3)
    b = "mixed_8/"
    one = conv(conv(x, b + "tower/conv"), b + "tower/conv_1", 2, False)
    two = conv(conv(conv(x, b + "tower_1/conv"), b + "tower_1/conv_1"), b + "tower_1/conv_2")
    x = np.concatenate([one, conv(two, b + "tower_1/conv_3", 2, False), most(x)], 3)
    for b, pool in (("mixed_9/", average), ("mixed_10/", lambda x: numpy_pool(x, 1, True, np.max))):
        one = conv(x, b + "tower/conv")
        two = conv(conv(x, b + "tower_1/conv"), b + "tower_1/conv_1")
        parts = [conv(x, b + "conv")]
        parts += [conv(one, b + "tower/mixed/conv"), conv(one, b + "tower/mixed/conv_1")]
        parts += [conv(two, b + "tower_1/mixed/conv"), conv(two, b + "tower_1/mixed/conv_1")]
        x = np.concatenate(parts + [conv(pool(x), b + "tower_2/conv")], 3)
    features = x.mean(axis=(1, 2))
    logits = features @ arrays["softmax/weights"]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return features, exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(3).randint(0, 256, [2, 64, 64, 3]).astype(np.uint8)


@pytest.mark.slow
def test_features_equal_an_implementation_in_numpy(arrays, archive, images, relmax):
    network = open_network("inception", archive)
    network.batch_size = 2
    features, probabilities = numpy_inception(images, arrays)
    assert relmax(network(images), features) < 2e-5
    assert relmax(network(images, "probabilities"), probabilities) < 2e-4
    for size in ((512, 512), (144, 256)):
        others = np.random.RandomState(4).randint(0, 256, [1, *size, 3]).astype(np.uint8)
        assert relmax(network(others), numpy_inception(others, arrays)[0]) < 2e-5


# Run by another Python that has torch: argv = weights (.npz), images (.npy), features to write (.npz)
TORCH_FIDELITY = """
import sys; import numpy as np, torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
state = {name: torch.from_numpy(array) for name, array in np.load(sys.argv[1]).items()}
path = sys.argv[1] + ".pth"
torch.save(state, path)
network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=path)
with torch.no_grad():
    features, logits = network(torch.from_numpy(np.load(sys.argv[2]).transpose(0, 3, 1, 2).copy()))
np.savez(sys.argv[3], features=features.numpy(), probabilities=torch.softmax(logits, 1).numpy())
"""


@pytest.mark.slow
def test_features_equal_those_of_torch_fidelity(arrays, archive, images, relmax, torch_python, tmp_path):
    np.savez(str(tmp_path / "state.npz"), **torch_names(arrays, gamma=False))
    np.save(str(tmp_path / "images.npy"), images)
    paths = [str(tmp_path / name) for name in ("state.npz", "images.npy", "features.npz")]
    subprocess.run([torch_python, "-c", TORCH_FIDELITY] + paths, check=True)
    network = open_network("inception", archive)
    network.batch_size = 2
    with np.load(paths[2]) as theirs:
        assert relmax(network(images), theirs["features"]) < 2e-5
        assert relmax(network(images, "probabilities"), theirs["probabilities"]) < 2e-4
    saved, _ = read_inception_weights(paths[0] + ".pth")
    ours, _ = read_inception_weights(archive)
    np.testing.assert_array_equal(saved["mixed_9/tower/conv"][0], ours["mixed_9/tower/conv"][0])


class _Written:
    """Pickles as an object of the original's class Network."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state


def network_pickle(arrays, path):
    """Write a network pickle, version 5, of a network with these variables, as dnnlib lays it out."""
    module = types.ModuleType("dnnlib.tflib.network")
    module.Network = type("Network", (_Written,), {"__module__": "dnnlib.tflib.network", "__qualname__": "Network"})
    state = {
        "version": 5, "name": "inception", "static_kwargs": {}, "components": {}, "build_module_src": "raise SystemExit",
        "build_func_name": "inception", "variables": list(arrays.items()),
    }  # fmt: skip
    with pytest.MonkeyPatch().context() as patch:
        for name in ("dnnlib", "dnnlib.tflib"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, "dnnlib.tflib.network", module)
        path.write_bytes(pickle.dumps(module.Network(state), 3))
    return path


@pytest.mark.slow
def test_a_network_pickle_with_the_graphs_names_is_read_and_not_run(arrays, archive, tmp_path):
    expected, _ = read_inception_weights(archive)
    features_only = {name: array for name, array in arrays.items() if not name.startswith("softmax")}
    path = network_pickle(features_only, tmp_path / "inception_v3_features.pkl")
    found, output = read_inception_weights(path)
    assert output is None
    for scope, pair in expected.items():
        for a, b in zip(pair, found[scope]):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match="is50 needs the last layer of the network inception, which its file lacks"):
        measure("is50", None, None, MeasureOptions(lambda name: open_network("inception", path)))


def test_another_network_pickle_is_refused_with_its_names(tmp_path):
    path = network_pickle({"conv1/weight": np.zeros([3], np.float32)}, tmp_path / "vgg16.pkl")
    with pytest.raises(UserError, match="no variable conv/conv2d_params; its 1 variables are conv1/weight"):
        read_inception_weights(path)
    path.write_bytes(b"\x80\x03cos\nsystem\nX\x02\x00\x00\x00ls\x85R.")
    with pytest.raises(UserError, match="nothing in it was run"):
        read_inception_weights(path)
