"""Begin a run with the networks of another: read them, take over their architecture, say what does not fit."""

import dataclasses

from ..errors import UserError
from ..networks.variables import DiscriminatorConfig, GeneratorConfig
from ..snapshots.download import local_snapshot
from ..snapshots.read import read_snapshot
from ..snapshots.transfer import fit_report, partial_values

# What a run takes over from the pickle that it starts from, so that every layer fits.
ADOPTED_OF_G = (
    "mapping_layers",
    "mapping_fmaps",
    "mapping_lrmul",
    "latent_size",
    "dlatent_size",
    "fmap_base",
    "fmap_max",
    "architecture",
    "resample_kernel",
)
ADOPTED_OF_D = (
    "mapping_layers",
    "mapping_fmaps",
    "mapping_lrmul",
    "fmap_base",
    "fmap_max",
    "architecture",
    "mbstd_num_features",
    "resample_kernel",
)
MUST_AGREE = ("resolution", "num_channels", "label_size")


def starting_networks(source):
    """Return the NetworkSnapshot of a path, a URL or a preset's name."""
    return read_snapshot(local_snapshot(source))


def adopt_architecture(config, snapshot):
    """Return the config with the architecture of `snapshot`, and notes on what that changed; unchanged for a partial start.

    Raises:
        UserError: Resolution, colours or labels differ, so that the networks cannot be taken over whole.
    """
    wanted = GeneratorConfig.from_kwargs(config.generator_kwargs)
    have = GeneratorConfig.from_kwargs(snapshot.Gs.kwargs)
    report = fit_report(snapshot, config.generator_kwargs, config.discriminator_kwargs)
    if config.resume_partial:
        return config
    if any(getattr(wanted, name) != getattr(have, name) for name in MUST_AGREE):
        raise UserError(
            "{} does not fit the data. {}".format(config.resume_pkl, " ".join(report)),
            "a network for images of {} px, {} channels and {} label components".format(
                wanted.resolution, wanted.num_channels, wanted.label_size
            ),
            "prepare the data to fit the network, or take over what fits with --resume-partial",
        )
    return dataclasses.replace(
        config,
        generator_kwargs=_adopt(GeneratorConfig, config.generator_kwargs, snapshot.Gs.kwargs, ADOPTED_OF_G),
        discriminator_kwargs=_adopt(DiscriminatorConfig, config.discriminator_kwargs, snapshot.D.kwargs, ADOPTED_OF_D),
        notes=config.notes + ["Taken over from the network that it starts from: " + line for line in report],
    )


def _adopt(cls, kwargs, source, names):
    """Return kwargs in which the fields `names` are those of `source`; fields at their default are left out as before."""
    theirs, defaults = cls.from_kwargs(source), {f.name: f.default for f in dataclasses.fields(cls)}
    adopted = dict(kwargs)
    for name in names:
        value = getattr(theirs, name)
        if name in adopted or value != defaults[name]:
            adopted[name] = list(value) if isinstance(value, tuple) else value
    return adopted


def take_over_partly(state, snapshot):
    """Copy into a fresh TrainState what fits of a snapshot's networks; return the report, a sentence a layer."""
    report = []
    for network, source in ((state.G, snapshot.G), (state.Gs, snapshot.Gs), (state.D, snapshot.D)):
        values, lines = partial_values(source, network.get_values())
        network.set_values(values)
        report += lines
    return report
