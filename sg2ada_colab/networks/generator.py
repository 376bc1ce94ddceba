"""The generator: variables, mapping, truncation and synthesis in one object."""

from ..tf import tf
from .mapping import broadcast, map_latents, truncate
from .synthesis import synthesize
from .variables import generator_specs, initial_values
from .weights import Network


class Generator(Network):
    """G or Gs: z, labels → images (StyleGAN2; names and layouts of variables are those of the pickle).

    Args:
        config: GeneratorConfig.
        values: dict name → array for every variable; None draws fresh ones from `seed`.
        num_fp16_res: How many of the highest resolutions run in float16; None: as the config says.
    """

    def __init__(self, config, values=None, seed=0, num_fp16_res=None):
        config.check()
        super().__init__(config, generator_specs(config), values or initial_values(generator_specs(config), seed, "G"))
        self.num_fp16_res = config.num_fp16_res if num_fp16_res is None else num_fp16_res

    def map(self, z, labels):
        """Return w [N, dlatent_size], one vector an image, from z [N, latent_size] and labels [N, label_size] (both float32)."""
        return map_latents(self.variables, self.config, z, labels)

    def synthesize(self, w, noise_seed=None):
        """Return images float32 [N,R,R,C], about [-1,1], from w [N, num_layers, dlatent_size].

        Args:
            noise_seed: int32 [2] tensor for fresh noise per image; None uses the stored constant noise.
        """
        return synthesize(self.variables, self.config, w, noise_seed, self.num_fp16_res)

    def __call__(self, z, labels, truncation_psi=1.0, truncation_cutoff=None, noise_seed=None):
        """Return images float32 [N,R,R,C] from latents and labels, with the truncation trick (StyleGAN appendix B).

        Args:
            truncation_psi: float or scalar tensor; 1.0 leaves w alone.
            truncation_cutoff: Number of layers it applies to; None is all.
        """
        w = broadcast(self.map(z, labels), self.config.num_layers)
        if not (isinstance(truncation_psi, (int, float)) and truncation_psi == 1):
            w = truncate(w, self.variables["dlatent_avg"], truncation_psi, truncation_cutoff)
        return self.synthesize(w, noise_seed)


def to_uint8(images):
    """Return uint8 images from float ones in [-1,1]: saturate(truncate(x·127.5 + 128)), as images and metrics want it."""
    return tf.cast(tf.clip_by_value(tf.cast(images, tf.float32) * 127.5 + 128.0, 0.0, 255.0), tf.uint8)
