"""The synthesis network: w → images, in the skip, resnet and orig architectures (StyleGAN2 figure 7). NHWC."""

import math

from ..draws import normal
from ..tf import tf
from .layers import bias_act, equalized, modulated_conv_2d
from .resampling import up_conv_2d, upsample_2d


def synthesize(variables, config, w, noise_seed=None, num_fp16_res=0):
    """Return images float32 [N,R,R,C] from w [N, num_layers, dlatent_size].

    Args:
        variables: Mapping of names with the prefix `synthesis/` to tensors.
        config: GeneratorConfig.
        noise_seed: int32 [2] tensor: fresh N(0,1) noise for each image; None: the stored noise, one for all images.
        num_fp16_res: How many of the highest resolutions run in float16.
    """

    sum_gain = math.sqrt(0.5) if config.architecture == "resnet" else 1.0  # keeps the variance of a sum of two

    def layer(x, name, index, up=False, gain=1.0):
        x = modulated_conv_2d(x, w[:, index], variables, name, up, resample_kernel=config.resample_kernel)
        size = int(x.shape[1])
        if noise_seed is None:
            noise = tf.reshape(variables["synthesis/noise{}".format(index)], [1, size, size, 1])
        else:
            noise = normal(
                noise_seed, "noise{}".format(index), [tf.shape(w)[0] if w.shape[0] is None else w.shape[0], size, size, 1]
            )
        strength = variables[name + "/noise_strength"]
        return bias_act(x, variables[name + "/bias"], "lrelu", config.conv_clamp, gain, noise, strength)

    def to_rgb(x, name, index):
        x = modulated_conv_2d(x, w[:, index], variables, name, demodulate=False)
        return tf.cast(bias_act(x, variables[name + "/bias"], clamp=config.conv_clamp), tf.float32)

    const = tf.transpose(variables["synthesis/4x4/Const/const"], [0, 2, 3, 1])
    x = tf.tile(const, [tf.shape(w)[0], 1, 1, 1])
    x.set_shape([w.shape[0]] + const.shape.as_list()[1:])
    x = layer(x, "synthesis/4x4/Conv", 0)
    image = to_rgb(x, "synthesis/4x4/ToRGB", 1) if config.architecture == "skip" else None
    for log2 in range(3, config.resolution_log2 + 1):
        block = "synthesis/{0}x{0}/".format(2**log2)
        x = tf.cast(x, tf.float16 if config.fp16_at(2**log2, num_fp16_res) else tf.float32)
        skip = x
        x = layer(x, block + "Conv0_up", 2 * log2 - 5, up=True)
        x = layer(x, block + "Conv1", 2 * log2 - 4, gain=sum_gain)
        if config.architecture == "resnet":
            weight = tf.cast(equalized(variables[block + "Skip/weight"]) * sum_gain, x.dtype)
            x = x + up_conv_2d(skip, weight, config.resample_kernel)
        if config.architecture == "skip":
            image = upsample_2d(image, config.resample_kernel) + to_rgb(x, block + "ToRGB", 2 * log2 - 3)
        elif log2 == config.resolution_log2:
            image = to_rgb(x, block + "ToRGB", 2 * log2 - 3)
    return image
