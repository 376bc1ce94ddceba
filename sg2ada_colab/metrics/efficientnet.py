"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze-excite, with ReLU6) as a TensorFlow function of its weights."""

from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from ..tf import tf
from .resize import resize_antialiased

SIZE_PX = 224
DIMENSIONS = 1280
BATCH_NORM_EPSILON = 1e-3
# repeats, stride of the first, expansion (kernel sizes and widths follow from the weights)
STAGES = [(1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6)]


def fold_weights(arrays: Mapping[str, np.ndarray]) -> Dict[str, Tuple[np.ndarray, np.ndarray]]:
    """Return name -> (kernel, bias) of every convolution, batch normalisation folded in, from the torch state dict.

    Kernels are [kh,kw,in,out], of depthwise convolutions [kh,kw,C,1], of `_fc` [in,out]; biases are [out].
    """
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for block in range(sum(repeats for repeats, _, _ in STAGES)):
        prefix = f"_blocks.{block}."
        pairs += [(prefix + "_expand_conv", prefix + "_bn0")] if block > 0 else []
        pairs += [(prefix + "_depthwise_conv", prefix + "_bn1"), (prefix + "_project_conv", prefix + "_bn2")]
    folded = {conv: _fold(arrays[conv + ".weight"], arrays, norm, "depthwise" in conv) for conv, norm in pairs}
    folded["_fc"] = (arrays["_fc.weight"].T, arrays["_fc.bias"])
    return folded


def _fold(kernel, arrays, norm, depthwise):
    """Kernel [out, in, H, W] -> [H, W, in, out] (depthwise [H, W, out, 1]) times the normalisation's gain, and its bias."""
    arrays = {part: arrays[norm + "." + part].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")}
    gain = arrays["weight"] / np.sqrt(arrays["running_var"] + BATCH_NORM_EPSILON)
    bias = arrays["bias"] - arrays["running_mean"] * gain
    kernel = kernel.astype(np.float64) * gain[:, None, None, None]
    kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
    return kernel.astype(np.float32), bias.astype(np.float32)


def efficientnet_lite0(images: Any, weights: Mapping[str, Any], fused: bool = False) -> Tuple[Any, Any]:
    """Return (features float32 [N, 1280], logits [N, 1000]) of images [N, H, W, 3] in 0..255.

    Images are resized to 224 by an antialiased linear filter and enter as (x - 127) / 128.

    Args:
        weights: Name -> (kernel, bias), from `fold_weights`.
        fused: Write the convolutions as XLA computes them fastest: 1x1 ones as matrix products, depthwise ones as sums of shifted
            slices, which it fuses with bias and activation into one pass. Needs a static batch size.
    """
    x = efficientnet_stages(resize_antialiased(images, SIZE_PX), weights, fused)[-1]
    features = tf.reduce_mean(tf.nn.relu6((_product if fused else _conv)(x, weights["_conv_head"])), [1, 2])
    return features, tf.matmul(features, weights["_fc"][0]) + weights["_fc"][1]


def efficientnet_stages(images: Any, weights: Mapping[str, Any], fused: bool = False) -> List[Any]:
    """Return the activations at the end of each of the seven stages, for images [N, H, W, 3] in 0..255 as large as they are."""
    pointwise, depthwise = (_product, _shifted_sum) if fused else (_conv, _depthwise_conv)
    x = tf.nn.relu6(_conv((images - 127.0) / 128.0, weights["_conv_stem"], 2))
    block, outputs = 0, []
    for repeats, first_stride, expand in STAGES:
        for repeat in range(repeats):
            prefix, skip, stride = f"_blocks.{block}.", x, first_stride if repeat == 0 else 1
            if expand != 1:
                x = tf.nn.relu6(pointwise(x, weights[prefix + "_expand_conv"]))
            x = tf.nn.relu6(depthwise(x, weights[prefix + "_depthwise_conv"], stride))
            x = pointwise(x, weights[prefix + "_project_conv"])
            x = x + skip if stride == 1 and skip.shape[-1] == x.shape[-1] else x
            block += 1
        outputs.append(x)
    return outputs


def _conv(x, kernel_and_bias, stride=1):
    kernel, bias = kernel_and_bias
    return tf.nn.conv2d(x, kernel, [1, stride, stride, 1], "SAME") + bias


def _depthwise_conv(x, kernel_and_bias, stride):
    kernel, bias = kernel_and_bias
    return tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME") + bias


def _product(x, kernel_and_bias):
    """Return the 1x1 convolution of x [N, H, W, I] with a kernel [1, 1, I, O]."""
    kernel, bias = kernel_and_bias
    y = tf.matmul(tf.reshape(x, [-1, x.shape[3]]), kernel[0, 0]) + bias
    return tf.reshape(y, x.shape.as_list()[:3] + y.shape.as_list()[1:])


def _shifted_sum(x, kernel_and_bias, stride):
    """Return the depthwise convolution of x [N, H, H, C] with a kernel [k, k, C, 1], padded as "SAME" pads."""
    kernel, total = kernel_and_bias
    taps, size = int(kernel.shape[0]), int(x.shape[1])
    out = -(-size // stride)
    padding = max((out - 1) * stride + taps - size, 0)
    sides = [padding // 2, padding - padding // 2]
    x = tf.pad(x, [[0, 0], sides, sides, [0, 0]])
    span = (out - 1) * stride + 1
    for row in range(taps):
        for column in range(taps):
            total = total + x[:, row : row + span : stride, column : column + span : stride] * kernel[row, column, :, 0]
    return total
