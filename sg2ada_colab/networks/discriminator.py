"""The discriminator: images, labels → scores, in the resnet, skip and orig architectures (StyleGAN2 figure 7). NHWC."""

import math

from ..tf import tf
from .layers import bias_act, dense, equalized, minibatch_stddev, normalize_2nd_moment
from .resampling import conv_2d, down_conv_2d, downsample_2d
from .variables import discriminator_specs, initial_values
from .weights import Network


class Discriminator(Network):
    """D: images float32 [N,R,R,C] in [-1,1] and labels [N, label_size] → scores [N, 1 or score_max].

    Args:
        config: DiscriminatorConfig.
        values: dict name → array for every variable; None draws fresh ones from `seed`.
        freeze_layers: Freeze-D, see `discriminator_specs`.
        num_fp16_res: How many of the highest resolutions run in float16; None: as the config says.
    """

    def __init__(self, config, values=None, seed=0, freeze_layers=0, num_fp16_res=None):
        config.check()
        specs = discriminator_specs(config, freeze_layers)
        super().__init__(config, specs, values or initial_values(specs, seed, "D"))
        self.num_fp16_res = config.num_fp16_res if num_fp16_res is None else num_fp16_res

    def __call__(self, images, labels, mbstd_group_size=None):
        """Return the scores; `mbstd_group_size` overrides the configured one."""
        return discriminate(self.variables, self.config, images, labels, self.num_fp16_res, mbstd_group_size)


def _embed_labels(variables, config, labels):
    y = normalize_2nd_moment(dense(labels, variables, "LabelEmbed"))
    for layer in range(config.mapping_layers):
        y = dense(y, variables, "Mapping{}".format(layer), config.mapping_lrmul, act="lrelu")
    return y


def discriminate(variables, config, images, labels, num_fp16_res=0, mbstd_group_size=None, after_layer=None):
    """Return scores [N, 1], or [N, score_max] without labels; labels project them (cGAN with projection, Miyato 2018).

    Args:
        mbstd_group_size: Overrides the configured one.
        after_layer: Function (x, layer name) → x of a comparison method, called after every convolution and Dense0.
    """

    def conv(x, name, down=False, gain=1.0):
        weight = tf.cast(equalized(variables[name + "/weight"]), x.dtype)
        x = down_conv_2d(x, weight, config.resample_kernel) if down else conv_2d(x, weight)
        x = bias_act(x, variables[name + "/bias"], "lrelu", config.conv_clamp, gain)
        return after_layer(x, name) if after_layer else x

    sum_gain = math.sqrt(0.5) if config.architecture == "resnet" else 1.0  # keeps the variance of a sum of two
    x = None
    for log2 in range(config.resolution_log2, 1, -1):
        resolution, block = 2**log2, "{0}x{0}/".format(2**log2)
        dtype = tf.float16 if config.fp16_at(resolution, num_fp16_res) else tf.float32
        if config.architecture == "skip" or log2 == config.resolution_log2:
            rgb = conv(tf.cast(images, dtype), block + "FromRGB")
            x = rgb if x is None else tf.cast(x, dtype) + rgb
        if log2 == 2:
            break
        x = tf.cast(x, dtype)
        skip = x
        x = conv(x, block + "Conv0")
        x = conv(x, block + "Conv1_down", down=True, gain=sum_gain)
        if config.architecture == "resnet":
            weight = tf.cast(equalized(variables[block + "Skip/weight"]) * sum_gain, dtype)
            x = x + down_conv_2d(skip, weight, config.resample_kernel)
        if config.architecture == "skip":
            images = downsample_2d(images, config.resample_kernel)
    x = minibatch_stddev(tf.cast(x, tf.float32), mbstd_group_size or config.mbstd_group_size, config.mbstd_num_features)
    x = conv(x, "4x4/Conv")
    x = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, 16 * int(x.shape[3])])  # the pickle's order is channel, row, column
    x = dense(x, variables, "4x4/Dense0", act="lrelu")
    x = after_layer(x, "4x4/Dense0") if after_layer else x
    x = dense(x, variables, "Output")
    if config.label_size:
        x = tf.reduce_sum(x * _embed_labels(variables, config, labels), axis=1, keepdims=True) / math.sqrt(config.label_width)
    return x
