"""Choose how many images a GPU takes at once, by its memory, where nobody has said so."""

from dataclasses import replace

from .estimate import largest_batch_gpu
from .resolve import resolve


def resolve_for_card(options, data, metric_data, check_metric, memory_bytes):
    """Return the `TrainConfig` of options, with the largest share of the minibatch at once that should fit a card's memory.

    The configurations of the papers take few images at once, for eight cards of their time; more is faster. What is chosen
    becomes the run's own --batch-gpu, so a resume keeps it on any card: another share would round otherwise.

    Args:
        options, data, metric_data, check_metric: As for `resolve`.
        memory_bytes: Memory of the card, or None: no GPU, or not known.

    Raises:
        UserError: As `resolve`.
    """
    config = resolve(options, data, metric_data, check_metric)
    if options.batch_gpu or not memory_bytes:
        return config
    group = _group(config)
    fits = largest_batch_gpu(config, memory_bytes)
    while fits and (config.minibatch_size % (config.num_gpus * fits) or fits % group):
        fits //= 2
    if fits in (0, config.minibatch_gpu):  # where nothing fits, the run itself will say what to do
        return config
    chosen = resolve(replace(options, batch_gpu=fits), data, metric_data, check_metric)
    if _group(chosen) != group:  # the statistics of a minibatch would be others
        return config
    note = "--batch-gpu={}, by this GPU's {:.0f} GB: so many of the {} images of a minibatch are taken at once".format(
        fits, memory_bytes / 1e9, chosen.minibatch_size
    )
    return replace(chosen, notes=chosen.notes + [note])


def _group(config):
    """Return how many images D's minibatch statistics take together."""
    return min(config.discriminator_kwargs["mbstd_group_size"], config.minibatch_gpu)
