"""What a snapshot takes in place of the networks that a file with a generator alone lacks."""

from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.variables import discriminator_specs, initial_values
from .network_data import NetworkData

NO_D = "The file holds no discriminator: D is new, with random weights."


def new_discriminator(config: GeneratorConfig) -> NetworkData:
    """Return a discriminator with fresh weights, always the same, for the pictures of a generator with this GeneratorConfig."""
    own = DiscriminatorConfig(resolution=config.resolution, num_channels=config.num_channels, label_size=config.label_size,
                              fmap_base=config.fmap_base, fmap_max=config.fmap_max, mbstd_group_size=4,
                              num_fp16_res=config.num_fp16_res, conv_clamp=config.conv_clamp,
                              resample_kernel=config.resample_kernel, init_res=config.init_res)  # fmt: skip
    return NetworkData("D", own.to_kwargs(), initial_values(discriminator_specs(own), 0, "D"))


def copied_generator(Gs: NetworkData) -> NetworkData:
    """Return G as a copy of Gs."""
    return NetworkData("G", dict(Gs.kwargs), {name: value.copy() for name, value in Gs.variables.items()})
