"""The generator: the mapping network, truncation and style mixing (StyleGAN section 2), the synthesis network in the skip, resnet
and orig architectures (StyleGAN2 figure 7), and all of it with its variables in one object. NHWC."""

import math
from typing import Any, Mapping, Optional, Union

import numpy as np

from ..draws import normal
from ..tf import tf
from .config import GeneratorConfig
from .layers import bias_act, dense, equalized, modulated_conv_2d, normalize_2nd_moment
from .layout import synthesis_layers
from .resampling import up_conv_2d, upsample_2d
from .variables import generator_specs, initial_values
from .weights import Network

Scalar = Union[float, tf.Tensor]


def map_latents(variables: Mapping[str, tf.Tensor], config: GeneratorConfig, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return w [N, dlatent_size] from z [N, latent_size] and labels [N, label_size]."""
    x = normalize_2nd_moment(z)
    if config.label_size:
        x = tf.concat([x, normalize_2nd_moment(dense(labels, variables, "mapping/LabelEmbed"))], axis=1)
    for layer in range(config.mapping_layers):
        x = dense(x, variables, f"mapping/Dense{layer}", config.mapping_lrmul, act="lrelu")
    return x


def broadcast(w: tf.Tensor, num_layers: int) -> tf.Tensor:
    """Return w [N,D] repeated for every layer: [N,L,D]."""
    return tf.tile(w[:, None, :], [1, num_layers, 1])


def truncate(w: tf.Tensor, dlatent_avg: tf.Tensor, psi: Scalar, cutoff: Optional[int] = None) -> tf.Tensor:
    """Pull w [N,L,D] towards the average: a + ψ·(w − a), on the first `cutoff` layers (None: all)."""
    truncated = dlatent_avg + psi * (w - dlatent_avg)
    if cutoff is None:
        return truncated
    return tf.concat([truncated[:, :cutoff], w[:, cutoff:]], axis=1)


def mix(w: tf.Tensor, other: tf.Tensor, cutoff: tf.Tensor) -> tf.Tensor:
    """Return w [N,L,D] whose layers from `cutoff` (int32 scalar) on come from `other`."""
    first = tf.range(int(w.shape[1]))[None, :, None] < cutoff
    return tf.where(tf.broadcast_to(first, w.shape), w, other)


def synthesize(
    variables: Mapping[str, tf.Tensor],
    config: GeneratorConfig,
    w: tf.Tensor,
    noise_seed: Optional[tf.Tensor] = None,
    num_fp16_res: int = 0,
) -> tf.Tensor:
    """Return images float32 [N,H,W,C], about [-1,1], from w [N, num_layers, dlatent_size].

    Args:
        variables: Mapping of names with the prefix `synthesis/` to tensors. Stored noise may have a row for each image.
        noise_seed: int32 [2] tensor: fresh N(0,1) noise for each image; None: the stored noise, one for all images.
        num_fp16_res: How many of the highest resolutions run in float16.
    """
    sum_gain = math.sqrt(0.5) if config.architecture == "resnet" else 1.0  # keeps the variance of a sum of two
    count = tf.shape(w)[0] if w.shape[0] is None else w.shape[0]
    x: Any = None
    before: Any = None
    image: Any = None

    def convolved(layer, gain=1.0):
        up = layer.kind == "up"
        y = modulated_conv_2d(x, w[:, layer.style], variables, layer.name, up, resample_kernel=config.resample_kernel)
        if noise_seed is None:
            noise = tf.reshape(variables[f"synthesis/noise{layer.noise}"], [-1, layer.height, layer.width, 1])
        else:
            noise = normal(noise_seed, f"noise{layer.noise}", [count, layer.height, layer.width, 1])
        strength = variables[layer.name + "/noise_strength"]
        return bias_act(y, variables[layer.name + "/bias"], "lrelu", config.conv_clamp, gain, noise, strength)

    for layer in synthesis_layers(config):
        if layer.kind == "const":
            const = tf.transpose(variables[layer.name + "/const"], [0, 2, 3, 1])
            x = tf.tile(const, [tf.shape(w)[0], 1, 1, 1])
            x.set_shape([w.shape[0]] + const.shape.as_list()[1:])
        elif layer.kind == "up":
            x = before = tf.cast(x, tf.float16 if config.fp16_at(layer.block, num_fp16_res) else tf.float32)
            x = convolved(layer)
        elif layer.kind == "conv":
            x = convolved(layer, sum_gain if layer.block > 4 else 1.0)
        elif layer.kind == "skip":
            weight = tf.cast(equalized(variables[layer.name + "/weight"]) * sum_gain, x.dtype)
            x = x + up_conv_2d(before, weight, config.resample_kernel)
        else:
            rgb = modulated_conv_2d(x, w[:, layer.style], variables, layer.name, demodulate=False)
            rgb = tf.cast(bias_act(rgb, variables[layer.name + "/bias"], clamp=config.conv_clamp), tf.float32)
            image = rgb if image is None else upsample_2d(image, config.resample_kernel) + rgb
    return image


class Generator(Network):
    """G or Gs: z, labels → images (StyleGAN2; names and layouts of variables are those of the pickle).

    Args:
        config: GeneratorConfig.
        values: dict name → array for every variable; None draws fresh ones from `seed`.
        num_fp16_res: How many of the highest resolutions run in float16; None: as the config says.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        values: Optional[Mapping[str, np.ndarray]] = None,
        seed: int = 0,
        num_fp16_res: Optional[int] = None,
    ) -> None:
        config.check()
        super().__init__(config, generator_specs(config), values or initial_values(generator_specs(config), seed, "G"))
        self.num_fp16_res = config.num_fp16_res if num_fp16_res is None else num_fp16_res

    def map(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Return w [N, dlatent_size], one vector an image, from z [N, latent_size] and labels [N, label_size] (both float32)."""
        return map_latents(self.variables, self.config, z, labels)

    def synthesize(self, w: tf.Tensor, noise_seed: Optional[tf.Tensor] = None) -> tf.Tensor:
        """Return images float32 [N,H,W,C], about [-1,1], from w [N, num_layers, dlatent_size].

        Args:
            noise_seed: int32 [2] tensor for fresh noise per image; None uses the stored constant noise.
        """
        return synthesize(self.variables, self.config, w, noise_seed, self.num_fp16_res)

    def __call__(
        self,
        z: tf.Tensor,
        labels: tf.Tensor,
        truncation_psi: Scalar = 1.0,
        truncation_cutoff: Optional[int] = None,
        noise_seed: Optional[tf.Tensor] = None,
    ) -> tf.Tensor:
        """Return images float32 [N,H,W,C] from latents and labels, with the truncation trick (StyleGAN appendix B).

        Args:
            truncation_psi: float or scalar tensor; 1.0 leaves w alone.
            truncation_cutoff: Number of layers it applies to; None is all.
        """
        w = broadcast(self.map(z, labels), self.config.num_layers)
        if not (isinstance(truncation_psi, (int, float)) and truncation_psi == 1):
            w = truncate(w, self.variables["dlatent_avg"], truncation_psi, truncation_cutoff)
        return self.synthesize(w, noise_seed)


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Return uint8 images from float ones in [-1,1]: saturate(truncate(x·127.5 + 128)), as images and metrics want it."""
    return tf.cast(tf.clip_by_value(tf.cast(images, tf.float32) * 127.5 + 128.0, 0.0, 255.0), tf.uint8)
