"""The generator as an ONNX graph: z, psi (and labels) → images; built from the arrays, without TensorFlow."""

from typing import Any, List, Optional

import numpy as np

from ..errors import UserError
from ..files import FilePath, atomic_file
from ..networks.layout import synthesis_layers
from .network_data import NetworkData

OPSET = 13  # read by every onnxruntime from 1.6
LRELU_GAIN = float(np.sqrt(2))


def export_onnx(path: FilePath, network: NetworkData, psi: Optional[float] = None) -> None:
    """Write an ONNX file; constant noise, float32.

    Inputs: `z` float32 [N, latent_size], `psi` float32 [] (truncation, 1 for none) and, for conditional networks, `labels`
    float32 [N, label_size]. Outputs: `images` uint8 [N,H,W,C] and `images_float` float32 [N,C,H,W], about [-1,1].

    Args:
        path: Name of the file, replaced atomically.
        network: NetworkData of a generator, conventionally Gs.
        psi: A fixed truncation, which the file then does not ask for; None leaves the input `psi`.

    Raises:
        UserError: The package `onnx` is missing.
    """
    model = onnx_model(network, psi)
    with atomic_file(path) as file:
        file.write(model.SerializeToString())


def onnx_model(network: NetworkData, psi: Optional[float] = None) -> Any:
    """Return the onnx.ModelProto of a generator, checked by the library's own checker.

    Raises UserError where the package `onnx` is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise UserError(
            "The package onnx is not installed.", "onnx, which builds the file", "install it with `pip install onnx`"
        ) from error
    config = network.config
    graph = _Graph(onnx)
    rgb = _synthesis(graph, network.component("synthesis"), config, _mapping(graph, network, config, psi))
    graph.add("Identity", [rgb], output="images_float")
    levels = graph.clip(graph.add("Add", [graph.add("Mul", [rgb, graph.constant(127.5)]), graph.constant(128.0)]), 0, 255)
    pixels = graph.add("Cast", [levels], to=onnx.TensorProto.UINT8)
    graph.add("Transpose", [pixels], output="images", perm=[0, 2, 3, 1])
    return graph.model(config, psi)


class _Graph:
    """Collects nodes and constants; every method returns the name of the value that it makes."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: List[Any] = []
        self.constants: List[Any] = []

    def add(self, operation, inputs, output=None, **attributes):
        output = output or f"{operation}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operation, inputs, [output], **attributes))
        return output

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.require(np.asarray(value, dtype), None, "C"), name))
        return name

    def clip(self, x, low, high):
        return self.add("Clip", [x, self.constant(low), self.constant(high)])

    def reshape(self, x, shape):
        return self.add("Reshape", [x, self.constant(shape, np.int64)])

    def affine(self, x, weight, bias):
        return self.add("Gemm", [x, self.constant(weight), self.constant(bias)])

    def lrelu(self, x, clamp=None):
        x = self.add("Mul", [self.add("LeakyRelu", [x], alpha=0.2), self.constant(LRELU_GAIN)])
        return x if clamp is None else self.clip(x, -clamp, clamp)

    def rsqrt(self, x):
        return self.add("Reciprocal", [self.add("Sqrt", [self.add("Add", [x, self.constant(1e-8)])])])

    def normalize(self, x):
        squares = self.add("ReduceMean", [self.add("Mul", [x, x])], axes=[1], keepdims=1)
        return self.add("Mul", [x, self.rsqrt(squares)])

    def model(self, config, psi):
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        inputs = [("z", ["N", config.latent_size])] + ([("psi", [])] if psi is None else [])
        inputs += [("labels", ["N", config.label_size])] if config.label_size else []
        height, width, channels = config.height, config.width, config.num_channels
        graph = helper.make_graph(
            self.nodes, "StyleGAN2 generator",
            [helper.make_tensor_value_info(name, kinds.FLOAT, shape) for name, shape in inputs],
            [helper.make_tensor_value_info("images", kinds.UINT8, ["N", height, width, channels]),
             helper.make_tensor_value_info("images_float", kinds.FLOAT, ["N", channels, height, width])],
            self.constants,
        )  # fmt: skip
        # An early format version, so that older runtimes open the file too.
        model = helper.make_model(
            graph, producer_name="sg2ada_colab", ir_version=7, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        self.onnx.checker.check_model(model)
        return model


def _used(weight, lrmul=1.0):
    """Return a weight as it is used: the raw values by the equalised learning rate."""
    return weight * np.float32(lrmul / np.sqrt(np.prod(weight.shape[:-1])))


def _mapping(graph, network, config, psi):
    """Return w [N, dlatent_size] after truncation; psi None is that of the input."""
    variables = network.component("mapping")
    x = graph.normalize("z")
    if config.label_size:
        embedded = graph.affine("labels", _used(variables["LabelEmbed/weight"]), variables["LabelEmbed/bias"])
        x = graph.add("Concat", [x, graph.normalize(embedded)], axis=1)
    for index in range(config.mapping_layers):
        weight, bias = (variables[f"Dense{index}/{leaf}"] for leaf in ("weight", "bias"))
        x = graph.lrelu(graph.affine(x, _used(weight, config.mapping_lrmul), bias * np.float32(config.mapping_lrmul)))
    average = graph.constant(network.variables["dlatent_avg"])
    return graph.add(
        "Add", [average, graph.add("Mul", [graph.add("Sub", [x, average]), "psi" if psi is None else graph.constant(psi)])]
    )


def _synthesis(graph, variables, config, w):
    """Return the image [N,C,H,W] (StyleGAN2, figure 7)."""
    taps, clamp = config.resample_kernel, config.conv_clamp
    x = before = image = None

    def modulated(layer, demodulate=True):
        weight = _used(variables[layer.name + "/weight"])
        style = graph.affine(w, _used(variables[layer.name + "/mod_weight"]), variables[layer.name + "/mod_bias"] + np.float32(1))
        y = graph.add("Mul", [x, graph.reshape(style, [-1, layer.inputs, 1, 1])])
        y = _convolution(graph, y, weight, layer.kind == "up", taps)
        if demodulate:
            sums = graph.add("MatMul", [graph.add("Mul", [style, style]), graph.constant(np.square(weight).sum(axis=(0, 1)))])
            y = graph.add("Mul", [y, graph.reshape(graph.rsqrt(sums), [-1, layer.outputs, 1, 1])])
        return y

    def bias(y, layer):
        return graph.add("Add", [y, graph.constant(variables[layer.name + "/bias"].reshape(1, -1, 1, 1))])

    for layer in synthesis_layers(config):
        layer = layer._replace(name=layer.name[len("synthesis/") :])
        if layer.kind == "const":
            # The constant gets the batch's size by adding a row of zeros for each image.
            zeros = graph.add("Mul", [graph.add("ReduceMean", [w], axes=[1], keepdims=1), graph.constant(0.0)])
            const = graph.constant(variables[layer.name + "/const"])
            x = graph.add("Add", [const, graph.reshape(zeros, [-1, 1, 1, 1])])
        elif layer.kind in ("conv", "up"):
            before = x if layer.kind == "up" else before
            noise = graph.constant(variables[f"noise{layer.noise}"] * variables[layer.name + "/noise_strength"])
            x = graph.lrelu(bias(graph.add("Add", [modulated(layer), noise]), layer), clamp)
        elif layer.kind == "skip":
            skip = _convolution(graph, before, _used(variables[layer.name + "/weight"]), True, taps)
            x = graph.add("Mul", [graph.add("Add", [x, skip]), graph.constant(np.sqrt(0.5))])
        else:
            rgb = bias(modulated(layer, demodulate=False), layer)
            rgb = rgb if clamp is None else graph.clip(rgb, -clamp, clamp)
            image = rgb if image is None else graph.add("Add", [_upsample(graph, image, config.num_channels, taps), rgb])
    return image


def _filter(taps):
    taps = np.asarray([1, 1] if taps is None else taps, np.float32)
    kernel = np.outer(taps, taps)
    return kernel / kernel.sum()


def _convolution(graph, x, weight, up, taps):
    """Return x convolved with a weight [k,k,I,O], doubled in size and filtered where asked for."""
    size, _, _, fan_out = weight.shape
    if not up or size == 1:
        x = graph.add("Conv", [x, graph.constant(weight.transpose(3, 2, 0, 1))], pads=[size // 2] * 4)
        return _upsample(graph, x, fan_out, taps) if up else x
    # A transposed convolution scatters, which flips the kernel; ours correlates after inserting zeros.
    flipped = weight[::-1, ::-1].transpose(2, 3, 0, 1)
    x = graph.add("ConvTranspose", [x, graph.constant(flipped)], strides=[2, 2])
    kernel = _filter(taps) * 4
    extra = len(kernel) - 4
    before, after = (extra + 1) // 2 + 1, extra // 2 + 1
    depthwise = np.tile(kernel[::-1, ::-1], [fan_out, 1, 1, 1])
    return graph.add("Conv", [x, graph.constant(depthwise)], group=fan_out, pads=[before, before, after, after])


def _upsample(graph, x, channels, taps):
    """Return x doubled in size by inserting zeros and filtering."""
    kernel = _filter(taps) * 4
    extra = len(kernel) - 2
    before = len(kernel) - 1 - ((extra + 1) // 2 + 1)
    after = extra - before
    depthwise = np.tile(kernel, [channels, 1, 1, 1])
    return graph.add("ConvTranspose", [x, graph.constant(depthwise)], group=channels, strides=[2, 2],
                     pads=[before, before, after, after])  # fmt: skip
