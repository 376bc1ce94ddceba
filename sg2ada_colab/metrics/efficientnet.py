"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze-excite, with ReLU6) as a TensorFlow function of its weights."""

import numpy as np

from ..tf import tf
from .resize import resize_antialiased

SIZE_PX = 224
DIMENSIONS = 1280
BATCH_NORM_EPSILON = 1e-3
# repeats, stride of the first, expansion (kernel sizes and widths follow from the weights)
STAGES = [(1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6)]


def fold_weights(arrays):
    """Return name -> (kernel, bias) of every convolution, batch normalisation folded in, from the torch state dict."""
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for block in range(sum(repeats for repeats, _, _ in STAGES)):
        prefix = "_blocks.{}.".format(block)
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


def efficientnet_lite0(images, weights):
    """Return (features float32 [N, 1280], logits [N, 1000]) of images [N, H, W, 3] in 0..255.

    Images are resized to 224 by an antialiased linear filter and enter as (x - 127) / 128.
    """

    def conv(x, name, stride=1):
        kernel, bias = weights[name]
        return tf.nn.conv2d(x, kernel, [1, stride, stride, 1], "SAME") + bias

    def depthwise(x, name, stride):
        kernel, bias = weights[name]
        return tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME") + bias

    x = (resize_antialiased(images, SIZE_PX) - 127.0) / 128.0
    x = tf.nn.relu6(conv(x, "_conv_stem", 2))
    block = 0
    for repeats, first_stride, expand in STAGES:
        for repeat in range(repeats):
            prefix, skip, stride = "_blocks.{}.".format(block), x, first_stride if repeat == 0 else 1
            if expand != 1:
                x = tf.nn.relu6(conv(x, prefix + "_expand_conv"))
            x = conv(tf.nn.relu6(depthwise(x, prefix + "_depthwise_conv", stride)), prefix + "_project_conv")
            x = x + skip if stride == 1 and skip.shape[-1] == x.shape[-1] else x
            block += 1
    features = tf.reduce_mean(tf.nn.relu6(conv(x, "_conv_head")), [1, 2])
    return features, tf.matmul(features, weights["_fc"][0]) + weights["_fc"][1]
