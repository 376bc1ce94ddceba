"""Begin a run with the networks of another: read them, take over their architecture, say what does not fit."""

import dataclasses

from ..errors import UserError
from ..networks.variables import GeneratorConfig
from ..snapshots.download import local_snapshot
from ..snapshots.read import read_snapshot
from ..snapshots.transfer import adopted_kwargs, fit_report, partial_values

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
    g_kwargs, d_kwargs = adopted_kwargs(snapshot, config.generator_kwargs, config.discriminator_kwargs)
    return dataclasses.replace(
        config,
        generator_kwargs=g_kwargs,
        discriminator_kwargs=d_kwargs,
        notes=config.notes + ["Taken over from the network that it starts from: " + line for line in report],
    )


def take_over_partly(state, snapshot):
    """Copy into a fresh TrainState what fits of a snapshot's networks; return the report, a sentence a layer."""
    report = []
    for network, source in ((state.G, snapshot.G), (state.Gs, snapshot.Gs), (state.D, snapshot.D)):
        values, lines = partial_values(source, network.get_values())
        network.set_values(values)
        report += lines
    return report
