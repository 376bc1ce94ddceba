"""The discriminator: images, labels → scores, in the resnet, skip and orig architectures (StyleGAN2 figure 7). NHWC."""

import math
from typing import Callable, Mapping, Optional

import numpy as np

from ..tf import tf
from .config import DiscriminatorConfig
from .layers import bias_act, dense, equalized, minibatch_stddev, normalize_2nd_moment
from .layout import image_layers
from .resampling import conv_2d, down_conv_2d, downsample_2d
from .variables import discriminator_specs, initial_values
from .weights import Network


class Discriminator(Network):
    """D: images float32 [N,H,W,C] in [-1,1] and labels [N, label_size] → scores [N, 1 or score_max].

    Args:
        config: DiscriminatorConfig.
        values: dict name → array for every variable; None draws fresh ones from `seed`.
        freeze_layers: Freeze-D, see `discriminator_specs`.
        num_fp16_res: How many of the highest resolutions run in float16; None: as the config says.
    """

    def __init__(
        self,
        config: DiscriminatorConfig,
        values: Optional[Mapping[str, np.ndarray]] = None,
        seed: int = 0,
        freeze_layers: int = 0,
        num_fp16_res: Optional[int] = None,
    ) -> None:
        config.check()
        specs = discriminator_specs(config, freeze_layers)
        super().__init__(config, specs, values or initial_values(specs, seed, "D"))
        self.num_fp16_res = config.num_fp16_res if num_fp16_res is None else num_fp16_res

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, mbstd_group_size: Optional[int] = None) -> tf.Tensor:
        """Return the scores; `mbstd_group_size` overrides the configured one."""
        return discriminate(self.variables, self.config, images, labels, self.num_fp16_res, mbstd_group_size)


def _embed_labels(variables, config, labels):
    y = normalize_2nd_moment(dense(labels, variables, "LabelEmbed"))
    for layer in range(config.mapping_layers):
        y = dense(y, variables, f"Mapping{layer}", config.mapping_lrmul, act="lrelu")
    return y


def discriminate(
    variables: Mapping[str, tf.Tensor],
    config: DiscriminatorConfig,
    images: tf.Tensor,
    labels: tf.Tensor,
    num_fp16_res: int = 0,
    mbstd_group_size: Optional[int] = None,
    after_layer: Optional[Callable[[tf.Tensor, str], tf.Tensor]] = None,
) -> tf.Tensor:
    """Return scores [N, 1], or [N, score_max] without labels; labels project them (cGAN with projection, Miyato 2018).

    Args:
        images: float32 [N,H,W,C] in [-1,1].
        labels: float32 [N, label_size].
        mbstd_group_size: Overrides the configured one.
        after_layer: Function (x, layer name) → x of a comparison method, called after every convolution and Dense0.
    """
    sum_gain = math.sqrt(0.5) if config.architecture == "resnet" else 1.0  # keeps the variance of a sum of two
    taps = config.resample_kernel

    def conv(x, layer, gain=1.0):
        weight = tf.cast(equalized(variables[layer.name + "/weight"]), x.dtype)
        x = down_conv_2d(x, weight, taps) if layer.kind == "down" else conv_2d(x, weight)
        x = bias_act(x, variables[layer.name + "/bias"], "lrelu", config.conv_clamp, gain)
        return after_layer(x, layer.name) if after_layer else x

    x = before = None
    for layer in image_layers(config):
        dtype = tf.float16 if config.fp16_at(layer.block, num_fp16_res) else tf.float32
        if layer.kind == "from_rgb":
            rgb = conv(tf.cast(images, dtype), layer)
            x = rgb if x is None else tf.cast(x, dtype) + rgb
        elif layer.kind == "conv" and layer.block > 4:
            x = before = tf.cast(x, dtype)
            x = conv(x, layer)
        elif layer.kind == "down":
            x = conv(x, layer, sum_gain)
            if config.architecture == "skip":
                images = downsample_2d(images, taps)
        elif layer.kind == "skip":
            weight = tf.cast(equalized(variables[layer.name + "/weight"]) * sum_gain, dtype)
            x = x + down_conv_2d(before, weight, taps)
        elif layer.kind == "conv":
            x = conv(_with_stddev(tf.cast(x, tf.float32), config, mbstd_group_size), layer)
            x = tf.transpose(x, [0, 3, 1, 2])  # the pickle's order is channel, row, column
            x = tf.reshape(x, [-1, layer.outputs * layer.height * layer.width])
        elif layer.name == "Output":
            x = dense(x, variables, layer.name)
        else:
            x = dense(x, variables, layer.name, act="lrelu")
            x = after_layer(x, layer.name) if after_layer else x
    return _projected(x, _embed_labels(variables, config, labels), config) if config.label_size else x


def _with_stddev(x, config, group_size):
    """Return x with the minibatch's standard deviation as further features, where the config has them."""
    if not config.mbstd_num_features:
        return x
    return minibatch_stddev(x, group_size or config.mbstd_group_size, config.mbstd_num_features)


def _projected(x, embedded_labels, config):
    return tf.reduce_sum(x * embedded_labels, axis=1, keepdims=True) / math.sqrt(config.label_width)
