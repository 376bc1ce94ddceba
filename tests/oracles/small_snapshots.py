"""Small random snapshots of any architecture, as neutral data."""

import numpy as np

from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs


def random_values(specs, rng):
    return {spec.name: rng.standard_normal(spec.shape).astype(np.float32) for spec in specs}


def small_snapshot(
    seed=0,
    resolution=16,
    label_size=0,
    g_architecture="skip",
    d_architecture="resnet",
    d_mapping_layers=0,
    fmap_base=16,
    fmap_max=6,
    latent_size=5,
    dlatent_size=4,
    mapping_layers=2,
    num_channels=3,
    init_res=(4, 4),
):
    rng = np.random.RandomState(seed)
    shared = {
        "resolution": resolution,
        "label_size": label_size,
        "num_channels": num_channels,
        "fmap_base": fmap_base,
        "fmap_max": fmap_max,
        "num_fp16_res": 4,
        "conv_clamp": 256,
        "init_res": init_res,
    }
    g_config = GeneratorConfig(
        architecture=g_architecture, latent_size=latent_size, dlatent_size=dlatent_size, mapping_layers=mapping_layers, **shared
    )
    d_config = DiscriminatorConfig(
        architecture=d_architecture,
        mbstd_group_size=2,
        mapping_layers=d_mapping_layers,
        mapping_lrmul=0.01 if d_mapping_layers else 0.1,
        **shared,
    )
    G, Gs = (NetworkData(name, g_config.to_kwargs(), random_values(generator_specs(g_config), rng)) for name in ("G", "Gs"))
    return NetworkSnapshot(G, NetworkData("D", d_config.to_kwargs(), random_values(discriminator_specs(d_config), rng)), Gs)
