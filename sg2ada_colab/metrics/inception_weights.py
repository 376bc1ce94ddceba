"""Weights of the Inception network of 2015 from the public TensorFlow archive, its graph file or a PyTorch conversion."""

import tarfile
from typing import Dict, Optional, Tuple

import numpy as np

from ..byte_source import Refused
from ..errors import UserError
from ..files import FilePath
from ..formats.network_pickle import read_network_variables
from ..formats.torch_file import read_torch_weights
from ..tf import tf1
from .inception import BATCH_NORM_EPSILON, CLASSES, CONVOLUTIONS, DIMENSIONS
from .weight_files import WeightsFile

GRAPH_FILE = "classify_image_graph_def.pb"
TORCH_LEGACY_HEAD = b"\x80\x02\x8a"  # a pickle that begins with torch's long magic number
MAX_GRAPH_BYTES = 200 << 20  # it has 96 MB
_PLACES = "put {} into the cache folder, or name it with --features"

# In the order of preference. The archive's SHA-256 is not published: it is noted on the first download and held from then on, and
# names and shapes of all 378 arrays are checked. The conversion carries the beginning of its SHA-256 in its name.
INCEPTION_FILES = (
    WeightsFile(
        title="Inception-v3 of 2015",
        file_name="inception-2015-12-05.tgz",
        address="https://storage.googleapis.com/download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
        obtain=_PLACES.format("inception-2015-12-05.tgz"),
    ),
    WeightsFile(
        title="Inception-v3 of 2015",
        file_name="inception_v3_features.pkl",  # of stylegan2-ada, where a person has it; never fetched
        obtain=_PLACES.format("inception-2015-12-05.tgz"),
    ),
    WeightsFile(
        title="Inception-v3 of 2015",
        file_name="weights-inception-2015-12-05-6726825d.pth",
        sha256="6726825d",
        address="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        obtain=_PLACES.format("inception-2015-12-05.tgz"),
    ),
)


def read_inception_weights(path: FilePath) -> Tuple[Dict[str, Tuple[np.ndarray, np.ndarray]], Optional[np.ndarray]]:
    """Return (scope -> (kernel, bias) with batch normalisation folded in, output weights [2048, 1008]), float32 arrays.

    The output weights are None where the file ends with the features.

    Args:
        path: The archive (.tgz), the graph in it (.pb), a PyTorch state dict (.pth), or a network pickle (.pkl) whose variables
            have the names of the graph.

    Raises:
        UserError: The file is none of these, or not this network.
    """
    with open(str(path), "rb") as stream:
        head = stream.read(4)
    if head[:2] == b"\x1f\x8b":
        return _from_graph(_graph_in_archive(path), path)
    if head[:1] == b"\x80" and head[:3] != TORCH_LEGACY_HEAD:
        return _from_network(path)
    if head[:2] in (b"PK", b"\x80\x02"):
        return _from_torch(read_torch_weights(path), path)
    with open(str(path), "rb") as stream:
        return _from_graph(stream.read(MAX_GRAPH_BYTES), path)


def _not_inception(path, why):
    return UserError(
        f"{path} is not the Inception network of 2015: {why}",
        f"inception-2015-12-05.tgz, the {GRAPH_FILE} in it, or weights-inception-2015-12-05-6726825d.pth",
        "delete the file and fetch it again",
    )


def _graph_in_archive(path):
    try:
        with tarfile.open(str(path), "r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.rsplit("/", 1)[-1] == GRAPH_FILE and member.size <= MAX_GRAPH_BYTES:
                    stream = archive.extractfile(member)
                    assert stream is not None, "only a member that is not a file has no stream"
                    return stream.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _not_inception(path, f"the archive cannot be unpacked ({error})") from error
    raise _not_inception(path, f"there is no {GRAPH_FILE} in it")


def _from_graph(content, path):
    graph = tf1.GraphDef()
    try:
        graph.ParseFromString(content)
    except Exception as error:  # the exception's class differs between protobuf versions
        raise _not_inception(path, "it is not a TensorFlow graph") from error
    nodes = {node.name: node for node in graph.node}

    def array(name, shape):
        if name not in nodes or nodes[name].op != "Const":
            raise _not_inception(path, f"it has no constant {name}")
        return _checked(tf1.make_ndarray(nodes[name].attr["value"].tensor), name, shape, path)

    weights = {}
    for scope, _, height, width, channels, filters in CONVOLUTIONS:
        kernel = array(scope + "/conv2d_params", (height, width, channels, filters))
        norm = nodes.get(scope + "/batchnorm")
        parts = [array(f"{scope}/batchnorm/{part}", (filters,)) for part in ("beta", "moving_mean", "moving_variance")]
        scaled = norm is not None and norm.attr["scale_after_normalization"].b
        gamma = array(scope + "/batchnorm/gamma", (filters,)) if scaled else np.ones(filters)
        weights[scope] = _fold(kernel, gamma, *parts)
    return weights, array("softmax/weights", (DIMENSIONS, CLASSES)).astype(np.float32)


def _from_network(path):
    try:
        variables = read_network_variables(path)
    except Refused as error:
        raise _not_inception(path, f"{error}; nothing in it was run") from error

    def array(name, shape):
        if name not in variables:
            held = ", ".join(sorted(variables)[:3]) or "none"
            raise _not_inception(path, f"it has no variable {name}; its {len(variables)} variables are {held} …")
        return _checked(variables[name], name, shape, path)

    weights = {}
    for scope, _, height, width, channels, filters in CONVOLUTIONS:
        kernel = array(scope + "/conv2d_params", (height, width, channels, filters))
        parts = [array(f"{scope}/batchnorm/{part}", (filters,)) for part in ("beta", "moving_mean", "moving_variance")]
        weights[scope] = _fold(kernel, np.ones(filters), *parts)
    softmax = "softmax/weights" in variables
    return weights, array("softmax/weights", (DIMENSIONS, CLASSES)).astype(np.float32) if softmax else None


def _from_torch(arrays, path):
    def array(name, shape):
        if name not in arrays:
            raise _not_inception(path, f"it has no array {name}")
        return _checked(arrays[name], name, shape, path)

    weights = {}
    for scope, module, height, width, channels, filters in CONVOLUTIONS:
        kernel = array(module + ".conv.weight", (filters, channels, height, width)).transpose(2, 3, 1, 0)
        parts = [array(f"{module}.bn.{part}", (filters,)) for part in ("weight", "bias", "running_mean", "running_var")]
        weights[scope] = _fold(kernel, *parts)
    return weights, array("fc.weight", (CLASSES, DIMENSIONS)).T.astype(np.float32)


def _checked(array, name, shape, path):
    if array.shape != shape or not np.isfinite(array).all():
        raise _not_inception(path, f"{name} has shape {array.shape} instead of {shape}, or is not finite")
    return array


def _fold(kernel, gamma, beta, mean, variance):
    gain = gamma / np.sqrt(variance.astype(np.float64) + BATCH_NORM_EPSILON)
    return (kernel * gain).astype(np.float32), (beta - mean * gain).astype(np.float32)
